#include "libdns/wire/encoding.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>

#include "libdns/wire/presentation.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

// Of either case below 32, or -1.
int digit(char c) {
  if (is_digit(c)) return c - '0';
  const char low = to_lower(c);
  return low >= 'a' && low <= 'v' ? low - 'a' + 10 : -1;
}

// YYYYMMDDHHMMSS as numbers; nothing if one of them is out of its range.
std::optional<std::int64_t> calendar_seconds(std::string_view text) {
  using namespace std::chrono;
  const auto part = [text](std::size_t at, std::size_t length) {
    return parse_number<int>(text.substr(at, length)).value_or(-1);
  };
  const year_month_day date(year(part(0, 4)), month(static_cast<unsigned>(part(4, 2))),
                            day(static_cast<unsigned>(part(6, 2))));
  const int hour = part(8, 2);
  const int minute = part(10, 2);
  const int second = part(12, 2);
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  if (second < 0 || second > 60 || part(0, 4) < 1970) return std::nullopt;
  const auto day_begin = sys_days(date).time_since_epoch();
  return duration_cast<seconds>(day_begin).count() + hour * 3600 + minute * 60 + second;
}

}  // namespace

std::optional<std::string> decode_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || high > 15 || low < 0 || low > 15) return std::nullopt;
    octets.push_back(static_cast<char>(high << 4 | low));
  }
  return octets;
}

std::string encode_base32hex(std::string_view octets) {
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuv";
  std::string text;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : octets) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xfff;
    for (held += 8; held >= 5; held -= 5) text += digits[bits >> (held - 5) & 31];
  }
  if (held != 0) text += digits[bits << (5 - held) & 31];
  return text;
}

std::optional<std::string> decode_base32hex(std::string_view text) {
  std::string octets;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int value = digit(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 5 | static_cast<unsigned>(value)) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    octets.push_back(static_cast<char>(bits >> held));
  }
  if (held >= 5 || (bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return octets;
}

std::string in_quotes(std::string_view octets) {
  std::string text = "\"";
  for (const char c : octets) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c == ' ' || is_graph(c)) {
      text += c;
    } else {
      text += fmt::format("\\{:03}", static_cast<unsigned char>(c));
    }
  }
  text += '"';
  return text;
}

std::optional<std::uint32_t> parse_time(std::string_view text) {
  if (text.size() != 14) return parse_number<std::uint32_t>(text);
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const auto seconds = calendar_seconds(text);
  if (!seconds) return std::nullopt;
  // A time behind 2106 is told by its place in the round of 2^32 seconds (RFC 4034 3.1.5).
  return static_cast<std::uint32_t>(*seconds);
}

std::string time_text(std::uint32_t seconds) {
  using namespace std::chrono;
  const year_month_day date(sys_days(days(seconds / 86400)));
  const std::uint32_t rest = seconds % 86400;
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     rest / 3600, rest / 60 % 60, rest % 60);
}

}  // namespace posthorn::dns
