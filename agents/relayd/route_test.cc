#include "agents/relayd/route.h"

#include <catch2/catch.hpp>

using namespace posthorn::relayd;
using Kind = Route::Kind;

TEST_CASE("parse_route: places") {
  struct Row {
    const char* value;
    Kind kind;
    const char* name;
    int port;
    const char* place;
  };
  for (const Row& row : {
           Row{"[smtp.Example.net]:587", Kind::host, "smtp.example.net", 587,
               "[smtp.example.net]:587"},
           Row{"[192.0.2.1]", Kind::host, "192.0.2.1", 0, "[192.0.2.1]"},
           Row{"192.0.2.1:2525", Kind::host, "192.0.2.1", 2525, "[192.0.2.1]:2525"},
           Row{"[2001:db8::1]:25", Kind::host, "2001:db8::1", 25, "[2001:db8::1]:25"},
           Row{"2001:db8::1", Kind::host, "2001:db8::1", 0, "[2001:db8::1]"},
           Row{"example.net", Kind::mx, "example.net", 0, "example.net"},
           Row{"example.net:2525", Kind::mx, "example.net", 2525, "example.net:2525"},
           Row{"mx", Kind::mx, "", 0, "mx"},
           Row{"unix:/run/smtp.sock", Kind::unix_socket, "", 0, "unix:/run/smtp.sock"},
       }) {
    CAPTURE(row.value);
    const auto route = parse_route(row.value);
    REQUIRE(route);
    CHECK(route->kind == row.kind);
    CHECK(route->name == row.name);
    CHECK(route->port == row.port);
    CHECK(route->place() == row.place);
  }
}

TEST_CASE("parse_route: parameters") {
  const auto route = parse_route("[smtp.example.net]:465  tls=verified implicit-tls xforward");
  REQUIRE(route);
  CHECK(route->security == Security::verified);
  CHECK(route->implicit_tls);
  CHECK(route->xforward);
}

TEST_CASE("parse_route: what is none") {
  for (const char* value : {"", "[", "[]", "[a b]:25", "[x]y", "[x]:0", "[x]:70000",
                            "unix:", "x:port", "x tls", "x tls=yes", "x login=a:b", "-x-"}) {
    CAPTURE(value);
    CHECK_FALSE(parse_route(value));
  }
}

TEST_CASE("route_key: domains, what is below them, and everything") {
  CHECK(route_key("Example.ORG") == "example.org");
  CHECK(route_key(".m\xc3\xbcller.example") == ".xn--mller-kva.example");
  CHECK(route_key("*") == "*");
  CHECK_FALSE(route_key("a b"));
  CHECK_FALSE(route_key(""));
  CHECK_FALSE(route_key("ann@example.org"));
}
