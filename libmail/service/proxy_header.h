// The PROXY protocol without I/O: what a load balancer says of the client it has accepted for us, before the first
// octet of the client's (haproxy's proxy-protocol.txt, versions 1 and 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::service {

// A header with all its TLVs, which are looked over and passed by. The largest that haproxy writes, with a
// certificate's names in it, has less than a tenth of it.
inline constexpr std::size_t max_proxy_header = 8192;

struct ProxyHeader {
  // False: the connection is the proxy's own (LOCAL, a health check), or it doesn't say whose it is (UNKNOWN,
  // AF_UNSPEC, a Unix socket): the rest is empty, and the connection's own ends count.
  bool has_addresses = false;
  std::string source;  // "192.0.2.1", "2001:db8::1"
  std::uint16_t source_port = 0;
  std::string destination;  // where the client connected to
  std::uint16_t destination_port = 0;

  ProxyHeader() = default;
  bool operator==(const ProxyHeader&) const = default;
};

// The header at the beginning of `octets`, which is moved behind it. Nothing yet: nullopt, octets unmoved. An error
// says what is wrong as soon as it is seen; the connection is of no use then.
[[nodiscard]] std::optional<Result<ProxyHeader, std::string>> take_proxy_header(
    std::string_view& octets);

// Of a client that we speak for: without addresses if its own is "". Where the two are of different families the IPv4
// address becomes a mapped one ("::ffff:192.0.2.1"); a destination that is "" becomes the unspecified address.
[[nodiscard]] ProxyHeader make_proxy_header(std::string source, std::uint16_t source_port,
                                            std::string destination,
                                            std::uint16_t destination_port);

enum class ProxyVersion : std::uint8_t { none, v1, v2 };
// "none", "1", "2".
[[nodiscard]] std::optional<ProxyVersion> parse_proxy_version(std::string_view text);
// What a proxy says; nothing with ProxyVersion::none. Addresses as in ProxyHeader, both of one family.
[[nodiscard]] std::string format_proxy(ProxyVersion version, const ProxyHeader& header);
[[nodiscard]] std::string format_proxy_v1(const ProxyHeader& header);
[[nodiscard]] std::string format_proxy_v2(const ProxyHeader& header);

}  // namespace posthorn::service
