// Where to listen or connect, as written in options: "inet:HOST:PORT", "inet:[2001:db8::1]:25",
// "unix:PATH", "fd:N", "stdio:". Clients take the first two only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::async {

struct Endpoint {
  enum class Kind { inet, unix_socket, fd, stdio };
  Kind kind = Kind::stdio;
  std::string host;  // inet: name or literal address, without brackets; "*" or "" = all addresses
  std::uint16_t port = 0;  // inet; 0 lets the kernel choose
  std::string path;        // unix_socket
  int fd = -1;             // fd

  Endpoint() = default;
  static Endpoint inet(std::string host, std::uint16_t port);
  static Endpoint unix_path(std::string path);
  [[nodiscard]] std::string text() const;  // the form it was parsed from
  // To listen on are all of them, to connect to only two.
  [[nodiscard]] bool is_connectable() const {
    return kind == Kind::inet || kind == Kind::unix_socket;
  }
  bool operator==(const Endpoint&) const = default;
};

// The error says what is wrong with `text` and what is expected.
[[nodiscard]] Result<Endpoint, std::string> parse_endpoint(std::string_view text);
// The same of a server that we are a client of.
[[nodiscard]] Result<Endpoint, std::string> parse_server(std::string_view text);

}  // namespace posthorn::async
