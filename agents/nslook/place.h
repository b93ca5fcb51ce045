// Where to ask: a server as somebody writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/resolver/server_address.h"

namespace posthorn::nslook {

using dns::dns_port;
using dns::is_address;

struct Place {
  std::string name;    // as it was given, for people
  async::Endpoint at;  // inet or Unix socket
  Place() = default;
  Place(std::string given, async::Endpoint endpoint)
      : name(std::move(given)), at(std::move(endpoint)) {}
  // False: the host is a name that has to be looked up before it can be asked.
  [[nodiscard]] bool has_address() const;
  // "192.0.2.1#53", "unix:/run/dnsd.sock"
  [[nodiscard]] std::string address_text() const;
  bool operator==(const Place&) const = default;
};

// As dns::parse_server_address(), names included.
[[nodiscard]] Result<Place, std::string> parse_place(std::string_view text,
                                                     std::uint16_t default_port = dns_port);

// resolv.conf(5): servers, the search list (the last of `search` and `domain` counts), ndots.
struct ResolvConf {
  std::vector<Place> servers;
  std::vector<std::string> search;
  unsigned ndots = 1;
};
[[nodiscard]] ResolvConf parse_resolv_conf(std::string_view text);

}  // namespace posthorn::nslook
