#include "libmail/async/endpoint.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::async {
namespace {

constexpr std::string_view forms = "inet:HOST:PORT, unix:PATH, fd:N or stdio:";
// sockaddr_un has room for 107 octets and a NUL.
constexpr std::size_t longest_unix_path = 107;

Result<Endpoint, std::string> parse_inet(std::string_view rest, std::string_view whole) {
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(fmt::format("'{}' has no port; expected inet:HOST:PORT", printable(whole)));
  }
  std::string_view host = rest.substr(0, colon);
  const auto port = parse_number<std::uint16_t>(rest.substr(colon + 1));
  if (!port) {
    return fail(fmt::format("'{}' is not a port number in '{}'", printable(rest.substr(colon + 1)),
                            printable(whole)));
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(
        fmt::format("an IPv6 address stands in brackets: inet:[{}]:{}", printable(host), *port));
  }
  return Endpoint::inet(std::string(host), *port);
}

}  // namespace

Endpoint Endpoint::inet(std::string host, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.kind = Kind::inet;
  endpoint.host = std::move(host);
  endpoint.port = port;
  return endpoint;
}

Endpoint Endpoint::unix_path(std::string path) {
  Endpoint endpoint;
  endpoint.kind = Kind::unix_socket;
  endpoint.path = std::move(path);
  return endpoint;
}

std::string Endpoint::text() const {
  switch (kind) {
    case Kind::stdio:
      return "stdio:";
    case Kind::fd:
      return fmt::format("fd:{}", fd);
    case Kind::unix_socket:
      return "unix:" + path;
    case Kind::inet:
      break;
  }
  return host.find(':') == std::string::npos ? fmt::format("inet:{}:{}", host, port)
                                             : fmt::format("inet:[{}]:{}", host, port);
}

Result<Endpoint, std::string> parse_endpoint(std::string_view text) {
  const auto colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (kind == "inet") return parse_inet(rest, text);
  if (kind == "unix") {
    if (rest.empty()) return fail(fmt::format("'{}' names no path", printable(text)));
    if (rest.size() > longest_unix_path) {
      return fail(fmt::format("the path in '{}' has {} octets; a Unix socket's has {} at most",
                              printable(text), rest.size(), longest_unix_path));
    }
    return Endpoint::unix_path(std::string(rest));
  }
  if (kind == "fd") {
    const auto number = parse_number<int>(rest);
    if (!number) return fail(fmt::format("'{}' is not a descriptor number", printable(rest)));
    Endpoint endpoint;
    endpoint.kind = Endpoint::Kind::fd;
    endpoint.fd = *number;
    return endpoint;
  }
  if (kind == "stdio" && rest.empty()) return Endpoint();
  return fail(fmt::format("'{}' is no endpoint; expected {}", printable(text), forms));
}

Result<Endpoint, std::string> parse_server(std::string_view text) {
  auto endpoint = parse_endpoint(text);
  if (endpoint && !endpoint->is_connectable())
    return fail("expected inet:HOST:PORT or unix:PATH, not " + printable(text, 80));
  return endpoint;
}

}  // namespace posthorn::async
