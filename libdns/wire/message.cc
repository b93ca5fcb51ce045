#include "libdns/wire/message.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t least_question = 5;  // root, type, class
constexpr std::size_t least_record = 11;   // root, type, class, TTL, length

// UPDATE (RFC 2136 2.4, 2.5) names record sets by records of class ANY or NONE without data.
bool may_be_empty(Class klass) {
  return klass == Class::any || klass == Class::none;
}

constexpr std::string_view error_names[] = {
    "Other",
    "Unsupported DNSKEY Algorithm",
    "Unsupported DS Digest Type",
    "Stale Answer",
    "Forged Answer",
    "DNSSEC Indeterminate",
    "DNSSEC Bogus",
    "Signature Expired",
    "Signature Not Yet Valid",
    "DNSKEY Missing",
    "RRSIGs Missing",
    "No Zone Key Bit Set",
    "NSEC Missing",
    "Cached Error",
    "Not Ready",
    "Blocked",
    "Censored",
    "Filtered",
    "Prohibited",
    "Stale NXDOMAIN Answer",
    "Not Authoritative",
    "Not Supported",
    "No Reachable Authority",
    "Network Error",
    "Invalid Data",
    "Signature Expired before Valid",
    "Too Early",
    "Unsupported NSEC3 Iterations Value",
    "Unable to conform to policy",
    "Synthesized",
};

}  // namespace

std::string ExtendedError::describe() const {
  std::string text = code < std::size(error_names) ? fmt::format("{} ({})", error_names[code], code)
                                                   : fmt::format("extended error {}", code);
  if (!explanation.empty()) text += ": " + printable(explanation, 200);
  return text;
}

std::optional<ExtendedError> Edns::extended_error() const {
  for (const EdnsOption& option : options) {
    if (option.code != edns_extended_error || option.octets.size() < 2) continue;
    Reader reader(option.octets);
    const std::uint16_t code = reader.u16();
    std::string_view text = reader.rest();
    // RFC 8914 2: a reader must cope with a NUL at the end.
    if (!text.empty() && text.back() == '\0') text.remove_suffix(1);
    return ExtendedError(code, std::string(text));
  }
  return std::nullopt;
}

// One walk over the octets that fills a view.
class MessageParser {
 public:
  explicit MessageParser(std::string_view octets) : reader_(octets) { view_.octets_ = octets; }

  Result<MessageView, WireError> parse() {
    read_header();
    if (reader_.ok()) check_counts();
    if (reader_.ok()) read_questions();
    for (std::size_t section = 0; section < 3 && reader_.ok(); ++section) read_section(section);
    if (reader_.ok() && !reader_.at_end()) reader_.set_fault(WireFault::trailing_octets);
    if (reader_.error()) return fail(*reader_.error());
    return std::move(view_);
  }

 private:
  void read_header() {
    Header& header = view_.header_;
    header.id = reader_.u16();
    const std::uint16_t bits = reader_.u16();
    header.response = (bits & 0x8000) != 0;
    header.opcode = static_cast<Opcode>(bits >> 11 & 15);
    header.authoritative = (bits & 0x0400) != 0;
    header.truncated = (bits & 0x0200) != 0;
    header.recursion_desired = (bits & 0x0100) != 0;
    header.recursion_available = (bits & 0x0080) != 0;
    header.authentic_data = (bits & 0x0020) != 0;
    header.checking_disabled = (bits & 0x0010) != 0;
    header.rcode = static_cast<Rcode>(bits & 15);
    for (std::uint16_t& count : counts_) count = reader_.u16();
  }

  void check_counts() {
    const std::size_t records = std::size_t{counts_[1]} + counts_[2] + counts_[3];
    if (counts_[0] * least_question + records * least_record > reader_.left()) {
      reader_.set_fault(WireFault::impossible_counts, 4);
      return;
    }
    view_.questions_.reserve(counts_[0]);
    view_.records_.reserve(records);
  }

  void read_questions() {
    for (unsigned i = 0; i < counts_[0] && reader_.ok(); ++i) {
      QuestionView question;
      question.name = reader_.name();
      question.type = static_cast<Type>(reader_.u16());
      question.klass = static_cast<Class>(reader_.u16());
      view_.questions_.push_back(question);
    }
  }

  void read_section(std::size_t section) {
    for (unsigned i = 0; i < counts_[section + 1] && reader_.ok(); ++i) read_record(section);
    view_.ends_[section] = view_.records_.size();
  }

  void read_record(std::size_t section) {
    const std::size_t start = reader_.offset();
    RecordView record;
    record.owner = reader_.name();
    record.type = static_cast<Type>(reader_.u16());
    const std::uint16_t klass = reader_.u16();
    const std::uint32_t ttl = reader_.u32();
    record.length_ = reader_.u16();
    record.klass = static_cast<Class>(klass);
    record.ttl = (ttl & 0x80000000u) != 0 ? 0 : ttl;  // RFC 2181 8
    record.message_ = view_.octets_;
    record.offset_ = static_cast<std::uint16_t>(reader_.offset());
    if (!reader_.ok()) return;
    if (record.type == Type::opt) {
      if (section != 2 || view_.edns_ || !record.owner.is_root()) {
        return reader_.set_fault(WireFault::bad_opt, start);
      }
      read_opt(klass, ttl, record.length_);
    } else if (record.length_ != 0 || !may_be_empty(record.klass)) {
      check_rdata(reader_, record.type, record.length_);
    }
    if (reader_.ok()) view_.records_.push_back(record);
  }

  void read_opt(std::uint16_t udp_octets, std::uint32_t ttl, std::size_t length) {
    Edns edns;
    edns.udp_octets = udp_octets;
    view_.rcode_high_ = static_cast<std::uint8_t>(ttl >> 24);
    edns.version = static_cast<std::uint8_t>(ttl >> 16);
    edns.dnssec_ok = (ttl & 0x8000u) != 0;
    const std::size_t end = reader_.narrow(length);
    while (reader_.ok() && !reader_.at_end()) {
      if (edns.options.size() == max_edns_options) {
        reader_.set_fault(WireFault::too_many_options);
        break;
      }
      EdnsOption option;
      option.code = reader_.u16();
      const std::uint16_t option_length = reader_.u16();
      option.octets = reader_.octets(option_length);
      edns.options.push_back(option);
    }
    reader_.widen(end);
    view_.edns_ = std::move(edns);
  }

  Reader reader_;
  MessageView view_;
  std::uint16_t counts_[4] = {0, 0, 0, 0};
};

Result<MessageView, WireError> MessageView::parse(std::string_view octets) {
  return MessageParser(octets).parse();
}

Rcode MessageView::rcode() const {
  return static_cast<Rcode>(rcode_high_ << 4 | static_cast<unsigned>(header_.rcode));
}

std::span<const RecordView> MessageView::section(std::size_t which) const {
  const std::size_t begin = which == 0 ? 0 : ends_[which - 1];
  return std::span(records_).subspan(begin, ends_[which] - begin);
}

Rdata RecordView::data() const {
  if (length_ == 0 && may_be_empty(klass)) return Opaque{type, {}};
  Reader reader(message_, offset_);
  return read_rdata(reader, type, length_);
}

}  // namespace posthorn::dns
