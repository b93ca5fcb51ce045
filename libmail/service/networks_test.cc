#include "libmail/service/networks.h"

#include <catch2/catch.hpp>

namespace posthorn::service {
namespace {

TEST_CASE("An address is in a network if it shares its prefix") {
  const auto networks =
      Networks::parse({"192.0.2.0/24", "198.51.100.7", "2001:db8::/33", "10.0.0.0/9"});
  REQUIRE(networks);
  for (const char* inside : {"192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::1",
                             "2001:db8:7fff::1", "10.127.255.255", "::ffff:192.0.2.9"}) {
    CAPTURE(inside);
    CHECK(networks->contains(inside));
  }
  for (const char* outside :
       {"192.0.3.0", "198.51.100.8", "2001:db8:8000::1", "10.128.0.0", "::192.0.2.1", "", "192.0.2",
        "192.0.2.1x", "fe80::1%eth0", "localhost"}) {
    CAPTURE(outside);
    CHECK_FALSE(networks->contains(outside));
  }
}

TEST_CASE("No network is empty, and everything is in ::/0") {
  CHECK_FALSE(Networks().contains("127.0.0.1"));
  const auto all = Networks::parse({"::/0"});
  REQUIRE(all);
  CHECK(all->contains("127.0.0.1"));
  const auto v4 = Networks::parse({"0.0.0.0/0"});
  REQUIRE(v4);
  CHECK(v4->contains("127.0.0.1"));
  CHECK_FALSE(v4->contains("::1"));
}

TEST_CASE("An entry that is no network is refused by name") {
  const auto entry =
      GENERATE("192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/x",
               "example.org", "", "192.0.2.0/24/1", "[::1]", "2001:db8::1/64");
  CAPTURE(entry);
  const auto networks = Networks::parse({"127.0.0.1", entry});
  REQUIRE_FALSE(networks);
  CHECK_THAT(networks.error(), Catch::StartsWith("\"" + std::string(entry) + "\""));
}

}  // namespace
}  // namespace posthorn::service
