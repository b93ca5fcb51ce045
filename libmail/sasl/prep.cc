#include "libmail/sasl/prep.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "libmail/base/text.h"

namespace posthorn::sasl {
namespace {

using Rune = utf8proc_int32_t;
struct Range {
  Rune first, last;
};

// RFC 3454 C.1.2: spaces that become U+0020. U+200B is there and in B.1; the mapping to a space
// comes first.
constexpr std::array<Range, 6> spaces{{{0xa0, 0xa0},
                                       {0x1680, 0x1680},
                                       {0x2000, 0x200b},
                                       {0x202f, 0x202f},
                                       {0x205f, 0x205f},
                                       {0x3000, 0x3000}}};
// RFC 3454 B.1: commonly mapped to nothing.
constexpr std::array<Range, 8> nothings{{{0xad, 0xad},
                                         {0x34f, 0x34f},
                                         {0x1806, 0x1806},
                                         {0x180b, 0x180d},
                                         {0x200c, 0x200d},
                                         {0x2060, 0x2060},
                                         {0xfe00, 0xfe0f},
                                         {0xfeff, 0xfeff}}};
// RFC 3454 C.2.1, C.2.2, C.4 (first plane), C.6 to C.9; private use and surrogates are known by
// category.
constexpr std::array<Range, 22> prohibited{
    {{0x0, 0x1f},        {0x7f, 0x9f},        {0x340, 0x341},     {0x6dd, 0x6dd},
     {0x70f, 0x70f},     {0x1680, 0x1680},    {0x180e, 0x180e},   {0x2000, 0x200f},
     {0x2028, 0x202f},   {0x205f, 0x2063},    {0x206a, 0x206f},   {0x2ff0, 0x2ffb},
     {0x3000, 0x3000},   {0xa0, 0xa0},        {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
     {0xfff9, 0xfffd},   {0x1d173, 0x1d17a},  {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
     {0xf0000, 0xffffd}, {0x100000, 0x10fffd}}};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, Rune rune) {
  return std::any_of(ranges.begin(), ranges.end(), [rune](const Range& range) {
    return rune >= range.first && rune <= range.last;
  });
}

bool is_prohibited(Rune rune) {
  if (within(prohibited, rune)) return true;
  if ((rune & 0xfffe) == 0xfffe) return true;  // C.4: the last two of every plane
  return utf8proc_category(rune) == UTF8PROC_CATEGORY_CO;
}

// Calls `f(rune)` for each; false if the text is not UTF-8.
template <class F>
bool each_rune(std::string_view text, F f) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    Rune rune = -1;
    const utf8proc_ssize_t used = utf8proc_iterate(at, left, &rune);
    if (used <= 0) return false;
    f(rune);
    at += used;
    left -= used;
  }
  return true;
}

void append_rune(std::string& text, Rune rune) {
  std::array<utf8proc_uint8_t, 4> octets{};
  const utf8proc_ssize_t count = utf8proc_encode_char(rune, octets.data());
  text.append(reinterpret_cast<const char*>(octets.data()), static_cast<std::size_t>(count));
}

std::optional<std::string> nfkc(const std::string& text) {
  utf8proc_uint8_t* out = nullptr;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out, options);
  if (size < 0) return std::nullopt;
  std::string normal(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
  std::free(out);  // NOLINT(cppcoreguidelines-no-malloc): utf8proc's contract
  return normal;
}

// RFC 3454 section 6: text with a right-to-left letter has no left-to-right one, and begins and
// ends with one.
struct Direction {
  bool left = false, right = false, first_right = false, last_right = false, any = false;
  void see(Rune rune) {
    const auto bidi = utf8proc_get_property(rune)->bidi_class;
    last_right = bidi == UTF8PROC_BIDI_CLASS_R || bidi == UTF8PROC_BIDI_CLASS_AL;
    if (!any) first_right = last_right;
    any = true;
    right = right || last_right;
    left = left || bidi == UTF8PROC_BIDI_CLASS_L;
  }
  [[nodiscard]] bool is_good() const { return !right || (!left && first_right && last_right); }
};

}  // namespace

std::optional<std::string> sasl_prep(std::string_view text) {
  if (is_ascii(text)) {
    const bool clean =
        std::all_of(text.begin(), text.end(), [](char c) { return is_graph(c) || c == ' '; });
    if (!clean || text.empty()) return std::nullopt;
    return std::string(text);
  }
  std::string mapped;
  const bool is_text = each_rune(text, [&mapped](Rune rune) {
    if (within(spaces, rune)) {
      mapped.push_back(' ');
    } else if (!within(nothings, rune)) {
      append_rune(mapped, rune);
    }
  });
  if (!is_text) return std::nullopt;
  std::optional<std::string> normal = nfkc(mapped);
  if (!normal || normal->empty()) return std::nullopt;
  Direction direction;
  bool clean = true;
  const bool still_text = each_rune(*normal, [&](Rune rune) {
    clean = clean && !is_prohibited(rune);
    direction.see(rune);
  });
  if (!still_text || !clean || !direction.is_good()) return std::nullopt;
  return normal;
}

}  // namespace posthorn::sasl
