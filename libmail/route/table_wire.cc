#include "libmail/route/table_wire.h"

#include <fmt/format.h>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"

namespace posthorn::route {

namespace {

TableAnswer broken(std::string_view what) {
  return fail(TableError("the server " + std::string(what)));
}
TableAnswer found(std::string value) {
  return std::optional<std::string>(std::move(value));
}
TableAnswer not_found() {
  return std::optional<std::string>();
}

TableAnswer read_socketmap(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  const std::string_view rest =
      word.size() < text.size() ? text.substr(word.size() + 1) : std::string_view();
  if (word == "OK") return found(std::string(rest));
  if (word == "NOTFOUND") return not_found();
  if (word == "TEMP" || word == "TIMEOUT" || word == "PERM") {
    return broken(fmt::format("says {} {}", word, printable(rest, 200)));
  }
  return broken("answers in no known way: " + printable(text, 80));
}

bool stands_plain(char c) {
  return is_graph(c) && c != '%';
}

}  // namespace

std::string format_socketmap_request(std::string_view map, std::string_view key) {
  return fmt::format("{}:{} {},", map.size() + 1 + key.size(), map, key);
}

std::optional<TableAnswer> take_socketmap_reply(std::string_view& octets) {
  const std::size_t colon = octets.substr(0, 8).find(':');
  if (colon == std::string_view::npos) {
    if (octets.size() >= 8) return broken("sends no netstring");
    return std::nullopt;
  }
  const auto length = parse_number<std::size_t>(octets.substr(0, colon));
  if (!length || *length > max_socketmap_reply)
    return broken("sends no netstring, or one that is too long");
  if (octets.size() < colon + 1 + *length + 1) return std::nullopt;
  const std::string_view text = octets.substr(colon + 1, *length);
  if (octets[colon + 1 + *length] != ',') return broken("sends a netstring without its comma");
  octets.remove_prefix(colon + 1 + *length + 1);
  return read_socketmap(text);
}

std::string format_tcp_request(std::string_view key) {
  std::string out = "get ";
  for (const char c : key) {
    if (stands_plain(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + "\n";
}

std::optional<TableAnswer> take_tcp_reply(std::string_view& octets) {
  const std::size_t newline = octets.find('\n');
  if (newline == std::string_view::npos || newline > max_tcp_reply) {
    if (octets.size() > max_tcp_reply) return broken("sends a line that is too long");
    return std::nullopt;
  }
  std::string_view line = octets.substr(0, newline);
  octets.remove_prefix(newline + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view code = line.substr(0, 3);
  const std::string_view rest = line.size() > 4 ? line.substr(4) : std::string_view();
  const bool shaped = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
  if (shaped && code == "500") return not_found();
  const auto value = percent_decode(rest);
  if (!shaped || !value) return broken("answers in no known way: " + printable(line, 80));
  if (code == "200") return found(*value);
  if (code == "400") return broken("says " + printable(*value, 200));
  return broken("answers in no known way: " + printable(line, 80));
}

}  // namespace posthorn::route
