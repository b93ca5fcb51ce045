#include "agents/nslook/place.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::nslook {

bool Place::has_address() const {
  return at.kind == async::Endpoint::Kind::unix_socket || is_address(at.host);
}

std::string Place::address_text() const {
  if (at.kind == async::Endpoint::Kind::unix_socket) return "unix:" + at.path;
  return fmt::format("{}#{}", at.host, at.port);
}

Result<Place, std::string> parse_place(std::string_view text, std::uint16_t default_port) {
  auto server = dns::parse_server_address(text, dns::Hosts::names, default_port);
  if (!server) return fail(server.error());
  const bool is_path = server->kind == async::Endpoint::Kind::unix_socket;
  std::string name = is_path ? std::string(text) : server->host;
  return Place(std::move(name), std::move(*server));
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
