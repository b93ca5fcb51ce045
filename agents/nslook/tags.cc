#include "agents/nslook/tags.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::nslook {

Result<Tags, std::string> Tags::parse(std::string_view text) {
  Tags tags;
  const auto parts = split(text, ';');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string_view part = trim(parts[i]);
    if (part.empty() && i + 1 == parts.size()) break;
    const auto equals = part.find('=');
    const std::string name = lower(trim(part.substr(0, equals)));
    const bool is_name = !name.empty() && is_alpha(name.front()) &&
                         std::ranges::all_of(name, [](char c) { return is_alnum(c) || c == '_'; });
    if (equals == std::string_view::npos || !is_name) {
      return fail("\"" + printable(part, 60) + "\" isn't of the form TAG=VALUE");
    }
    if (tags.find(name)) return fail("the tag " + name + " stands twice");
    tags.all_.emplace_back(name, trim(part.substr(equals + 1)));
  }
  return tags;
}

std::optional<std::string> Tags::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(all_, [name](const auto& one) { return one.first == name; });
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

namespace {

// One element of DER: its content, and what stands behind it.
struct Element {
  char tag;
  std::string_view content;
  std::string_view rest;
};

std::optional<Element> read_element(std::string_view der) {
  if (der.size() < 2) return std::nullopt;
  std::size_t length = static_cast<unsigned char>(der[1]);
  std::size_t at = 2;
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 3 || der.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < octets; ++i) {
      length = length << 8 | static_cast<unsigned char>(der[2 + i]);
    }
    at += octets;
  }
  if (der.size() - at < length) return std::nullopt;
  return Element{der[0], der.substr(at, length), der.substr(at + length)};
}

constexpr char der_integer = 0x02;
constexpr char der_bit_string = 0x03;
constexpr char der_sequence = 0x30;

}  // namespace

std::optional<std::size_t> rsa_bits(std::string_view der) {
  const auto outer = read_element(der);
  if (!outer || outer->tag != der_sequence) return std::nullopt;
  auto first = read_element(outer->content);
  if (!first) return std::nullopt;
  if (first->tag == der_sequence) {  // the algorithm; the key is in the bit string behind it
    const auto bits = read_element(first->rest);
    if (!bits || bits->tag != der_bit_string || bits->content.empty()) return std::nullopt;
    return rsa_bits(bits->content.substr(1));
  }
  if (first->tag != der_integer) return std::nullopt;
  std::string_view modulus = first->content;
  while (!modulus.empty() && modulus.front() == '\0') modulus.remove_prefix(1);
  if (modulus.empty()) return std::nullopt;
  std::size_t bits = modulus.size() * 8;
  for (unsigned top = static_cast<unsigned char>(modulus.front()); top < 0x80; top <<= 1) --bits;
  return bits;
}

}  // namespace posthorn::nslook
