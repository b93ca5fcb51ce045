#include "libdns/resolver/server_address.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::dns;

TEST_CASE("parse_server_address: addresses with and without a port, Unix sockets, no names") {
  CHECK(parse_server_address("192.0.2.1")->text() == "inet:192.0.2.1:53");
  CHECK(parse_server_address("192.0.2.1:5353")->text() == "inet:192.0.2.1:5353");
  CHECK(parse_server_address("192.0.2.1#5353")->text() == "inet:192.0.2.1:5353");
  CHECK(parse_server_address("2001:db8::1")->text() == "inet:[2001:db8::1]:53");
  CHECK(parse_server_address("[2001:db8::1]")->text() == "inet:[2001:db8::1]:53");
  CHECK(parse_server_address("[2001:db8::1]:5353")->text() == "inet:[2001:db8::1]:5353");
  CHECK(parse_server_address("inet:[::1]:5353")->text() == "inet:[::1]:5353");
  CHECK(parse_server_address("unix:/run/dns.sock")->path == "/run/dns.sock");
  for (const char* wrong :
       {"", "unix:", "ns.example.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:x",
        "192.0.2.1:65536", "192.0.2.1:53:53", "[192.0.2.1]:53", "[::1", "[::1]5", "2001:zz::1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_server_address(wrong));
  }
}

TEST_CASE("parse_server_address: names where they can be looked up, and another port by default") {
  CHECK(parse_server_address("ns.example.org", Hosts::names)->text() == "inet:ns.example.org:53");
  CHECK(parse_server_address("ns.example.org:5353", Hosts::names)->port == 5353);
  CHECK(parse_server_address("::1", Hosts::names, 5300)->port == 5300);
  for (const char* wrong : {"", "a b", "a/b", "[ns.example.org]:53", "a:b:c", ":53"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_server_address(wrong, Hosts::names));
  }
}
