#include "libdns/dnssec/cookie.h"

#include <algorithm>

#include "libmail/base/result.h"

namespace posthorn::dns {

namespace {

constexpr char version = 1;
constexpr std::size_t min_server_octets = 8;
constexpr std::size_t max_server_octets = 32;
constexpr std::size_t fixed_octets = 8;  // version, three reserved ones, time

std::string big_endian(std::uint32_t value) {
  std::string octets(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) octets[i] = static_cast<char>(value >> (24 - 8 * i));
  return octets;
}

std::uint32_t big_endian(std::string_view octets) {
  std::uint32_t value = 0;
  for (const char c : octets) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// The order in which SipHash's author writes its result: low octet first.
std::string hash_octets(std::string_view octets, const Secret& secret) {
  const std::uint64_t hash = siphash24(octets, secret.view());
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(hash >> 8 * i);
  return out;
}

// RFC 9018 4: client cookie, version, reserved, time, address.
std::string server_hash(std::string_view client, std::string_view fixed, std::string_view address,
                        const Secret& secret) {
  std::string input(client);
  input += fixed;
  input += address;
  return hash_octets(input, secret);
}

}  // namespace

std::optional<Cookie> parse_cookie(std::string_view option) {
  const std::size_t least = client_cookie_octets + min_server_octets;
  const std::size_t most = client_cookie_octets + max_server_octets;
  if (option.size() != client_cookie_octets && (option.size() < least || option.size() > most))
    return std::nullopt;
  return Cookie{option.substr(0, client_cookie_octets), option.substr(client_cookie_octets)};
}

std::string make_cookie(std::string_view client, std::string_view address, const Secret& secret,
                        std::uint32_t now) {
  check(client.size() == client_cookie_octets, "a client's cookie has 8 octets");
  std::string fixed(4, '\0');
  fixed[0] = version;
  fixed += big_endian(now);
  return std::string(client) + fixed + server_hash(client, fixed, address, secret);
}

CookieState check_cookie(const Cookie& cookie, std::string_view address,
                         std::span<const Secret> secrets, std::uint32_t now) {
  if (cookie.server.empty()) return CookieState::none;
  if (cookie.server.size() != server_cookie_octets || cookie.server[0] != version)
    return CookieState::bad;
  // The three reserved octets are hashed as they came.
  const std::string_view fixed = cookie.server.substr(0, fixed_octets);
  // RFC 1982: how long ago, or how far ahead.
  const std::uint32_t made = big_endian(fixed.substr(4));
  const std::uint32_t age = now - made;
  const bool is_ahead = age >= 0x80000000u;
  if (is_ahead ? made - now > cookie_clock_skew : age > cookie_lifetime) return CookieState::bad;
  for (const Secret& secret : secrets) {
    if (!equal_in_constant_time(cookie.server.substr(fixed_octets),
                                server_hash(cookie.client, fixed, address, secret)))
      continue;
    const bool is_of_first = &secret == secrets.data();
    return is_of_first && (is_ahead || age <= cookie_renewal) ? CookieState::fresh
                                                              : CookieState::old;
  }
  return CookieState::bad;
}

std::string client_cookie(std::string_view own, std::string_view server, const Secret& secret) {
  // The lengths are part of it: no two pairs of addresses run into the same octets.
  std::string input(1, static_cast<char>(own.size()));
  input += own;
  input += server;
  return hash_octets(input, secret);
}

}  // namespace posthorn::dns
