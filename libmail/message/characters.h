// What Unicode says of a character, as far as somebody could be deceived by it.
#pragma once

#include <cstdint>

namespace posthorn::message {

// Has no width or steers how others stand: bidirectional controls, joiners, tags, soft hyphens. U+200C and U+200D,
// which some languages need within words, count.
[[nodiscard]] bool is_invisible(char32_t c);
// Runs from right to left (Hebrew, Arabic, Syriac, ... by block).
[[nodiscard]] bool is_right_to_left(char32_t c);
// A space that isn't U+0020.
[[nodiscard]] bool is_odd_space(char32_t c);

enum class Script : std::uint8_t {
  common,  // digits, punctuation, marks, symbols, and what no table here knows
  latin,
  greek,
  cyrillic,
  armenian,
  hebrew,
  arabic,
  indic,  // Devanagari and its neighbours up to Sinhala: no one is taken for another
  thai_lao,
  georgian,
  hangul,
  cherokee,
  kana,
  han,
  other,
};
// By ranges of the Unicode character database, letters alone.
[[nodiscard]] Script script_of(char32_t c);

}  // namespace posthorn::message
