#include "libmail/pop3/reply.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::pop3 {

std::string format_reply(const Reply& reply) {
  std::string line = reply.ok ? "+OK" : "-ERR";
  if (!reply.code.empty()) line += " [" + reply.code + "]";
  if (!reply.text.empty()) line += " " + reply.text;
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return line + "\r\n";
}

std::optional<Reply> parse_reply(std::string_view line) {
  Reply reply;
  if (istarts_with(line, "+OK")) {
    reply.ok = true;
    line.remove_prefix(3);
  } else if (istarts_with(line, "-ERR")) {
    line.remove_prefix(4);
  } else {
    return std::nullopt;
  }
  if (!line.empty() && line.front() != ' ') return std::nullopt;
  line = trim(line);
  if (!line.empty() && line.front() == '[') {
    const std::size_t close = line.find(']');
    if (close != std::string_view::npos) {
      reply.code = upper(line.substr(1, close - 1));
      line = trim(line.substr(close + 1));
    }
  }
  reply.text = std::string(line);
  return reply;
}

}  // namespace posthorn::pop3
