// A message as it lies in memory (RFC 1035 4, RFC 6891): checked once from end to end, then looked
// at in place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/record.h"

namespace posthorn::dns {

inline constexpr std::size_t header_octets = 12;
inline constexpr std::size_t max_message_octets = 65535;
inline constexpr std::size_t max_edns_options = 100;
// What we tell others to send at most by UDP, and send at most: never a fragment (DNS flag day
// 2020).
inline constexpr std::uint16_t edns_udp_octets = 1232;

enum class Opcode : std::uint8_t { query = 0, status = 2, notify = 4, update = 5 };

struct Header {
  std::uint16_t id = 0;
  bool response = false;  // QR
  Opcode opcode = Opcode::query;
  bool authoritative = false;        // AA
  bool truncated = false;            // TC
  bool recursion_desired = false;    // RD
  bool recursion_available = false;  // RA
  bool authentic_data = false;       // AD, RFC 4035 3.2.3
  bool checking_disabled = false;    // CD
  Rcode rcode = Rcode::noerror;  // the four bits of the header; MessageView::rcode() has all twelve
  bool operator==(const Header&) const = default;
};

struct Question {
  Name name;
  Type type = Type::a;
  Class klass = Class::in;
  Question() = default;
  Question(Name n, Type t, Class c = Class::in) : name(std::move(n)), type(t), klass(c) {}
  bool operator==(const Question&) const = default;
};

struct QuestionView {
  NameView name;
  Type type = Type::a;
  Class klass = Class::in;
  [[nodiscard]] Question question() const { return Question(name.name(), type, klass); }
};

// One record where it lies. data() reads it, which cannot fail any more.
class RecordView {
 public:
  NameView owner;
  Type type = Type::a;
  Class klass = Class::in;
  std::uint32_t ttl = 0;

  [[nodiscard]] Rdata data() const;
  [[nodiscard]] Record record() const { return Record(owner.name(), ttl, data(), klass); }
  // The octets as they came, names still compressed.
  [[nodiscard]] std::string_view rdata() const { return message_.substr(offset_, length_); }
  [[nodiscard]] std::size_t rdata_offset() const { return offset_; }

 private:
  friend class MessageParser;
  std::string_view message_;
  std::uint16_t offset_ = 0;
  std::uint16_t length_ = 0;
};

// Extended DNS Error (RFC 8914): why the answer is what it is. Text is a stranger's: print it
// escaped.
struct ExtendedError {
  std::uint16_t code = 0;
  std::string explanation;
  ExtendedError() = default;
  ExtendedError(std::uint16_t c, std::string e) : code(c), explanation(std::move(e)) {}
  // "DNSSEC Bogus (6): no signature" by the registry's name of the code.
  [[nodiscard]] std::string describe() const;
  bool operator==(const ExtendedError&) const = default;
};

struct EdnsOption {
  std::uint16_t code = 0;
  std::string_view octets;  // into the message
};
inline constexpr std::uint16_t edns_extended_error = 15;

// The OPT record (RFC 6891 6.1.2) taken apart.
struct Edns {
  std::uint16_t udp_octets = 512;  // what the sender can take
  std::uint8_t version = 0;        // other than 0: answer BADVERS
  bool dnssec_ok = false;          // DO, RFC 3225
  std::vector<EdnsOption> options;
  [[nodiscard]] std::optional<ExtendedError> extended_error() const;
};

// Views into `octets`, which must outlive it. Copies are cheap enough to pass on, not to make in a
// loop.
class MessageView {
 public:
  // Checks everything: counts against octets before any memory is taken, every name, every RDATA of
  // a known type against its length, OPT's place and number, nothing behind the last record. Linear
  // in octets.size().
  [[nodiscard]] static Result<MessageView, WireError> parse(std::string_view octets);

  [[nodiscard]] const Header& header() const { return header_; }
  // Header bits and, with EDNS, the eight above them.
  [[nodiscard]] Rcode rcode() const;
  [[nodiscard]] std::span<const QuestionView> questions() const { return questions_; }
  [[nodiscard]] std::span<const RecordView> answer() const { return section(0); }
  [[nodiscard]] std::span<const RecordView> authority() const { return section(1); }
  // OPT included.
  [[nodiscard]] std::span<const RecordView> additional() const { return section(2); }
  [[nodiscard]] const std::optional<Edns>& edns() const { return edns_; }
  [[nodiscard]] std::string_view octets() const { return octets_; }

 private:
  friend class MessageParser;
  [[nodiscard]] std::span<const RecordView> section(std::size_t which) const;
  std::string_view octets_;
  Header header_;
  std::vector<QuestionView> questions_;
  std::vector<RecordView> records_;  // answer, authority, additional
  std::size_t ends_[3] = {0, 0, 0};
  std::optional<Edns> edns_;
  std::uint8_t rcode_high_ = 0;
};

}  // namespace posthorn::dns
