// Addresses that mean something special: not to be asked, not to be believed (RFC 6890). Pure.
#pragma once

#include <span>
#include <string>

#include "libdns/wire/record.h"

namespace posthorn::dns {

// May a server on the Internet have it? Not: this host and this network, loopback, multicast and
// what is reserved above, unspecified, v4 inside of v6.
[[nodiscard]] bool is_askable(const A& address);
[[nodiscard]] bool is_askable(const Aaaa& address);

// Somebody's inner network, or this host: what a stranger's name must not lead a browser or an
// agent to (rebinding).
[[nodiscard]] bool is_private(const A& address);
[[nodiscard]] bool is_private(const Aaaa& address);

}  // namespace posthorn::dns
