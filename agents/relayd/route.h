// One value of the `routes` table: where mail for a domain goes when its MX records are not asked.
//
//   [smtp.example.net]:587   this host, by its addresses; without :PORT the default one
//   [192.0.2.1]  [2001:db8::1]:2525  192.0.2.1:2525
//   example.net  example.net:2525    the MX hosts of another domain
//   unix:PATH                SMTP on a Unix socket
//   mx                       the MX hosts of the domain itself (an exception from "*")
//
// Behind it, separated by blanks: tls=off|opportunistic|required|verified, implicit-tls, xforward.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::relayd {

enum class Security : std::uint8_t {
  off,
  opportunistic,  // TLS if the host has it, whatever its certificate
  required,       // TLS, whatever the certificate
  verified,       // TLS, and the certificate is good for the host's name
};
[[nodiscard]] std::optional<Security> parse_security(std::string_view text);

struct Route {
  enum class Kind : std::uint8_t { mx, host, unix_socket };
  Kind kind = Kind::mx;
  std::string
      name;  // mx: the domain asked, "" = the recipient's own; host: name or literal address
  std::uint16_t port = 0;  // 0: the default one
  std::string path;        // unix_socket
  std::optional<Security> security;
  bool implicit_tls = false;
  bool xforward = false;  // a server of the site's: it is told where a message came from

  Route() = default;
  // The place as written, without parameters, in one form: "[smtp.example.net]:587", "unix:/run/x.sock", "mx". The
  // key of the `logins` table, and what makes two routes one destination.
  [[nodiscard]] std::string place() const;
};

// A relative PATH stays relative. The error says what is wrong and what is expected.
[[nodiscard]] Result<Route, std::string> parse_route(std::string_view value);

// The canonical key of a `routes` entry ("example.org", ".example.org", "*"); nothing if `key` is none.
[[nodiscard]] std::optional<std::string> route_key(std::string_view key);

// An IPv4 or IPv6 address without brackets.
[[nodiscard]] bool is_address(std::string_view text);

}  // namespace posthorn::relayd
