#include "libdns/zone/lookup.h"

#include <fmt/format.h>

#include "libdns/zone/test_zone.h"

using namespace posthorn::dns;

namespace {

using Kind = ZoneAnswer::Kind;

const char* const text = R"(
$TTL 3600
@ 7200 SOA ns hostmaster 7 3600 600 86400 300
@ NS ns
@ NS ns.elsewhere.test.
@ MX 10 mail
@ MX 20 mail.sub
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail A 192.0.2.2
www CNAME mail
away CNAME www.elsewhere.test.
one CNAME two
two CNAME mail
lost CNAME nothing
loop1 CNAME loop2
loop2 CNAME loop1
into CNAME host.sub
sub NS ns.sub
sub NS mail
ns.sub A 192.0.2.3
mail.sub A 192.0.2.4
deep.ns.sub A 192.0.2.5
old DNAME new
host.new A 192.0.2.6
x.old A 192.0.2.7
long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
*.wild CNAME mail
Case.Kept TXT "x"
)";

std::shared_ptr<const Zone> example() {
  return zone_of("example.test", text);
}

}  // namespace

TEST_CASE("look_up: a name's set, and the addresses of an exchange in the zone") {
  const auto zone = example();
  const auto answer = ask(*zone, "example.test", Type::mx);
  CHECK(answer.kind == Kind::answer);
  CHECK(answer.authoritative);
  CHECK(lines_of(answer.answer) ==
        Lines{"example.test MX 10 mail.example.test. 20 mail.sub.example.test."});
  CHECK(answer.authority.empty());
  // Not of the one below the delegation: that is the child's.
  CHECK(lines_of(answer.additional) == Lines{"mail.example.test A 192.0.2.2"});
}

TEST_CASE("look_up: case is ignored and kept as it is in the zone") {
  const auto zone = example();
  CHECK(heads_of(ask(*zone, "CASE.kept.EXAMPLE.test", Type::txt).answer) ==
        Lines{"Case.Kept.example.test TXT"});
}

TEST_CASE("look_up: no such name and no such type have the SOA with the negative TTL") {
  const auto zone = example();
  const auto no_name = ask(*zone, "nothing.example.test", Type::a);
  CHECK(no_name.rcode == Rcode::nxdomain);
  REQUIRE(no_name.authority.size() == 1);
  CHECK(no_name.authority[0]->ttl == 300);
  const auto no_type = ask(*zone, "mail.example.test", Type::aaaa);
  CHECK(no_type.kind == Kind::nodata);
  CHECK(no_type.rcode == Rcode::noerror);
  CHECK(no_type.authority[0]->ttl == 300);
  CHECK(ask(*zone, "example.test", Type::soa).answer[0]->ttl == 7200);
}

TEST_CASE("look_up: a CNAME is followed inside the zone") {
  const auto zone = example();
  const auto answer = ask(*zone, "one.example.test", Type::a);
  CHECK(heads_of(answer.answer) ==
        Lines{"one.example.test CNAME", "two.example.test CNAME", "mail.example.test A"});
  CHECK(answer.kind == Kind::answer);
  CHECK_FALSE(answer.next);
  CHECK(heads_of(ask(*zone, "one.example.test", Type::cname).answer) ==
        Lines{"one.example.test CNAME"});
}

TEST_CASE("look_up: behind a CNAME the last name counts (RFC 6604 3)") {
  const auto zone = example();
  const auto lost = ask(*zone, "lost.example.test", Type::a);
  CHECK(lost.rcode == Rcode::nxdomain);
  CHECK(lost.answer.size() == 1);
  CHECK(heads_of(lost.authority) == Lines{"example.test SOA"});
  const auto no_type = ask(*zone, "www.example.test", Type::aaaa);
  CHECK(no_type.kind == Kind::nodata);
  CHECK(no_type.answer.size() == 1);
}

TEST_CASE("look_up: where a CNAME leads out of the zone the caller goes on") {
  const auto zone = example();
  const auto away = ask(*zone, "away.example.test", Type::a);
  CHECK(away.kind == Kind::answer);
  REQUIRE(away.next);
  CHECK(away.next->text() == "www.elsewhere.test");
  const auto into = ask(*zone, "into.example.test", Type::a);
  CHECK(into.kind == Kind::referral);
  CHECK(into.authoritative);
  REQUIRE(into.next);
  CHECK(into.next->text() == "host.sub.example.test");
  CHECK(heads_of(into.authority) == Lines{"sub.example.test NS"});
}

TEST_CASE("look_up: a loop of CNAMEs is shown once") {
  const auto zone = example();
  const auto answer = ask(*zone, "loop1.example.test", Type::a);
  CHECK(heads_of(answer.answer) == Lines{"loop1.example.test CNAME", "loop2.example.test CNAME"});
  CHECK(answer.rcode == Rcode::noerror);
  CHECK_FALSE(answer.next);
}

TEST_CASE("look_up: a chain of a thousand CNAMEs is followed eleven times") {
  std::string chain = "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n";
  for (int i = 0; i < 1000; ++i) chain += fmt::format("n{} CNAME n{}\n", i, i + 1);
  const auto zone = zone_of("chain.test", chain);
  const auto answer = ask(*zone, "n0.chain.test", Type::a);
  CHECK(answer.answer.size() == max_chain);
  CHECK_FALSE(answer.next);
}

TEST_CASE("look_up: a referral has the glue that it can't do without first") {
  const auto zone = example();
  const auto answer = ask(*zone, "host.sub.example.test", Type::a);
  CHECK(answer.kind == Kind::referral);
  CHECK_FALSE(answer.authoritative);
  CHECK(answer.rcode == Rcode::noerror);
  CHECK(answer.answer.empty());
  CHECK(heads_of(answer.authority) == Lines{"sub.example.test NS"});
  CHECK(heads_of(answer.additional) == Lines{"ns.sub.example.test A", "mail.example.test A"});
  CHECK(answer.required_additional == 1);
}

TEST_CASE("look_up: glue itself is not answered, the delegation is") {
  const auto zone = example();
  for (const char* qname :
       {"ns.sub.example.test", "deep.ns.sub.example.test", "sub.example.test"}) {
    CHECK(ask(*zone, qname, Type::a).kind == Kind::referral);
  }
  CHECK(ask(*zone, "sub.example.test", Type::ns).kind == Kind::referral);
  CHECK(ask(*zone, "sub.example.test", Type::ds).kind == Kind::nodata);
  CHECK(ask(*zone, "host.sub.example.test", Type::ds).kind == Kind::referral);
}

TEST_CASE("look_up: DNAME renames what is below it, not itself") {
  const auto zone = example();
  const auto answer = ask(*zone, "host.old.example.test", Type::a);
  CHECK(lines_of(answer.answer) == Lines{"old.example.test DNAME new.example.test.",
                                         "host.old.example.test CNAME host.new.example.test.",
                                         "host.new.example.test A 192.0.2.6"});
  CHECK(answer.answer[1]->ttl == 3600);
  // Data below a DNAME is hidden (RFC 6672 2.4).
  CHECK(ask(*zone, "x.old.example.test", Type::a).rcode == Rcode::nxdomain);
  CHECK(ask(*zone, "old.example.test", Type::a).kind == Kind::nodata);
  CHECK(ask(*zone, "old.example.test", Type::dname).answer.size() == 1);
}

TEST_CASE("look_up: a DNAME that a chain passes twice is said once") {
  const auto zone = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 1 1 1 1 1
@ NS ns
tree DNAME target
y.x.target CNAME x.tree
x.target A 192.0.2.1
)");
  CHECK(heads_of(ask(*zone, "y.x.tree.a.test", Type::a).answer) ==
        Lines{"tree.a.test DNAME", "y.x.tree.a.test CNAME", "y.x.target.a.test CNAME",
              "x.tree.a.test CNAME", "x.target.a.test A"});
}

TEST_CASE("look_up: NSEC stands beside a CNAME only where a zone has NSEC") {
  const auto zone = example();
  CHECK(heads_of(ask(*zone, "www.example.test", Type::nsec).answer) ==
        Lines{"www.example.test CNAME"});
}

TEST_CASE("look_up: a DNAME that makes too long a name is YXDOMAIN") {
  const auto zone = example();
  const std::string qname = std::string(60, 'q') + ".long.example.test";
  const auto answer = ask(*zone, qname, Type::a);
  CHECK(answer.rcode == Rcode::yxdomain);
  CHECK(heads_of(answer.answer) == Lines{"long.example.test DNAME"});
}

TEST_CASE("look_up: a wildcard's CNAME stands under the asked name and is followed") {
  const auto zone = example();
  const auto answer = ask(*zone, "a.b.wild.example.test", Type::a);
  CHECK(heads_of(answer.answer) == Lines{"a.b.wild.example.test CNAME", "mail.example.test A"});
}

TEST_CASE("look_up: ANY gets one set (RFC 8482)") {
  const auto zone = example();
  CHECK(ask(*zone, "example.test", Type::any).answer.size() == 1);
  CHECK(heads_of(ask(*zone, "www.example.test", Type::any).answer) ==
        Lines{"www.example.test CNAME"});
}

TEST_CASE("look_up: RRSIG gets the signatures that the name has") {
  const auto zone = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 1 1 1 1 1
@ NS ns
@ RRSIG SOA 13 2 60 20300101000000 20200101000000 7 a.test. AAAA
@ RRSIG NS 13 2 60 20300101000000 20200101000000 7 a.test. AAAA
ns A 192.0.2.1
)");
  const auto answer = ask(*zone, "a.test", Type::rrsig);
  REQUIRE(answer.answer.size() == 1);
  CHECK(answer.answer[0]->rdata.size() == 2);
  CHECK(ask(*zone, "ns.a.test", Type::rrsig).kind == Kind::nodata);
}

TEST_CASE("look_up: a name outside is refused, also one that only ends alike") {
  const auto zone = example();
  for (const char* qname : {"test", "other.test", "notexample.test", "."}) {
    const auto answer = ask(*zone, qname, Type::a);
    CHECK(answer.kind == Kind::outside);
    CHECK(answer.rcode == Rcode::refused);
  }
}

TEST_CASE("look_up: the root can be a zone") {
  const auto zone = zone_of(".", R"(
$TTL 60
. SOA a.root. h. 1 1 1 1 60
. NS a.root.
a.root. A 192.0.2.1
test. NS ns.test.
ns.test. A 192.0.2.2
)");
  CHECK(ask(*zone, "www.example.test", Type::a).kind == Kind::referral);
  CHECK(ask(*zone, "nothing", Type::a).rcode == Rcode::nxdomain);
  CHECK(ask(*zone, ".", Type::ns).answer.size() == 1);
}

TEST_CASE("look_up: an answer that is used again keeps nothing of the last one") {
  const auto zone = example();
  ZoneAnswer answer;
  look_up(*zone, name("host.old.example.test"), Type::a, false, answer);
  look_up(*zone, name("elsewhere.test"), Type::a, false, answer);
  CHECK(answer.answer.empty());
  CHECK(answer.synthesised.empty());
  CHECK(answer.rcode == Rcode::refused);
}
