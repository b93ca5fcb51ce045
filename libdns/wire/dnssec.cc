#include "libdns/wire/dnssec.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t window_octets = 32;

unsigned octet(std::string_view octets, std::size_t at) {
  return static_cast<unsigned char>(octets[at]);
}

struct Mnemonic {
  std::string_view name;
  std::uint8_t number;
};
constexpr Mnemonic algorithms[] = {
    {"DELETE", 0},           {"RSAMD5", 1},         {"DH", 2},           {"DSA", 3},
    {"RSASHA1", 5},          {"DSA-NSEC3-SHA1", 6}, {"NSEC3RSASHA1", 7}, {"RSASHA1-NSEC3-SHA1", 7},
    {"RSASHA256", 8},        {"RSASHA512", 10},     {"ECC-GOST", 12},    {"ECDSAP256SHA256", 13},
    {"ECDSAP384SHA384", 14}, {"ED25519", 15},       {"ED448", 16},       {"INDIRECT", 252},
    {"PRIVATEDNS", 253},     {"PRIVATEOID", 254}};

}  // namespace

TypeBitmap::TypeBitmap(std::vector<Type> types) {
  std::sort(types.begin(), types.end());
  for (std::size_t i = 0; i < types.size();) {
    const unsigned window = static_cast<unsigned>(types[i]) >> 8;
    std::string bits;
    for (; i < types.size() && static_cast<unsigned>(types[i]) >> 8 == window; ++i) {
      const unsigned low = static_cast<unsigned>(types[i]) & 0xff;
      bits.resize(low / 8 + 1, '\0');
      bits[low / 8] = static_cast<char>(octet(bits, low / 8) | 0x80u >> low % 8);
    }
    wire_.push_back(static_cast<char>(window));
    wire_.push_back(static_cast<char>(bits.size()));
    wire_ += bits;
  }
}

std::optional<TypeBitmap> TypeBitmap::from_wire(std::string_view octets) {
  int last = -1;
  for (std::size_t at = 0; at < octets.size();) {
    if (octets.size() - at < 3) return std::nullopt;
    const int window = static_cast<int>(octet(octets, at));
    const std::size_t length = octet(octets, at + 1);
    if (window <= last || length == 0 || length > window_octets) return std::nullopt;
    if (octets.size() - at - 2 < length || octet(octets, at + 1 + length) == 0) return std::nullopt;
    last = window;
    at += 2 + length;
  }
  TypeBitmap bitmap;
  bitmap.wire_ = octets;
  return bitmap;
}

bool TypeBitmap::contains(Type type) const {
  const unsigned window = static_cast<unsigned>(type) >> 8;
  const unsigned low = static_cast<unsigned>(type) & 0xff;
  for (std::size_t at = 0; at < wire_.size(); at += 2 + octet(wire_, at + 1)) {
    if (octet(wire_, at) != window) continue;
    return low / 8 < octet(wire_, at + 1) && (octet(wire_, at + 2 + low / 8) & 0x80u >> low % 8);
  }
  return false;
}

std::vector<Type> TypeBitmap::types() const {
  std::vector<Type> types;
  for (std::size_t at = 0; at < wire_.size(); at += 2 + octet(wire_, at + 1)) {
    for (unsigned bit = 0; bit < 8 * octet(wire_, at + 1); ++bit) {
      if ((octet(wire_, at + 2 + bit / 8) & 0x80u >> bit % 8) == 0) continue;
      types.push_back(static_cast<Type>(octet(wire_, at) << 8 | bit));
    }
  }
  return types;
}

std::string TypeBitmap::text() const {
  std::string text;
  for (const Type type : types()) {
    if (!text.empty()) text += ' ';
    text += to_string(type);
  }
  return text;
}

std::uint16_t key_tag(const Dnskey& key) {
  // Algorithm 1 takes the last but two octets of the modulus, which ends the key (appendix B.1).
  if (key.algorithm == 1) {
    if (key.key.size() < 3) return 0;
    return static_cast<std::uint16_t>(octet(key.key, key.key.size() - 3) << 8 |
                                      octet(key.key, key.key.size() - 2));
  }
  // The sum of all 16-bit words, flags, protocol and algorithm being the first two; the carry comes
  // back once.
  std::uint32_t sum = key.flags + (static_cast<std::uint32_t>(key.protocol) << 8) + key.algorithm;
  for (std::size_t i = 0; i < key.key.size(); ++i) {
    sum += i % 2 == 0 ? octet(key.key, i) << 8 : octet(key.key, i);
  }
  return static_cast<std::uint16_t>(sum + (sum >> 16));
}

std::optional<std::uint8_t> parse_algorithm(std::string_view text) {
  for (const Mnemonic& one : algorithms) {
    if (iequals(one.name, text)) return one.number;
  }
  return parse_number<std::uint8_t>(text);
}

}  // namespace posthorn::dns
