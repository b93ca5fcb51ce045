#include "libmail/smtp/xtext.h"

#include <cstdint>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

constexpr std::string_view digits = "0123456789ABCDEF";
constexpr std::uint32_t greatest_code_point = 0x10FFFF;

// QCHAR of RFC 6533 section 3.
bool is_qchar(char c) {
  return is_graph(c) && c != '+' && c != '=' && c != '\\';
}

bool has_controls(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) return true;
  }
  return false;
}

void append_escape(std::string& into, std::uint32_t code_point) {
  std::string hex_digits;
  do {
    hex_digits.insert(hex_digits.begin(), digits[code_point & 15]);
    code_point >>= 4;
  } while (code_point != 0);
  if (hex_digits.size() == 1) hex_digits.insert(hex_digits.begin(), '0');
  into.append("\\x{").append(hex_digits).append("}");
}

void append_utf8(std::string& into, std::uint32_t c) {
  const auto tail = [&into](std::uint32_t bits) {
    into.push_back(static_cast<char>(0x80 | (bits & 0x3F)));
  };
  if (c < 0x80) {
    into.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    into.push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(c);
  } else if (c < 0x10000) {
    into.push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(c >> 6);
    tail(c);
  } else {
    into.push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(c >> 12);
    tail(c >> 6);
    tail(c);
  }
}

// The code point at the front of well-formed UTF-8.
std::uint32_t take_code_point(std::string_view& utf8) {
  const auto first = static_cast<unsigned char>(utf8.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  std::uint32_t value = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    value = (value << 6) | (static_cast<unsigned char>(utf8[i]) & 0x3FU);
  }
  utf8.remove_prefix(length);
  return value;
}

}  // namespace

std::string encode_xtext(std::string_view octets) {
  std::string text;
  text.reserve(octets.size());
  for (const char c : octets) {
    if (is_graph(c) && c != '+' && c != '=') {
      text.push_back(c);
    } else {
      text.push_back('+');
      text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
      text.push_back(digits[static_cast<unsigned char>(c) & 15]);
    }
  }
  return text;
}

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string octets;
  octets.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '+') {
      if (!is_graph(text[i]) || text[i] == '=') return std::nullopt;
      octets.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    // RFC 3461 says upper case; senders that write +2b mean the same.
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    octets.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return octets;
}

std::optional<std::string> decode_xtext_text(std::string_view text) {
  auto octets = decode_xtext(text);
  if (octets && has_controls(*octets)) return std::nullopt;
  return octets;
}

std::string encode_utf8_addr(std::string_view utf8, bool ascii_only) {
  std::string text;
  while (!utf8.empty()) {
    const std::string_view before = utf8;
    const std::uint32_t c = take_code_point(utf8);
    const std::string_view octets = before.substr(0, before.size() - utf8.size());
    const bool plain = c < 0x80 ? is_qchar(octets.front()) : !ascii_only;
    if (plain) {
      text.append(octets);
    } else {
      append_escape(text, c);
    }
  }
  return text;
}

std::optional<std::string> decode_utf8_addr(std::string_view text) {
  std::string utf8;
  while (!text.empty()) {
    if (text.front() != '\\') {
      if (!is_qchar(text.front()) && !is_8bit(text.front())) return std::nullopt;
      utf8.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = text.find('}');
    if (text.substr(0, 3) != "\\x{" || end == std::string_view::npos) return std::nullopt;
    const auto code = parse_number<std::uint32_t>(text.substr(3, end - 3), 16);
    if (!code || *code < 32 || *code == 127 || *code > greatest_code_point) return std::nullopt;
    append_utf8(utf8, *code);
    text.remove_prefix(end + 1);
  }
  // Surrogates written as escapes are ill-formed here.
  if (!is_utf8(utf8)) return std::nullopt;
  return utf8;
}

}  // namespace posthorn::smtp
