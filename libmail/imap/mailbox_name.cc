#include "libmail/imap/mailbox_name.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

constexpr std::size_t longest_level = 255;  // a file name
constexpr std::size_t longest_name = 1000;
// RFC 2045's alphabet with "," for "/".
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

int value_of(char c) {
  const std::size_t at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool is_direct(char c) {
  return c >= 0x20 && c <= 0x7e;
}

// The code point at `at`, which moves on. The text is well-formed.
char32_t next_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  char32_t point = lead & (0x3fU >> more);
  for (int i = 0; i < more; ++i)
    point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fU);
  return point;
}

void append_utf8(char32_t point, std::string& out) {
  std::array<utf8proc_uint8_t, 4> octets{};
  const utf8proc_ssize_t count =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(point), octets.data());
  out.append(reinterpret_cast<const char*>(octets.data()), static_cast<std::size_t>(count));
}

void append_shifted(std::u16string_view units, std::string& out) {
  out += '&';
  std::uint32_t bits = 0;
  int count = 0;
  for (const char16_t unit : units) {
    bits = bits << 16 | unit;
    count += 16;
    while (count >= 6) {
      count -= 6;
      out += alphabet[bits >> count & 63U];
    }
    bits &= (1U << count) - 1;
  }
  if (count > 0) out += alphabet[bits << (6 - count) & 63U];
  out += '-';
}

// The UTF-16 of a shifted run; nothing if bits are left over or a character is none of the alphabet.
std::optional<std::u16string> unshift(std::string_view run) {
  std::u16string units;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : run) {
    const int value = value_of(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 16) {
      count -= 16;
      units += static_cast<char16_t>(bits >> count & 0xffffU);
      bits &= (1U << count) - 1;
    }
  }
  if (count >= 6 || bits != 0 || units.empty()) return std::nullopt;
  return units;
}

// False for unpaired surrogates and for ASCII.
bool append_units(std::u16string_view units, std::string& out) {
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t point = units[i];
    if (point >= 0xd800 && point < 0xe000) {
      const bool pair = point < 0xdc00 && i + 1 < units.size() && (units[i + 1] & 0xfc00) == 0xdc00;
      if (!pair) return false;
      point = 0x10000 + ((point & 0x3ff) << 10) + (units[++i] & 0x3ff);
    }
    if (point <= 0x7f) return false;  // graphic: it need not have been; a control names nothing
    append_utf8(point, out);
  }
  return true;
}

std::string normalised(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  utf8proc_uint8_t* made = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &made, options);
  if (size < 0) return std::string(text);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(made, &std::free);
  return std::string(reinterpret_cast<const char*>(made), static_cast<std::size_t>(size));
}

void fold_inbox(std::string& name, char separator) {
  const std::size_t end = separator == '\0' ? std::string::npos : name.find(separator);
  if (is_inbox(std::string_view(name).substr(0, end))) name.replace(0, 5, "INBOX");
}

bool has_control(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const char32_t point = next_point(name, at);
    if (point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029)
      return true;
  }
  return false;
}

}  // namespace

std::string_view text_of(NameError error) {
  switch (error) {
    case NameError::not_utf7:
      return "the mailbox name is not valid modified UTF-7";
    case NameError::not_utf8:
      return "the mailbox name is not valid UTF-8";
    case NameError::control:
      return "the mailbox name has control characters";
    case NameError::empty:
      return "the mailbox name, or a level of it, is empty";
    case NameError::too_long:
      return "the mailbox name is too long";
    case NameError::wildcard:
      return "the mailbox name has * or %";
  }
  return "";
}

std::string encode_utf7(std::string_view utf8) {
  std::string out;
  std::u16string units;
  for (std::size_t at = 0; at < utf8.size();) {
    const char c = utf8[at];
    if (is_direct(c)) {
      if (!units.empty()) append_shifted(units, out);
      units.clear();
      out += c;
      if (c == '&') out += '-';
      ++at;
      continue;
    }
    const char32_t point = next_point(utf8, at);
    if (point >= 0x10000) {
      units += static_cast<char16_t>(0xd7c0 + (point >> 10));
      units += static_cast<char16_t>(0xdc00 + (point & 0x3ff));
    } else {
      units += static_cast<char16_t>(point);
    }
  }
  if (!units.empty()) append_shifted(units, out);
  return out;
}

Result<std::string, NameError> decode_utf7(std::string_view wire) {
  std::string out;
  bool after_shift = false;  // a run ended just before: another one should have been part of it
  for (std::size_t at = 0; at < wire.size();) {
    const char c = wire[at++];
    if (!is_direct(c)) return fail(NameError::not_utf7);
    if (c != '&') {
      out += c;
      after_shift = false;
      continue;
    }
    const std::size_t end = wire.find('-', at);
    if (end == std::string_view::npos) return fail(NameError::not_utf7);
    if (end == at) {
      out += '&';
      after_shift = false;
    } else {
      const std::optional<std::u16string> units = unshift(wire.substr(at, end - at));
      if (after_shift || !units || !append_units(*units, out)) return fail(NameError::not_utf7);
      after_shift = true;
    }
    at = end + 1;
  }
  return out;
}

Result<std::string, NameError> name_from_wire(std::string_view wire, bool utf8, char separator) {
  std::string name;
  if (utf8) {
    if (!is_utf8(wire)) return fail(NameError::not_utf8);
    name = normalised(wire);
  } else {
    Result<std::string, NameError> decoded = decode_utf7(wire);
    if (!decoded) return decoded;
    name = std::move(*decoded);
  }
  fold_inbox(name, separator);
  return name;
}

std::string name_from_server(std::string_view wire, bool utf8) {
  if (!utf8) {
    Result<std::string, NameError> decoded = decode_utf7(wire);
    if (decoded) return *decoded;
  }
  std::string name(wire);
  if (!is_utf8(wire)) std::replace_if(name.begin(), name.end(), is_8bit, '?');
  return name;
}

std::string name_to_wire(std::string_view name, bool utf8) {
  return utf8 ? std::string(name) : encode_utf7(name);
}

Result<void, NameError> check_new_name(std::string_view name, char separator) {
  if (!is_utf8(name)) return fail(NameError::not_utf8);
  if (has_control(name)) return fail(NameError::control);
  if (name.find_first_of("*%") != std::string_view::npos) return fail(NameError::wildcard);
  if (name.size() > longest_name) return fail(NameError::too_long);
  const std::vector<std::string_view> levels =
      separator == '\0' ? std::vector<std::string_view>{name} : split(name, separator);
  for (const std::string_view level : levels) {
    if (level.empty()) return fail(NameError::empty);
    if (encode_utf7(level).size() > longest_level) return fail(NameError::too_long);
  }
  return {};
}

bool is_inbox(std::string_view name) {
  return iequals(name, "INBOX");
}

ListPattern::ListPattern(std::string_view pattern, char separator) : separator_(separator) {
  for (const char c : pattern) {
    const bool wild = c == '*' || c == '%';
    const char before = pattern_.empty() ? '\0' : pattern_.back();
    if (!wild || (before != '*' && before != '%')) {
      pattern_ += c;
    } else if (c == '*') {
      pattern_.back() = '*';
    }
  }
  // INBOX in any case (RFC 9051 6.3.9); names have it in upper case.
  const std::size_t end =
      pattern_.find_first_of(separator == '\0' ? "*%" : std::string("*%") + separator);
  if (is_inbox(std::string_view(pattern_).substr(0, end))) pattern_.replace(0, 5, "INBOX");
}

// Which places of the pattern `name` can have led to: place i means that i of its octets are used up.
std::vector<bool> ListPattern::run(std::string_view name) const {
  const auto is_wild = [](char p) { return p == '*' || p == '%'; };
  std::vector<bool> places(pattern_.size() + 1);
  // A wildcard may stand for nothing.
  const auto pass_wildcards = [&](std::vector<bool>& at) {
    for (std::size_t i = 0; i < pattern_.size(); ++i)
      if (at[i] && is_wild(pattern_[i])) at[i + 1] = true;
  };
  places[0] = true;
  pass_wildcards(places);
  for (const char c : name) {
    std::vector<bool> next(places.size());
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      if (!places[i]) continue;
      const char p = pattern_[i];
      if (p == '*' || (p == '%' && c != separator_)) next[i] = true;
      if (!is_wild(p) && p == c) next[i + 1] = true;
    }
    pass_wildcards(next);
    places = std::move(next);
  }
  return places;
}

bool ListPattern::matches(std::string_view name) const {
  return run(name).back();
}

bool ListPattern::may_match_below(std::string_view parent) const {
  std::string with(parent);
  with += separator_;
  const std::vector<bool> places = run(with);
  return std::find(places.begin(), places.end(), true) != places.end();
}

}  // namespace posthorn::imap
