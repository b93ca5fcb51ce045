#include "libdns/stub/reply.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

// RFC 8914 4: the resolver found data whose signatures don't hold.
bool is_dnssec_failure(std::uint16_t code) {
  return (code >= 6 && code <= 12) || code == 25;
}

bool has_type(std::span<const RecordView> section, Type type) {
  return std::any_of(section.begin(), section.end(),
                     [type](const RecordView& record) { return record.type == type; });
}

// The records of the question's type at `owner`; the least TTL goes into `ttl`.
std::vector<Record> records_at(std::span<const RecordView> section, const Name& owner, Type type,
                               std::uint32_t& ttl) {
  std::vector<Record> found;
  for (const RecordView& record : section) {
    if (record.klass != Class::in || !(record.owner == owner)) continue;
    if (record.type != type && type != Type::any) continue;
    ttl = std::min(ttl, record.ttl);
    found.push_back(record.record());
  }
  return found;
}

const RecordView* alias_at(std::span<const RecordView> section, const Name& owner) {
  for (const RecordView& record : section) {
    if (record.klass == Class::in && record.type == Type::cname && record.owner == owner)
      return &record;
  }
  return nullptr;
}

// How long "there is none" holds (RFC 2308 5).
std::uint32_t negative_ttl(std::span<const RecordView> authority, std::uint32_t otherwise) {
  for (const RecordView& record : authority) {
    if (record.type != Type::soa) continue;
    const Rdata data = record.data();
    const Soa* soa = std::get_if<Soa>(&data);
    if (soa != nullptr) return std::min({record.ttl, soa->minimum, otherwise});
  }
  return 0;
}

class ReplyReader {
 public:
  ReplyReader(const MessageView& message, const Question& question)
      : message_(message), question_(question) {
    reading_.answer.owner = question.name;
    reading_.answer.rcode = message.rcode();
    reading_.edns = message.edns().has_value();
    if (message.edns()) reading_.answer.extended_error = message.edns()->extended_error();
  }

  Reading read(bool trusted, const std::vector<Name>& aliases, unsigned max_aliases) {
    if (!is_reply_to_question()) return unusable("a packet that is no reply to the question");
    if (message_.header().truncated) return unusable("a truncated reply, by TCP too");
    const Rcode rcode = message_.rcode();
    if (rcode != Rcode::noerror && rcode != Rcode::nxdomain) return failure(rcode);
    if (!follow_aliases(aliases, max_aliases)) return std::move(reading_);
    Answer& answer = reading_.answer;
    answer.security =
        trusted && message_.header().authentic_data ? Security::secure : Security::insecure;
    answer.ttl = ttl_;
    reading_.usable = true;
    if (!answer.records.empty()) {
      if (rcode == Rcode::nxdomain) return unusable("NXDOMAIN together with records");
      answer.presence = Presence::found;
      return std::move(reading_);
    }
    return absent(rcode);
  }

 private:
  [[nodiscard]] bool is_reply_to_question() const {
    const auto questions = message_.questions();
    return message_.header().response && message_.header().opcode == Opcode::query &&
           questions.size() == 1 && questions[0].type == question_.type &&
           questions[0].klass == question_.klass && questions[0].name == question_.name;
  }

  Reading unusable(std::string_view why) {
    reading_.usable = false;
    reading_.answer.security = Security::unavailable;
    reading_.answer.presence = Presence::unknown;
    reading_.answer.records.clear();
    reading_.answer.reason = why;
    return std::move(reading_);
  }

  Reading failure(Rcode rcode) {
    const auto& error = reading_.answer.extended_error;
    std::string why = to_string(rcode);
    if (error) why += ", " + error->describe();
    const bool bogus = rcode == Rcode::servfail && error && is_dnssec_failure(error->code);
    Reading reading = unusable(why);
    reading.final = true;
    if (bogus) {
      reading.usable = true;
      reading.answer.security = Security::bogus;
    }
    return reading;
  }

  // Walks from alias to alias. False if that leads nowhere, with the reason noted: an answer all the same, since
  // every server will say it.
  bool follow_aliases(const std::vector<Name>& earlier, unsigned max_aliases) {
    Answer& answer = reading_.answer;
    for (;;) {
      answer.records = records_at(message_.answer(), answer.owner, question_.type, ttl_);
      if (!answer.records.empty()) return true;
      const RecordView* alias = alias_at(message_.answer(), answer.owner);
      if (alias == nullptr) return true;
      const Rdata data = alias->data();
      const Name target = std::get<Cname>(data).target;
      ttl_ = std::min(ttl_, alias->ttl);
      answer.aliases.push_back(answer.owner);
      const auto met = [&target](const Name& name) { return name == target; };
      const bool loop = std::any_of(answer.aliases.begin(), answer.aliases.end(), met) ||
                        std::any_of(earlier.begin(), earlier.end(), met);
      if (loop || answer.aliases.size() + earlier.size() > max_aliases) {
        reading_ = unusable(loop ? "aliases in a loop at " + target.text() : "too many aliases");
        reading_.usable = true;
        return false;
      }
      answer.owner = target;
    }
  }

  Reading absent(Rcode rcode) {
    Answer& answer = reading_.answer;
    const bool has_soa = has_type(message_.authority(), Type::soa);
    if (rcode == Rcode::nxdomain) {
      answer.presence = Presence::nxdomain;
    } else if (!has_soa && !answer.aliases.empty()) {
      reading_.ask_next = answer.owner;
      return std::move(reading_);
    } else if (!has_soa && has_type(message_.authority(), Type::ns)) {
      return unusable("a referral: it doesn't resolve for us");
    } else {
      answer.presence = Presence::nodata;
    }
    answer.ttl = negative_ttl(message_.authority(), ttl_);
    return std::move(reading_);
  }

  const MessageView& message_;
  const Question& question_;
  Reading reading_;
  std::uint32_t ttl_ = 0x7fffffff;
};

}  // namespace

Reading read_reply(std::string_view octets, const Question& question, bool trusted,
                   const std::vector<Name>& aliases, unsigned max_aliases) {
  const auto message = MessageView::parse(octets);
  if (!message) {
    Reading reading;
    reading.answer.owner = question.name;
    reading.answer.reason = "a malformed packet: " + message.error().text();
    reading.edns = true;  // nothing is known about that
    return reading;
  }
  return ReplyReader(*message, question).read(trusted, aliases, max_aliases);
}

}  // namespace posthorn::dns
