// Name servers as people write them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/async/endpoint.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

inline constexpr std::uint16_t dns_port = 53;

// A literal address of IPv4 or IPv6.
[[nodiscard]] bool is_address(std::string_view text);

// Is a host's name a server? Who serves names can't begin by asking for one.
enum class Hosts : bool { addresses, names };

// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "unix:PATH"; "inet:" before and
// "#" for the port's ":" are taken, too. The error says what is wrong and what is expected.
[[nodiscard]] Result<async::Endpoint, std::string> parse_server_address(
    std::string_view text, Hosts hosts = Hosts::addresses, std::uint16_t default_port = dns_port);

}  // namespace posthorn::dns
