// Cookies (RFC 7873, RFC 9018): a client shows that answers reach its address, without state here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libdns/dnssec/secret.h"

namespace posthorn::dns {

inline constexpr std::uint16_t edns_cookie = 10;
inline constexpr std::size_t client_cookie_octets = 8;
inline constexpr std::size_t server_cookie_octets = 16;  // of RFC 9018; others' have 8 to 32
inline constexpr std::size_t cookie_secret_octets = 16;

// RFC 9018 4.3: seconds.
inline constexpr std::uint32_t cookie_lifetime = 3600;
inline constexpr std::uint32_t cookie_renewal = 1800;
inline constexpr std::uint32_t cookie_clock_skew = 300;

// An option taken apart; views into it.
struct Cookie {
  std::string_view client;  // 8 octets
  std::string_view server;  // none, or 8 to 32 octets
};
// Nothing if the length is none of RFC 7873 4: answer FORMERR.
[[nodiscard]] std::optional<Cookie> parse_cookie(std::string_view option);

// A server's answer to `client` at `address` (4 or 16 octets): the whole option, 24 octets. Servers
// of one address share the secret.
[[nodiscard]] std::string make_cookie(std::string_view client, std::string_view address,
                                      const Secret& secret, std::uint32_t now);
enum class CookieState : std::uint8_t {
  none,   // no server cookie in it
  bad,    // not ours, too old, or of another address
  old,    // good, send a fresh one
  fresh,  // good, send it back as it is
};
// `secrets`: the one in use, then those before it (RFC 9018 5).
[[nodiscard]] CookieState check_cookie(const Cookie& cookie, std::string_view address,
                                       std::span<const Secret> secrets, std::uint32_t now);

// What we as a client send to the server at `server` from `own` address (4 or 16 octets each): 8
// octets that others can't guess and that don't follow us to another address (RFC 9018 3).
[[nodiscard]] std::string client_cookie(std::string_view own, std::string_view server,
                                        const Secret& secret);

// SipHash-2-4; the key has 16 octets.
[[nodiscard]] std::uint64_t siphash24(std::string_view octets, std::string_view key);

}  // namespace posthorn::dns
