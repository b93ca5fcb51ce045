#include "libmail/smtp/reply.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

constexpr std::size_t max_reply_line = 512;  // RFC 5321 4.5.3.1.5, CRLF included
constexpr std::size_t max_status_digits = 3;

char clean(char c) {
  return static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
}

// One to three digits at the front, moved over.
std::optional<std::uint16_t> take_digits(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == 0 || length > max_status_digits) return std::nullopt;
  const auto value = parse_number<std::uint16_t>(text.substr(0, length));
  text.remove_prefix(length);
  return value;
}

bool take_dot(std::string_view& text) {
  if (text.empty() || text.front() != '.') return false;
  text.remove_prefix(1);
  return true;
}

// "250-" or "250 " and the enhanced code, as every line of a reply begins.
std::string line_prefix(const Reply& reply) {
  std::string prefix = fmt::format("{:03} ", reply.code);
  if (!reply.status.none()) prefix.append(reply.status.text()).push_back(' ');
  return prefix;
}

// As many octets of `line` as fit, not cutting a UTF-8 sequence.
std::string_view fit(std::string_view line, std::size_t room) {
  if (line.size() <= room) return line;
  while (room > 0 && (static_cast<unsigned char>(line[room]) & 0xC0) == 0x80) --room;
  return line.substr(0, room);
}

}  // namespace

std::string EnhancedStatus::text() const {
  return fmt::format("{}.{}.{}", status_class, subject, detail);
}

std::optional<EnhancedStatus> take_enhanced_status(std::string_view& text) {
  std::string_view rest = text;
  if (rest.empty() || (rest.front() != '2' && rest.front() != '4' && rest.front() != '5')) {
    return std::nullopt;
  }
  const auto status_class = static_cast<std::uint8_t>(rest.front() - '0');
  rest.remove_prefix(1);
  if (!take_dot(rest)) return std::nullopt;
  const auto subject = take_digits(rest);
  if (!subject || !take_dot(rest)) return std::nullopt;
  const auto detail = take_digits(rest);
  if (!detail || (!rest.empty() && rest.front() != ' ')) return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  text = rest;
  return EnhancedStatus(status_class, *subject, *detail);
}

void append_reply(std::string& into, const Reply& reply) {
  std::string prefix = line_prefix(reply);
  std::string_view rest = reply.text;
  while (true) {
    const std::size_t end = rest.find('\n');
    const bool last = end == std::string_view::npos;
    prefix[3] = last ? ' ' : '-';
    into.append(prefix);
    const std::string_view line = fit(rest.substr(0, end), max_reply_line - prefix.size() - 2);
    std::transform(line.begin(), line.end(), std::back_inserter(into), clean);
    into.append("\r\n");
    if (last) return;
    rest.remove_prefix(end + 1);
  }
}

std::string format_reply(const Reply& reply) {
  std::string text;
  append_reply(text, reply);
  return text;
}

Reply with_text(const Reply& reply, std::string words) {
  return Reply(reply.code, reply.status, std::move(words));
}

}  // namespace posthorn::smtp
