#include "libmail/message/utf8.h"

#include <algorithm>
#include <cstring>

namespace posthorn::message {

namespace {

unsigned char octet(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// How far a run of ASCII goes from `at`.
std::size_t skip_ascii(std::string_view text, std::size_t at) {
  constexpr std::uint64_t high_bits = 0x8080808080808080u;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & high_bits) != 0) break;
  }
  while (at < text.size() && octet(text, at) < 0x80) ++at;
  return at;
}

struct Range {
  unsigned char low;
  unsigned char high;
};

// What may follow the first octet: overlong forms, surrogates and code points above U+10FFFF show there.
Range second_octet(unsigned char first) {
  switch (first) {
    case 0xe0:
      return {0xa0, 0xbf};
    case 0xed:
      return {0x80, 0x9f};
    case 0xf0:
      return {0x90, 0xbf};
    case 0xf4:
      return {0x80, 0x8f};
    default:
      return {0x80, 0xbf};
  }
}

std::size_t length_by(unsigned char first) {
  if (first < 0xc2 || first > 0xf4) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

char32_t take_code_point(std::string_view& text) {
  const unsigned char first = octet(text, 0);
  const std::size_t length = std::min(first < 0x80 ? 1 : length_by(first), text.size());
  char32_t c = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) c = c << 6 | (octet(text, i) & 0x3fu);
  text.remove_prefix(length);
  return c;
}

Utf8Scan scan_utf8(std::string_view text) {
  Utf8Scan scan;
  while (true) {
    scan.good = skip_ascii(text, scan.good);
    if (scan.good == text.size()) return scan;
    const unsigned char first = octet(text, scan.good);
    const std::size_t length = length_by(first);
    scan.bad = 1;
    if (length == 1) return scan;
    while (scan.bad < length) {
      if (scan.good + scan.bad == text.size()) {
        scan.cut = true;
        return scan;
      }
      const Range range = scan.bad == 1 ? second_octet(first) : Range{0x80, 0xbf};
      const unsigned char next = octet(text, scan.good + scan.bad);
      if (next < range.low || next > range.high) return scan;
      ++scan.bad;
    }
    scan.bad = 0;
    scan.good += length;
  }
}

std::string repair_utf8(std::string_view text, std::uint64_t* replaced) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Scan scan = scan_utf8(text);
    out.append(text.substr(0, scan.good));
    if (scan.bad != 0) {
      out.append(replacement_character);
      if (replaced != nullptr) ++*replaced;
    }
    text.remove_prefix(scan.good + scan.bad);
  }
  return out;
}

std::size_t ascii_prefix(std::string_view text) {
  return skip_ascii(text, 0);
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace posthorn::message
