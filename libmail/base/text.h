// Small things done to octets that are mostly ASCII. Nothing here depends on the locale.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return (c | 32) >= 'a' && (c | 32) <= 'z';
}
constexpr bool is_alnum(char c) {
  return is_digit(c) || is_alpha(c);
}
constexpr bool is_space(char c) {
  return c == ' ' || c == '\t';
}
// Printable ASCII, space not included.
constexpr bool is_graph(char c) {
  return c > 32 && c < 127;
}
constexpr bool is_8bit(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string upper(std::string_view text);
// Equal without regard to ASCII case.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);
[[nodiscard]] bool istarts_with(std::string_view text, std::string_view prefix);
// Hash and equality for maps whose keys ignore ASCII case.
struct IHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const;
};
struct IEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return iequals(a, b); }
};

// Without spaces, tabs, CR and LF at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
// "a,b,,c" -> a b "" c; an empty text gives one empty part.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
// Words between runs of spaces and tabs; no empty ones.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);
[[nodiscard]] bool is_ascii(std::string_view text);
// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
[[nodiscard]] bool is_utf8(std::string_view text);

// The whole text as a decimal number without sign or space; nothing if it is anything else or too
// large.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text, int base = 10) {
  if (text.empty() || text.front() == '-' || text.front() == '+') return std::nullopt;
  T value{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// "250k", "16M", "1G": a size in octets (powers of 1024); plain digits too.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

// Strangers' octets made safe for a log line, a reply or a terminal: controls, DEL and ill-formed
// UTF-8 become \xHH, at most `limit` octets of input are shown ("..." behind a cut).
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 512);

// Of `known`, the one closest to `word` by edit distance, if it is close enough to be a likely
// typing error.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& known);

[[nodiscard]] std::string hex(std::string_view octets);

}  // namespace posthorn
