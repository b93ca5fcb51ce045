#include "libmail/message/characters.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace posthorn::message {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array<Range, 16> invisible = {{
    {0x00ad, 0x00ad},    // soft hyphen
    {0x034f, 0x034f},    // combining grapheme joiner
    {0x061c, 0x061c},    // Arabic letter mark
    {0x115f, 0x1160},    // Hangul fillers
    {0x17b4, 0x17b5},    // Khmer inherent vowels
    {0x180b, 0x180e},    // Mongolian selectors and vowel separator
    {0x200b, 0x200f},    // zero width space, joiners, marks of direction
    {0x2028, 0x202e},    // separators; embeddings and overrides
    {0x2060, 0x206f},    // word joiner, invisible operators, isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xfe00, 0xfe0e},    // variation selectors; the one that makes emoji is left out
    {0xfeff, 0xfeff},    // byte order mark
    {0xffa0, 0xffa0},    // Hangul filler, half width
    {0xfff9, 0xfffb},    // interlinear annotations
    {0x1d173, 0x1d17a},  // musical beams and slurs
    {0xe0000, 0xe0fff},  // tags and selectors
}};

constexpr std::array<Range, 5> right_to_left = {{
    {0x0590, 0x08ff},
    {0xfb1d, 0xfdff},
    {0xfe70, 0xfefe},
    {0x10800, 0x10fff},
    {0x1e800, 0x1efff},
}};

constexpr std::array<Range, 6> odd_spaces = {{
    {0x00a0, 0x00a0},
    {0x1680, 0x1680},
    {0x2000, 0x200a},
    {0x202f, 0x202f},
    {0x205f, 0x205f},
    {0x3000, 0x3000},
}};

struct ScriptRange {
  char32_t first;
  char32_t last;
  Script script;
};

constexpr std::array<ScriptRange, 46> scripts = {{
    {0x0041, 0x005a, Script::latin},    {0x0061, 0x007a, Script::latin},
    {0x00aa, 0x00aa, Script::latin},    {0x00ba, 0x00ba, Script::latin},
    {0x00c0, 0x00d6, Script::latin},    {0x00d8, 0x00f6, Script::latin},
    {0x00f8, 0x02b8, Script::latin},    {0x0370, 0x0373, Script::greek},
    {0x0376, 0x037d, Script::greek},    {0x037f, 0x037f, Script::greek},
    {0x0386, 0x0386, Script::greek},    {0x0388, 0x03e1, Script::greek},
    {0x03f0, 0x03ff, Script::greek},    {0x0400, 0x0484, Script::cyrillic},
    {0x0487, 0x052f, Script::cyrillic}, {0x0531, 0x058a, Script::armenian},
    {0x05d0, 0x05f2, Script::hebrew},   {0x0620, 0x064a, Script::arabic},
    {0x066e, 0x06d5, Script::arabic},   {0x06ee, 0x06ff, Script::arabic},
    {0x0750, 0x077f, Script::arabic},   {0x0900, 0x0dff, Script::indic},
    {0x0e01, 0x0eff, Script::thai_lao}, {0x10a0, 0x10ff, Script::georgian},
    {0x1100, 0x11ff, Script::hangul},   {0x13a0, 0x13fd, Script::cherokee},
    {0x1c80, 0x1c8f, Script::cyrillic}, {0x1c90, 0x1cbf, Script::georgian},
    {0x1d00, 0x1d25, Script::latin},    {0x1d26, 0x1d2a, Script::greek},
    {0x1d2b, 0x1d2b, Script::cyrillic}, {0x1e00, 0x1eff, Script::latin},
    {0x1f00, 0x1ffe, Script::greek},    {0x2c60, 0x2c7f, Script::latin},
    {0x2de0, 0x2dff, Script::cyrillic}, {0x3005, 0x3007, Script::han},
    {0x3041, 0x30ff, Script::kana},     {0x3131, 0x318e, Script::hangul},
    {0x31f0, 0x31ff, Script::kana},     {0x3400, 0x9fff, Script::han},
    {0xa640, 0xa69f, Script::cyrillic}, {0xab70, 0xabbf, Script::cherokee},
    {0xac00, 0xd7ff, Script::hangul},   {0xf900, 0xfaff, Script::han},
    {0xff66, 0xff9f, Script::kana},     {0x20000, 0x323af, Script::han},
}};

template <std::size_t size>
bool within(const std::array<Range, size>& ranges, char32_t c) {
  return std::ranges::any_of(ranges, [c](const Range& r) { return c >= r.first && c <= r.last; });
}

}  // namespace

bool is_invisible(char32_t c) {
  return within(invisible, c);
}

bool is_right_to_left(char32_t c) {
  return within(right_to_left, c);
}

bool is_odd_space(char32_t c) {
  return within(odd_spaces, c);
}

Script script_of(char32_t c) {
  const auto* behind = std::ranges::upper_bound(scripts, c, {}, &ScriptRange::first);
  if (behind == scripts.begin()) return Script::common;
  const ScriptRange& range = *std::prev(behind);
  return c <= range.last ? range.script : Script::common;
}

}  // namespace posthorn::message
