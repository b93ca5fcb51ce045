#include "agents/nslook/place.h"

#include <fmt/format.h>

#include "libdns/wire/address.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

bool is_address(std::string_view text) {
  return dns::parse_a(text) || dns::parse_aaaa(text);
}

bool Place::has_address() const {
  return at.kind == async::Endpoint::Kind::unix_socket || is_address(at.host);
}

std::string Place::address_text() const {
  if (at.kind == async::Endpoint::Kind::unix_socket) return "unix:" + at.path;
  return fmt::format("{}#{}", at.host, at.port);
}

namespace {

// Host and port of "[::1]:53", "::1", "host:53", "host#53"; the port is "" if there is none.
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};

HostPort split_host(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {text, "", false};
    const std::string_view rest = text.substr(end + 1);
    if (rest.empty()) return {text.substr(1, end - 1), "", false};
    return {text.substr(1, end - 1), rest.substr(1), rest.front() == ':' || rest.front() == '#'};
  }
  if (is_address(text)) return {text, "", false};
  const auto at = text.find_last_of(":#");
  if (at == std::string_view::npos) return {text, "", false};
  return {text.substr(0, at), text.substr(at + 1), true};
}

}  // namespace

Result<Place, std::string> parse_place(std::string_view text, std::uint16_t default_port) {
  const std::string shown = printable(text);
  if (text.starts_with("unix:")) {
    if (text.size() == 5) return fail(std::string("\"unix:\" lacks the path of the socket"));
    return Place(std::string(text), async::Endpoint::unix_path(std::string(text.substr(5))));
  }
  if (text.starts_with("inet:")) text.remove_prefix(5);
  const HostPort parts = split_host(text);
  if (parts.host.empty() || parts.host.find_first_of("[] /") != std::string_view::npos) {
    return fail("\"" + shown + "\" is no server: write HOST, HOST:PORT, [IPV6]:PORT or unix:PATH");
  }
  std::uint16_t port = default_port;
  if (parts.has_port) {
    const auto number = parse_number<std::uint16_t>(parts.port);
    if (!number || *number == 0) {
      return fail("\"" + printable(parts.port) + "\" is no port: a number from 1 to 65535");
    }
    port = *number;
  }
  const std::string host(parts.host);
  return Place(host, async::Endpoint::inet(host, port));
}

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for (const std::string_view line : split(text, '\n')) {
    const auto parts = words(trim(line));
    if (parts.size() < 2) continue;
    if (parts[0] == "nameserver" && is_address(parts[1])) {
      const std::string host(parts[1]);
      conf.servers.emplace_back(host, async::Endpoint::inet(host, dns_port));
    } else if (parts[0] == "search" || parts[0] == "domain") {
      conf.search.assign(parts.begin() + 1, parts.end());
    } else if (parts[0] == "options") {
      for (const std::string_view option : parts) {
        if (!option.starts_with("ndots:")) continue;
        conf.ndots = std::min(parse_number<unsigned>(option.substr(6)).value_or(1), 15U);
      }
    }
  }
  return conf;
}

}  // namespace posthorn::nslook
