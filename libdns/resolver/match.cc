#include "libdns/resolver/match.h"

#include "libdns/wire/message.h"

namespace posthorn::dns {

namespace {

std::uint8_t octet(std::string_view message, std::size_t at) {
  return static_cast<std::uint8_t>(message[at]);
}

constexpr std::uint8_t qr_bit = 0x80;
constexpr std::uint8_t opcode_bits = 0x78;
constexpr std::uint8_t rcode_bits = 0x0f;

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Length octets are below 'A', so folding a whole name leaves them alone; type and class are not
// folded.
bool same_question(std::string_view a, std::string_view b, LetterCase letters) {
  if (a.size() != b.size()) return false;
  if (letters == LetterCase::exact) return a == b;
  const std::size_t name = a.size() - 4;
  for (std::size_t i = 0; i < name; ++i) {
    if (folded(a[i]) != folded(b[i])) return false;
  }
  return a.substr(name) == b.substr(name);
}

}  // namespace

std::uint16_t message_id(std::string_view message) {
  if (message.size() < 2) return 0;
  return static_cast<std::uint16_t>(octet(message, 0) << 8 | octet(message, 1));
}

void set_message_id(std::string& message, std::uint16_t id) {
  if (message.size() < 2) return;
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

std::string_view question_octets(std::string_view message) {
  if (message.size() < header_octets) return {};
  std::size_t at = header_octets;
  while (at < message.size() && octet(message, at) != 0) {
    if (octet(message, at) > max_label_octets) return {};
    at += 1 + octet(message, at);
  }
  const std::size_t end = at + 1 + 4;
  if (end > message.size() || at - header_octets >= max_name_octets) return {};
  return message.substr(header_octets, end - header_octets);
}

bool is_reply_to(std::string_view query, std::string_view reply, LetterCase letters) {
  if (query.size() < header_octets || reply.size() < header_octets) return false;
  if ((octet(reply, 2) & qr_bit) == 0 || message_id(query) != message_id(reply)) return false;
  if ((octet(query, 2) & opcode_bits) != (octet(reply, 2) & opcode_bits)) return false;
  const std::string_view count = reply.substr(4, 2);
  if (count == std::string_view("\0\0", 2)) {
    const auto rcode = static_cast<Rcode>(octet(reply, 3) & rcode_bits);
    return rcode == Rcode::formerr || rcode == Rcode::notimp;
  }
  if (count != std::string_view("\0\1", 2)) return false;
  const std::string_view asked = question_octets(query);
  return !asked.empty() && same_question(asked, question_octets(reply), letters);
}

}  // namespace posthorn::dns
