#include "agents/dnsd/options.h"

#include <catch2/catch.hpp>

#include "agents/dnsd/keeper.h"
#include "agents/dnsd/secondary.h"

using namespace posthorn;
using namespace posthorn::dnsd;

TEST_CASE("parse_forward: a domain and its server") {
  const auto forward = parse_forward("Example.ORG=192.0.2.1:5353");
  REQUIRE(forward);
  CHECK(forward->suffix == *dns::Name::parse("example.org"));
  CHECK(forward->servers.front().port == 5353);
  CHECK(parse_forward(".=192.0.2.1")->suffix.is_root());
  for (const char* wrong : {"example.org", "=192.0.2.1", "example.org=", "a..b=192.0.2.1"})
    CHECK_FALSE(parse_forward(wrong));
}

TEST_CASE("parse_secondary: a zone, its primary and perhaps a key") {
  const auto plain = parse_secondary("example.org=192.0.2.1");
  REQUIRE(plain);
  CHECK(plain->primary.port == 53);
  CHECK_FALSE(plain->key);
  const auto signed_one = parse_secondary("example.org=192.0.2.1:5353,Transfer.Key");
  REQUIRE(signed_one);
  CHECK(signed_one->key == *dns::Name::parse("transfer.key"));
  for (const char* wrong :
       {"example.org", "example.org=ns.example.org", "example.org=192.0.2.1,a,b"})
    CHECK_FALSE(parse_secondary(wrong));
}

TEST_CASE("parse_grant: a key, how names match, a name and perhaps types") {
  const auto grant = parse_grant("dyn.key subdomain dyn.example.org A,AAAA");
  REQUIRE(grant);
  CHECK(grant->match == dns::Grant::Match::subdomain);
  CHECK(grant->types == std::vector<dns::Type>{dns::Type::a, dns::Type::aaaa});
  CHECK(parse_grant("k self .")->types.empty());
  for (const char* wrong :
       {"", "k", "k anything example.org", "k exact example.org NOTYPE", "k exact a b c"})
    CHECK_FALSE(parse_grant(wrong));
}
