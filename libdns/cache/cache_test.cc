#include "libdns/cache/cache.h"

#include <catch2/catch.hpp>

#include "libdns/wire/address.h"
#include "libdns/wire/test_names.h"

using namespace posthorn::dns;

namespace {

std::string octets(std::string_view address) {
  return rdata_to_wire(*parse_a(address));
}

RrSet a_set(std::string_view owner, std::uint32_t ttl, std::string_view address = "192.0.2.1") {
  RrSet set(name(owner), Type::a, ttl);
  set.add(octets(address));
  return set;
}

Negative no_name(std::uint32_t ttl, Security security = Security::insecure) {
  Negative negative;
  negative.nxdomain = true;
  negative.ttl = ttl;
  negative.security = security;
  Soa soa;
  soa.primary = name("ns.example");
  soa.serial = 7;
  RrSet set(name("example"), Type::soa, ttl);
  set.add(rdata_to_wire(soa));
  negative.authority.push_back(set);
  return negative;
}

Negative no_type(std::uint32_t ttl, Security security = Security::insecure) {
  Negative negative = no_name(ttl, security);
  negative.nxdomain = false;
  return negative;
}

std::string first_address(const std::optional<EntryView>& view) {
  std::string found;
  if (view)
    view->for_each_rdata([&](std::string_view one) {
      if (found.empty()) found = one;
    });
  return found;
}

}  // namespace

TEST_CASE("a set comes back as it was put, whatever the case of its name, its TTL run down") {
  Cache cache;
  RrSet set = a_set("WWW.example", 300);
  set.add(octets("192.0.2.2"));
  set.signatures.emplace_back("signature");
  REQUIRE(cache.put(set, Rank::authoritative, Security::secure, 1000));
  const auto view = cache.find(name("www.EXAMPLE"), Type::a, 1100);
  REQUIRE(view);
  CHECK(view->kind() == EntryKind::positive);
  CHECK(view->security() == Security::secure);
  CHECK(view->rank() == Rank::authoritative);
  set.ttl = 200;
  CHECK(view->rrset(name("www.example")) == set);
  CHECK(view->authority().empty());
}

TEST_CASE("a set is gone when its TTL has run out, and stale only within stale_for") {
  CacheSettings settings;
  settings.stale_for = 100;
  Cache cache(settings);
  REQUIRE(cache.put(a_set("a.example", 60), Rank::answer, Security::insecure, 0));
  CHECK(cache.find(name("a.example"), Type::a, 59));
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 60));
  const auto stale = cache.find(name("a.example"), Type::a, 159, Cache::Stale::yes);
  REQUIRE(stale);
  CHECK(stale->is_stale());
  CHECK(stale->ttl() == 0);
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 160, Cache::Stale::yes));
}

TEST_CASE("the last tenth of a life wants a refresh") {
  Cache cache;
  REQUIRE(cache.put(a_set("a.example", 1000), Rank::answer, Security::insecure, 0));
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 899)->wants_refresh());
  CHECK(cache.find(name("a.example"), Type::a, 900)->wants_refresh());
}

TEST_CASE("TTLs are cut to the settings") {
  CacheSettings settings;
  settings.min_ttl = 10;
  settings.max_ttl = 100;
  settings.max_negative_ttl = 20;
  settings.max_failure_ttl = 5;
  Cache cache(settings);
  REQUIRE(cache.put(a_set("long.example", 1000000), Rank::answer, Security::insecure, 0));
  REQUIRE(cache.put(a_set("short.example", 1), Rank::answer, Security::insecure, 0));
  REQUIRE(cache.put_negative(name("no.example"), Type::a, no_name(1000), Rank::answer, 0));
  REQUIRE(cache.put_failure(name("f.example"), Type::a, Failure(ExtendedError(22, "none"), false),
                            1000, 0));
  CHECK(cache.find(name("long.example"), Type::a, 0)->ttl() == 100);
  CHECK(cache.find(name("short.example"), Type::a, 0)->ttl() == 10);
  CHECK(cache.find(name("no.example"), Type::a, 0)->ttl() == 20);
  CHECK(cache.find_failure(name("f.example"), Type::a, 4));
  CHECK_FALSE(cache.find_failure(name("f.example"), Type::a, 5));
}

TEST_CASE("a set of TTL 0 isn't kept") {
  Cache cache;
  CHECK_FALSE(cache.put(a_set("a.example", 0), Rank::answer, Security::insecure, 0));
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 0));
}

TEST_CASE("a better rank that lives isn't replaced, an expired one is") {
  Cache cache;
  REQUIRE(
      cache.put(a_set("a.example", 60, "192.0.2.1"), Rank::authoritative, Security::insecure, 0));
  CHECK_FALSE(cache.put(a_set("a.example", 60, "192.0.2.66"), Rank::answer, Security::insecure, 1));
  CHECK(first_address(cache.find(name("a.example"), Type::a, 1)) == octets("192.0.2.1"));
  CHECK(cache.put(a_set("a.example", 60, "192.0.2.2"), Rank::authoritative, Security::insecure, 2));
  CHECK(first_address(cache.find(name("a.example"), Type::a, 2)) == octets("192.0.2.2"));
  CHECK(cache.put(a_set("a.example", 60, "192.0.2.3"), Rank::answer, Security::insecure, 62));
  CHECK(first_address(cache.find(name("a.example"), Type::a, 62)) == octets("192.0.2.3"));
  CHECK(cache.stats().refused == 1);
}

TEST_CASE("what is validated gives way only to what is validated") {
  Cache cache;
  REQUIRE(cache.put(a_set("a.example", 60, "192.0.2.1"), Rank::answer, Security::secure, 0));
  CHECK_FALSE(
      cache.put(a_set("a.example", 60, "192.0.2.66"), Rank::authoritative, Security::insecure, 1));
  CHECK_FALSE(cache.put_negative(name("a.example"), Type::a, no_type(60), Rank::authoritative, 1));
  CHECK(first_address(cache.find(name("a.example"), Type::a, 1)) == octets("192.0.2.1"));
  CHECK(cache.put(a_set("a.example", 60, "192.0.2.2"), Rank::answer, Security::secure, 2));
}

TEST_CASE("that a name lacks a type says nothing about its other types") {
  Cache cache;
  REQUIRE(cache.put_negative(name("a.example"), Type::mx, no_type(60), Rank::authoritative, 0));
  const auto view = cache.find(name("a.example"), Type::mx, 10);
  REQUIRE(view);
  CHECK(view->kind() == EntryKind::nodata);
  REQUIRE(view->authority().size() == 1);
  CHECK(view->authority()[0].owner == name("example"));
  CHECK(view->authority()[0].ttl == 50);
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 10));
}

TEST_CASE("a name that doesn't exist has no type and nothing below it") {
  Cache cache;
  REQUIRE(cache.put_negative(name("gone.example"), Type::a, no_name(60), Rank::authoritative, 0));
  CHECK(cache.find(name("gone.example"), Type::txt, 1)->kind() == EntryKind::nxdomain);
  CHECK(cache.find(name("a.b.gone.example"), Type::a, 1)->kind() == EntryKind::nxdomain);
  CHECK_FALSE(cache.find(name("example"), Type::a, 1));
  CHECK_FALSE(cache.find(name("gone.example"), Type::txt, 60));
}

TEST_CASE("without nxdomain_cut what is below a name is asked for") {
  CacheSettings settings;
  settings.nxdomain_cut = false;
  Cache cache(settings);
  REQUIRE(cache.put_negative(name("gone.example"), Type::a, no_name(60), Rank::authoritative, 0));
  CHECK(cache.find(name("gone.example"), Type::txt, 1));
  CHECK_FALSE(cache.find(name("a.gone.example"), Type::a, 1));
}

TEST_CASE("records that appear end the word that the name doesn't exist") {
  Cache cache;
  REQUIRE(cache.put_negative(name("a.example"), Type::a, no_name(60), Rank::authoritative, 0));
  REQUIRE(cache.put(a_set("a.example", 10), Rank::authoritative, Security::insecure, 1));
  CHECK(cache.find(name("a.example"), Type::a, 2)->kind() == EntryKind::positive);
  CHECK_FALSE(cache.find(name("a.example"), Type::txt, 2));
}

TEST_CASE("a name that has gone takes its expired data with it, so that it can't come back stale") {
  CacheSettings settings;
  settings.stale_for = 1000;
  Cache cache(settings);
  REQUIRE(cache.put(a_set("a.example", 10), Rank::authoritative, Security::secure, 0));
  REQUIRE(cache.put_negative(name("a.example"), Type::a, no_name(10, Security::secure),
                             Rank::authoritative, 20));
  const auto view = cache.find(name("a.example"), Type::a, 100, Cache::Stale::yes);
  REQUIRE(view);
  CHECK(view->kind() == EntryKind::nxdomain);
}

TEST_CASE("failures and refused data answer no ordinary question") {
  Cache cache;
  REQUIRE(cache.put_bogus(a_set("a.example", 300), 60, 0));
  REQUIRE(cache.put_failure(name("a.example"), Type::a, Failure(ExtendedError(7, "expired"), true),
                            60, 0));
  CHECK_FALSE(cache.find(name("a.example"), Type::a, 1));
  const auto failure = cache.find_failure(name("A.example"), Type::a, 1);
  REQUIRE(failure);
  CHECK(failure->bogus);
  CHECK(failure->why == ExtendedError(7, "expired"));
  CHECK(cache.find_bogus(name("a.example"), Type::a, 59));
  CHECK_FALSE(cache.find_bogus(name("a.example"), Type::a, 60));
  CHECK(cache.flush_bogus() == 2);
}

TEST_CASE("the deepest delegation above a name is the way to it, and no answer") {
  Cache cache;
  Delegation org, example;
  org.zone = name("org");
  org.expires = 1000;
  org.hosts.emplace_back(name("a.nic.org"));
  example.zone = name("example.org");
  example.expires = 100;
  example.hosts.emplace_back(name("ns1.example.org"));
  example.hosts.back().v4 = {*parse_a("192.0.2.53"), *parse_a("192.0.2.54")};
  example.hosts.back().v6 = {*parse_aaaa("2001:db8::53")};
  example.hosts.emplace_back(name("ns.elsewhere.net"));
  REQUIRE(cache.put_delegation(org, 0));
  REQUIRE(cache.put_delegation(example, 0));
  auto found = cache.find_delegation(name("www.Example.org"), 50);
  REQUIRE(found);
  CHECK(found->zone == name("example.org"));
  CHECK(found->expires == 100);
  REQUIRE(found->hosts.size() == 2);
  CHECK(found->hosts[0].v4 == example.hosts[0].v4);
  CHECK(found->hosts[0].v6 == example.hosts[0].v6);
  CHECK(found->hosts[1].name == name("ns.elsewhere.net"));
  CHECK(cache.find_delegation(name("www.example.org"), 100)->zone == name("org"));
  CHECK_FALSE(cache.find_delegation(name("example.com"), 0));
  CHECK_FALSE(cache.find(name("example.org"), Type::ns, 0));
  CHECK_FALSE(cache.find(name("ns1.example.org"), Type::a, 0));
}

TEST_CASE("a name server's address that nobody validated is found for the way only") {
  Cache cache;
  RrSet set = a_set("ns.example", 60);
  set.signatures.emplace_back("nobody has looked at it");
  REQUIRE(cache.put_address(set, 0));
  CHECK_FALSE(cache.find(name("ns.example"), Type::a, 1));
  const auto view = cache.find_address(name("NS.example"), Type::a, 1);
  REQUIRE(view);
  CHECK(view->kind() == EntryKind::address);
  CHECK(first_address(view) == octets("192.0.2.1"));
  CHECK(view->rrset(name("ns.example")).signatures.empty());
  // That it has none is remembered, too.
  REQUIRE(cache.put_address(RrSet(name("ns.example"), Type::aaaa, 5), 0));
  CHECK(first_address(cache.find_address(name("ns.example"), Type::aaaa, 4)).empty());
  CHECK_FALSE(cache.find_address(name("ns.example"), Type::aaaa, 5));
}

TEST_CASE("DNAMEs are looked for once there are some") {
  Cache cache;
  CHECK_FALSE(cache.has_dnames());
  RrSet set(name("old.example"), Type::dname, 60);
  set.add(rdata_to_wire(Dname{name("new.example")}));
  REQUIRE(cache.put(set, Rank::authoritative, Security::insecure, 0));
  CHECK(cache.has_dnames());
}

TEST_CASE("a wildcard's proof comes back with the records") {
  Cache cache;
  const std::vector<RrSet> proof = no_name(60).authority;
  REQUIRE(cache.put(a_set("x.example", 60), Rank::authoritative, Security::secure, 0, proof));
  const auto view = cache.find(name("x.example"), Type::a, 0);
  CHECK(view->authority() == proof);
  CHECK(view->rrset(name("x.example")) == a_set("x.example", 60));
}

TEST_CASE("over the caps nothing is kept") {
  CacheSettings settings;
  settings.max_records = 3;
  settings.max_types = 5;
  Cache cache(settings);
  RrSet set = a_set("a.example", 60);
  for (int i = 0; i < 3; ++i) set.add(octets("198.51.100." + std::to_string(i)));
  CHECK_FALSE(cache.put(set, Rank::answer, Security::insecure, 0));
  for (std::uint16_t type = 1000; type < 1010; ++type) {
    RrSet one(name("b.example"), static_cast<Type>(type), 60);
    one.add("x");
    CHECK(cache.put(one, Rank::answer, Security::insecure, 0) == (type < 1005));
  }
}

TEST_CASE("the budget holds, and what is used outlives what was asked for once") {
  CacheSettings settings;
  settings.budget_octets = 100 * 1024;
  Cache cache(settings);
  for (int i = 0; i < 20; ++i)
    REQUIRE(cache.put(a_set("good" + std::to_string(i) + ".example", 3600), Rank::answer,
                      Security::insecure, 0));
  std::size_t lost = 0;
  for (int i = 0; i < 20000; ++i) {
    (void)cache.put(a_set("random" + std::to_string(i) + ".example", 3600), Rank::answer,
                    Security::insecure, 1);
    REQUIRE(cache.stats().octets <= settings.budget_octets);
    if (i % 100 != 0) continue;
    for (int good = 0; good < 20; ++good) {
      const Name asked = name("good" + std::to_string(good) + ".example");
      if (cache.find(asked, Type::a, 1)) continue;
      ++lost;
      (void)cache.put(a_set(asked.text(), 3600), Rank::answer, Security::insecure, 1);
    }
  }
  CHECK(lost <= 20);
  CHECK(cache.stats().evicted > 15000);
}

TEST_CASE("an A set of one record takes less than 120 octets, with everything counted") {
  Cache cache;
  constexpr std::size_t count = 100000;
  for (std::size_t i = 0; i < count; ++i)
    REQUIRE(cache.put(a_set("host" + std::to_string(i) + ".some-domain.example", 3600),
                      Rank::answer, Security::insecure, 0));
  CHECK(cache.stats().entries == count);
  CHECK(cache.stats().octets / count < 120);
}

TEST_CASE("flushing takes a name, what is below it, or everything") {
  Cache cache;
  for (const char* one : {"example", "a.example", "b.a.example", "xample", "notexample"})
    REQUIRE(cache.put(a_set(one, 60), Rank::answer, Security::insecure, 0));
  REQUIRE(cache.put_negative(name("n.example"), Type::mx, no_type(60), Rank::answer, 0));
  CHECK(cache.flush_negative() == 1);
  CHECK(cache.flush(name("A.example")) == 1);
  CHECK(cache.find(name("b.a.example"), Type::a, 0));
  CHECK(cache.flush_below(name("example")) == 2);
  CHECK(cache.find(name("xample"), Type::a, 0));
  CHECK(cache.find(name("notexample"), Type::a, 0));
  CHECK(cache.flush_all() == 2);
  CHECK(cache.stats().entries == 0);
}

TEST_CASE("cache show tells name, type, data, time left, rank, security and who said it") {
  Cache cache;
  REQUIRE(cache.put(a_set("a.example", 60), Rank::authoritative, Security::secure, 0, {},
                    cache.source_of("inet:192.0.2.53:53")));
  REQUIRE(cache.put_failure(name("f.example"), Type::mx,
                            Failure(ExtendedError(22, "silence"), false), 30, 0));
  std::vector<CacheLine> lines;
  cache.for_each(20, [&](const CacheLine& line) {
    lines.push_back(line);
    return true;
  });
  REQUIRE(lines.size() == 2);
  const CacheLine& set = lines[0].kind == EntryKind::positive ? lines[0] : lines[1];
  const CacheLine& failure = lines[0].kind == EntryKind::positive ? lines[1] : lines[0];
  CHECK(set.name == name("a.example"));
  CHECK(set.type == Type::a);
  CHECK(set.data == "192.0.2.1");
  CHECK(set.ttl_left == 40);
  CHECK(set.rank == Rank::authoritative);
  CHECK(set.security == Security::secure);
  CHECK(set.source == "inet:192.0.2.53:53");
  CHECK(failure.source.empty());
  CHECK(failure.kind == EntryKind::failure);
  CHECK(failure.type == Type::mx);
  CHECK(failure.security == Security::unavailable);
}
