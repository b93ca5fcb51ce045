#include <catch2/catch.hpp>

#include "libdns/dnssec/keys.h"
#include "libdns/resolver/root_hints.h"
#include "libdns/resolver/servers.h"
#include "libdns/resolver/special_names.h"
#include "libdns/resolver/trust_anchors.h"
#include "libdns/wire/address.h"
#include "libdns/wire/test_names.h"

using namespace posthorn;
using namespace posthorn::dns;
using posthorn::async::Endpoint;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("the built-in hints are thirteen hosts with two addresses each") {
  const std::vector<RootHint> hints = built_in_root_hints();
  CHECK(hints.size() == 13);
  for (const RootHint& hint : hints) {
    REQUIRE(hint.addresses.size() == 2);
    CHECK(parse_a(hint.addresses[0]));
    CHECK(parse_aaaa(hint.addresses[1]));
  }
}

TEST_CASE("a hints file names hosts and their addresses; its errors have a place") {
  const auto hints = parse_root_hints(
      ". 3600000 NS A.ROOT.\nA.ROOT. 3600000 A 192.0.2.1\nA.ROOT. 3600000 AAAA 2001:db8::1\n");
  REQUIRE(hints);
  REQUIRE(hints->size() == 1);
  CHECK(hints->front().host == name("a.root"));
  CHECK(hints->front().addresses == std::vector<std::string>{"192.0.2.1", "2001:db8::1"});
  CHECK(parse_root_hints("x. A 192.0.2\n").error().starts_with("line 1, column "));
  CHECK_FALSE(parse_root_hints("; nothing\n"));
}

TEST_CASE("the root's anchors are two keys of algorithm 8") {
  const TrustAnchors anchors = TrustAnchors::built_in();
  REQUIRE(anchors.all().size() == 1);
  REQUIRE(anchors.all()[0].ds.size() == 2);
  CHECK(anchors.all()[0].ds[0].key_tag == 20326);
  CHECK(anchors.all()[0].ds[1].key_tag == 38696);
  for (const Ds& ds : anchors.all()[0].ds) CHECK(ds.digest.size() == 32);
}

TEST_CASE("an anchor file has DS and DNSKEY records and nothing else") {
  const SigningKey key = *SigningKey::generate();
  const std::string text = "example. IN DNSKEY " + to_text(Rdata(key.dnskey())) +
                           "\norg. DS 1 13 2 " + std::string(64, 'A') + "\n";
  const auto anchors = TrustAnchors::parse(text);
  REQUIRE(anchors);
  REQUIRE(anchors->find(name("www.example")) != nullptr);
  CHECK(anchors->find(name("www.example"))->ds ==
        std::vector{make_ds(name("example"), key.dnskey())});
  CHECK(anchors->find(name("com")) == nullptr);
  CHECK_FALSE(TrustAnchors::parse("example. A 192.0.2.1\n"));
  CHECK_FALSE(TrustAnchors::parse("example. DS 1 13\n"));
}

TEST_CASE("the deepest anchor above a name is its anchor") {
  TrustAnchors anchors = TrustAnchors::built_in();
  anchors.add(name("corp.example"), Ds());
  CHECK(anchors.find(name("a.corp.example"))->zone == name("corp.example"));
  CHECK(anchors.find(name("example"))->zone.is_root());
}

TEST_CASE("the quick server comes first, one that was silent often comes last") {
  const ResolveLimits limits;
  Servers servers(limits);
  const Endpoint quick = Endpoint::inet("192.0.2.1", 53), slow = Endpoint::inet("192.0.2.2", 53),
                 dead = Endpoint::inet("192.0.2.3", 53);
  const MonoTime now{};
  servers.answered(slow, milliseconds(300));
  servers.answered(quick, milliseconds(10));
  servers.answered(dead, milliseconds(1));
  for (std::size_t i = 0; i < limits.silences; ++i) servers.silent(dead, now);
  CHECK(servers.in_order({dead, slow, quick}, name("example"), now) ==
        std::vector{quick, slow, dead});
  // It may try again after its rest.
  CHECK(servers.in_order({slow, dead}, name("example"), now + limits.rest).front() == dead);
}

TEST_CASE("a server that is lame for one zone is as good as any for others, and later") {
  const ResolveLimits limits;
  Servers servers(limits);
  const Endpoint one = Endpoint::inet("192.0.2.1", 53), two = Endpoint::inet("192.0.2.2", 53);
  servers.answered(one, milliseconds(1));
  servers.answered(two, milliseconds(200));
  servers.lame(one, name("example"), MonoTime{});
  CHECK(servers.in_order({one, two}, name("example"), MonoTime{}).front() == two);
  CHECK(servers.in_order({one, two}, name("org"), MonoTime{}).front() == one);
  CHECK(servers.in_order({one, two}, name("example"), MonoTime{} + limits.lame_for).front() == one);
}

TEST_CASE("where IPv6 doesn't work it comes behind all else, for a while") {
  const ResolveLimits limits;
  Servers servers(limits);
  const Endpoint v4 = Endpoint::inet("192.0.2.1", 53), v6 = Endpoint::inet("2001:db8::1", 53),
                 other = Endpoint::inet("2001:db8::2", 53);
  servers.answered(v4, milliseconds(2000));
  servers.unreachable(v6, MonoTime{});
  CHECK(servers.in_order({other, v4}, name("example"), MonoTime{}).front() == v4);
  CHECK(servers.in_order({other, v4}, name("example"), MonoTime{} + seconds(61)).front() == other);
}

TEST_CASE("patience grows with silence, within its bounds") {
  const ResolveLimits limits;
  Servers servers(limits);
  const Endpoint one = Endpoint::inet("192.0.2.1", 53);
  CHECK(servers.patience(one) == limits.first_try);
  servers.answered(one, milliseconds(2));
  CHECK(servers.patience(one) == limits.least_try);
  for (int i = 0; i < 10; ++i) servers.silent(one, MonoTime{});
  CHECK(servers.patience(one) > limits.least_try);
  CHECK(servers.patience(one) <= limits.longest_try);
}

TEST_CASE("so many servers are remembered and no more") {
  ResolveLimits limits;
  limits.servers_remembered = 10;
  Servers servers(limits);
  for (int i = 0; i < 100; ++i)
    (void)servers.of(Endpoint::inet("192.0.2." + std::to_string(i), 53));
  std::size_t count = 0;
  servers.for_each([&](const KnownServer&) { ++count; });
  CHECK(count == 10);
}

TEST_CASE("special names have their own answers, ordinary ones none") {
  const auto localhost = special_answer(Question(name("a.localhost"), Type::aaaa));
  REQUIRE(localhost);
  CHECK(localhost->answer.front().rdata == std::vector{rdata_to_wire(*parse_aaaa("::1"))});
  for (const char* one : {"example", "www.org", "1.1.1.1.in-addr.arpa", "arpa",
                          "32.172.in-addr.arpa", "128.100.in-addr.arpa"})
    CHECK_FALSE(special_answer(Question(name(one), Type::a)));
  for (const char* one : {"test", "www.alpha.test", "a.invalid", "b.onion"})
    CHECK(special_answer(Question(name(one), Type::a)));
  const auto zone = special_answer(Question(name("10.in-addr.arpa"), Type::soa));
  REQUIRE(zone);
  CHECK(zone->answer.size() == 1);
  const auto none = special_answer(Question(name("1.10.in-addr.arpa"), Type::ptr));
  REQUIRE(none->negative);
  CHECK(none->negative->nxdomain);
  const auto v6 = special_answer(Question(reverse_name(*parse_aaaa("::1")), Type::ptr));
  REQUIRE(v6);
  CHECK(v6->answer.size() == 1);
}
