#include "libdns/server/compose.h"

#include <algorithm>

#include "libdns/wire/builder.h"

namespace posthorn::dns {

namespace {

Header header_for(const Query& query, AnswerClass asker) {
  Header header;
  header.id = query.id;
  header.response = true;
  header.recursion_desired = asker.recursion_desired;
  header.recursion_available = asker.may_recurse;
  header.checking_disabled = asker.checking_disabled;
  return header;
}

std::string error_option(const ExtendedError& error) {
  EdnsSettings settings;
  settings.add(error);
  const auto& [code, value] = settings.options.front();
  Writer writer;
  writer.u16(code);
  writer.u16(static_cast<std::uint16_t>(value.size()));
  writer.octets(value);
  return writer.take();
}

Signatures signatures_for(AnswerClass asker) {
  return asker.dnssec_ok ? Signatures::include : Signatures::omit;
}

// What the resolver found: as much of it as a message holds.
bool add_found(MessageBuilder& builder, AnswerClass asker, const Resolution& found, bool answer) {
  const Signatures signatures = signatures_for(asker);
  for (const RrSet& set : answer ? found.answer : found.authority) {
    const bool is_proof = set.type == Type::nsec || set.type == Type::nsec3;
    if (!answer && is_proof && !asker.dnssec_ok) continue;
    if (!(answer ? builder.answer(set, signatures) : builder.authority(set, signatures)))
      return false;
  }
  return true;
}

// Where the message's TTLs stand, and the least of them.
void note_ttls(NewAnswer& answer) {
  const auto view = MessageView::parse(answer.message);
  if (!view) return;
  std::uint32_t least = UINT32_MAX;
  for (const auto section : {view->answer(), view->authority(), view->additional()}) {
    for (const RecordView& record : section) {
      answer.ttls.push_back(static_cast<std::uint16_t>(record.rdata_offset() - 6));
      least = std::min(least, record.ttl);
    }
  }
  answer.lifetime = answer.ttls.empty() ? 0 : least;
}

class Composer {
 public:
  Composer(const Query& query, AnswerClass asker, const Header& header)
      : asker_(asker), builder_(header) {
    // In lower case, as zones have it, so that names are compressed against it. Who asks finds the
    // question spelled as it was sent: that is put over it at the end.
    const auto name = Name::from_wire(query.folded_name());
    complete_ = builder_.question(Question(name.value_or(Name()), query.type, query.klass));
  }

  void add(const LocalAnswer& local, const Resolution* rest) {
    const Signatures signatures = signatures_for(asker_);
    for (const ZoneAnswer& part : local.parts) {
      for (const RrSet* set : part.answer) keep(builder_.answer(*set, signatures));
    }
    if (rest != nullptr) {
      keep(add_found(builder_, asker_, *rest, true));
      keep(add_found(builder_, asker_, *rest, false));
      return;
    }
    // Proofs for the wildcards of a chain stand in the parts that they belong to.
    for (const ZoneAnswer& part : local.parts) {
      for (const RrSet* set : part.authority) keep(builder_.authority(*set, signatures));
    }
    add_convenience(local.last(), signatures);
  }
  void add(const Resolution& found) {
    keep(add_found(builder_, asker_, found, true));
    keep(add_found(builder_, asker_, found, false));
  }

  [[nodiscard]] std::string finish() {
    if (!complete_) builder_.set_truncated();
    return builder_.finish();
  }

 private:
  void keep(bool added) { complete_ = complete_ && added; }
  void add_convenience(const ZoneAnswer& answer, Signatures signatures) {
    const std::size_t room = asker_.small ? convenient_octets_small : convenient_octets;
    for (std::size_t i = 0; i < answer.additional.size(); ++i) {
      if (i >= answer.required_additional && builder_.size() >= room) return;
      const bool added = builder_.additional(*answer.additional[i], signatures);
      if (i < answer.required_additional) keep(added);
    }
  }
  AnswerClass asker_;
  MessageBuilder builder_;
  bool complete_ = true;
};

}  // namespace

NewAnswer compose(const Query& query, AnswerClass asker, const LocalAnswer& local,
                  const Resolution* rest) {
  if (local.is_empty) {
    const ExtendedError why(static_cast<std::uint16_t>(EdeCode::not_ready), "");
    return compose(query, asker, Rcode::servfail, &why);
  }
  Header header = header_for(query, asker);
  header.authoritative = local.parts.front().authoritative;
  header.rcode = rest == nullptr ? local.last().rcode : rest->rcode;
  const bool is_secure =
      rest == nullptr ? local.is_secure() : local.is_signed() && rest->security == Security::secure;
  header.authentic_data = asker.wants_ad && asker.trusted && is_secure;
  Composer composer(query, asker, header);
  composer.add(local, rest);
  NewAnswer answer;
  answer.message = composer.finish();
  if (rest != nullptr && rest->why) answer.error = error_option(*rest->why);
  if (rest != nullptr) note_ttls(answer);
  return answer;
}

NewAnswer compose(const Query& query, AnswerClass asker, const Resolution& found) {
  Header header = header_for(query, asker);
  header.rcode = found.rcode;
  header.authentic_data = asker.wants_ad && found.security == Security::secure;
  Composer composer(query, asker, header);
  composer.add(found);
  NewAnswer answer;
  answer.message = composer.finish();
  if (found.why) answer.error = error_option(*found.why);
  note_ttls(answer);
  return answer;
}

NewAnswer compose(const Query& query, AnswerClass asker, Rcode rcode, const ExtendedError* why) {
  Header header = header_for(query, asker);
  header.rcode = rcode;
  Composer composer(query, asker, header);
  NewAnswer answer;
  answer.message = composer.finish();
  if (why != nullptr) answer.error = error_option(*why);
  return answer;
}

void truncate(std::string& message) {
  std::size_t end = header_octets;
  if (message[5] != 0) {
    while (message[end] != 0) end += 1 + static_cast<std::size_t>(message[end]);
    end += 1 + 4;  // the root, type and class
  }
  message.resize(end);
  message[2] = static_cast<char>(message[2] | 0x02);
  std::fill(message.begin() + 6, message.begin() + header_octets, '\0');  // the other counts
}

}  // namespace posthorn::dns
