#include "libdns/resolver/server_address.h"

#include "libdns/wire/address.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};

// The host is "" if it is none.
HostPort split_host(std::string_view text) {
  if (is_address(text)) return {text, "", false};
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !parse_aaaa(text.substr(1, end - 1))) return {};
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return {text.substr(1, end - 1), "", false};
    if (rest.front() != ':' && rest.front() != '#') return {};
    return {text.substr(1, end - 1), rest.substr(1), true};
  }
  const auto at = text.find_first_of(":#");
  if (at == std::string_view::npos) return {text, "", false};
  return {text.substr(0, at), text.substr(at + 1), true};
}

}  // namespace

bool is_address(std::string_view text) {
  return parse_a(text) || parse_aaaa(text);
}

Result<async::Endpoint, std::string> parse_server_address(std::string_view text, Hosts hosts,
                                                          std::uint16_t default_port) {
  const std::string shown = printable(text);
  if (text.starts_with("unix:")) {
    if (text.size() == 5) return fail(std::string("\"unix:\" lacks the path of the socket"));
    return async::Endpoint::unix_path(std::string(text.substr(5)));
  }
  if (text.starts_with("inet:")) text.remove_prefix(5);
  const HostPort parts = split_host(text);
  const bool is_host =
      hosts == Hosts::names
          ? !parts.host.empty() && parts.host.find_first_of("[] /") == std::string_view::npos
          : is_address(parts.host);
  if (!is_host) {
    const std::string_view host = hosts == Hosts::names ? "HOST" : "ADDRESS";
    return fail("\"" + shown + "\" is no server: write " + std::string(host) + ", " +
                std::string(host) + ":PORT, [IPV6]:PORT or unix:PATH");
  }
  std::uint16_t port = default_port;
  if (parts.has_port) {
    const auto number = parse_number<std::uint16_t>(parts.port);
    if (!number || *number == 0) {
      return fail("\"" + printable(parts.port) + "\" is no port: a number from 1 to 65535");
    }
    port = *number;
  }
  return async::Endpoint::inet(std::string(parts.host), port);
}

}  // namespace posthorn::dns
