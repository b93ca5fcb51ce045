// UTF-8 octet by octet (RFC 3629): made, taken apart, mended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::message {

// What stands for octets that are no character: U+FFFD.
inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

// Appends one code point (no surrogate, at most U+10FFFF).
void append_utf8(std::string& out, char32_t c);
// Takes one code point off the front of well-formed UTF-8 that is not empty.
[[nodiscard]] char32_t take_code_point(std::string_view& text);

// C0, DEL and C1: what steers a terminal.
[[nodiscard]] constexpr bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

struct Utf8Scan {
  std::size_t good = 0;  // octets of well-formed UTF-8 at the front
  std::size_t bad =
      0;             // octets behind them that one U+FFFD stands for; 0 if there is nothing wrong
  bool cut = false;  // what is bad is the beginning of a character, and the text ends there
};
[[nodiscard]] Utf8Scan scan_utf8(std::string_view text);

// U+FFFD for every ill-formed sequence, one for each longest beginning of a character (Unicode 3.9).
[[nodiscard]] std::string repair_utf8(std::string_view text, std::uint64_t* replaced = nullptr);
// Octets of ASCII at the front.
[[nodiscard]] std::size_t ascii_prefix(std::string_view text);
// Code points of well-formed UTF-8.
[[nodiscard]] std::size_t count_code_points(std::string_view text);

}  // namespace posthorn::message
