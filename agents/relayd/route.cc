#include "agents/relayd/route.h"

#include <fmt/format.h>

#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::relayd {

namespace {

constexpr std::string_view expected =
    "expected [HOST]:PORT, DOMAIN, unix:PATH or mx, then tls=off|opportunistic|required|verified, "
    "implicit-tls or xforward";

Result<std::uint16_t, std::string> parse_port(std::string_view text) {
  const auto port = parse_number<std::uint16_t>(text);
  if (!port || *port == 0) return fail(fmt::format("'{}' is no port", printable(text)));
  return *port;
}

bool is_host(std::string_view text) {
  return is_address(text) || smtp::is_domain(smtp::canonical_domain(text), smtp::Utf8::refused);
}

// "[HOST]" or "[HOST]:PORT"; `text` begins with the bracket.
Result<Route, std::string> parse_bracketed(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return fail(std::string("']' is missing"));
  Route route;
  route.kind = Route::Kind::host;
  route.name = smtp::canonical_domain(text.substr(1, close - 1));
  if (istarts_with(route.name, "ipv6:")) route.name.erase(0, 5);
  if (!is_host(route.name))
    return fail(fmt::format("'{}' is no host name or address", printable(route.name)));
  const std::string_view rest = text.substr(close + 1);
  if (rest.empty()) return route;
  if (rest.front() != ':')
    return fail(fmt::format("'{}' behind the bracket: {}", printable(rest), expected));
  const auto port = parse_port(rest.substr(1));
  if (!port) return fail(port.error());
  route.port = *port;
  return route;
}

Result<Route, std::string> parse_place(std::string_view text) {
  Route route;
  if (iequals(text, "mx")) return route;
  if (text.starts_with('[')) return parse_bracketed(text);
  if (istarts_with(text, "unix:")) {
    route.kind = Route::Kind::unix_socket;
    route.path = text.substr(5);
    if (route.path.empty()) return fail(std::string("unix: without a path"));
    return route;
  }
  if (is_address(text)) {
    route.kind = Route::Kind::host;
    route.name = lower(text);
    return route;
  }
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return fail(port.error());
    route.port = *port;
    text = text.substr(0, colon);
  }
  route.name = smtp::canonical_domain(text);
  if (!is_host(route.name))
    return fail(fmt::format("'{}' is no domain: {}", printable(text), expected));
  // An address has no MX records, so nothing else can be meant.
  if (is_address(route.name)) route.kind = Route::Kind::host;
  return route;
}

}  // namespace

std::optional<Security> parse_security(std::string_view text) {
  if (text == "off") return Security::off;
  if (text == "opportunistic") return Security::opportunistic;
  if (text == "required") return Security::required;
  if (text == "verified") return Security::verified;
  return std::nullopt;
}

bool is_address(std::string_view text) {
  return smtp::format_address_literal(text).has_value();
}

std::string Route::place() const {
  const std::string port_text = port == 0 ? std::string() : fmt::format(":{}", port);
  switch (kind) {
    case Kind::unix_socket:
      return "unix:" + path;
    case Kind::host:
      return fmt::format("[{}]{}", name, port_text);
    case Kind::mx:
      break;
  }
  return name.empty() ? "mx" : name + port_text;
}

Result<Route, std::string> parse_route(std::string_view value) {
  const std::vector<std::string_view> parts = words(value);
  if (parts.empty()) return fail(fmt::format("the value is missing: {}", expected));
  Result<Route, std::string> route = parse_place(parts[0]);
  for (std::size_t i = 1; route && i < parts.size(); ++i) {
    if (parts[i] == "implicit-tls") {
      route->implicit_tls = true;
      continue;
    }
    if (parts[i] == "xforward") {
      route->xforward = true;
      continue;
    }
    const bool is_tls = parts[i].starts_with("tls=");
    const std::optional<Security> security =
        is_tls ? parse_security(parts[i].substr(4)) : std::nullopt;
    if (!security)
      return fail(fmt::format("'{}' means nothing here: {}", printable(parts[i]), expected));
    route->security = security;
  }
  return route;
}

std::optional<std::string> route_key(std::string_view key) {
  if (key == "*") return std::string(key);
  const bool below = key.starts_with('.');
  std::string domain = smtp::canonical_domain(key.substr(below ? 1 : 0));
  if (!smtp::is_domain(domain, smtp::Utf8::refused)) return std::nullopt;
  return below ? "." + domain : domain;
}

}  // namespace posthorn::relayd
