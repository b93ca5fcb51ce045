// The answers of RFC 4592 2.2, RFC 4035 appendix B and RFC 5155 appendix B, on the zones given there.
// Of the RRSIGs only the SOA's stand here: which sets are sent is what is tested.
#include "libdns/zone/test_zone.h"

using namespace posthorn::dns;

namespace {

const char* const wildcards = R"(
$TTL 3600
example. SOA ns.example.com. hostmaster.example.com. 1 3600 600 86400 300
example. NS ns.example.com.
example. NS ns.example.net.
*.example. TXT "this is a wildcard"
*.example. MX 10 host1.example.
sub.*.example. TXT "this is not a wildcard"
host1.example. A 192.0.2.1
_ssh._tcp.host1.example. SRV 0 0 22 host1.example.
_ssh._tcp.host2.example. SRV 0 0 22 host1.example.
subdel.example. NS ns.example.com.
subdel.example. NS ns.example.net.
)";

const char* const signed_nsec = R"(
example. 3600 SOA ns1.example. bugs.x.w.example. 1081539377 3600 300 3600000 3600
example. 3600 RRSIG SOA 5 1 3600 20040509183619 20040409183619 38519 example. AAAA
example. 3600 NS ns1.example.
example. 3600 NS ns2.example.
example. 3600 MX 1 xx.example.
example. 3600 NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY
example. 3600 DNSKEY 256 3 5 AQAB
example. 3600 DNSKEY 257 3 5 AQAB
a.example. 3600 NS ns1.a.example.
a.example. 3600 NS ns2.a.example.
a.example. 3600 DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B
a.example. 3600 NSEC ai.example. NS DS RRSIG NSEC
ns1.a.example. 3600 A 192.0.2.5
ns2.a.example. 3600 A 192.0.2.6
ai.example. 3600 A 192.0.2.9
ai.example. 3600 HINFO "KLH-10" "ITS"
ai.example. 3600 AAAA 2001:db8::f00:baa9
ai.example. 3600 NSEC b.example. A HINFO AAAA RRSIG NSEC
b.example. 3600 NS ns1.b.example.
b.example. 3600 NS ns2.b.example.
b.example. 3600 NSEC ns1.example. NS RRSIG NSEC
ns1.b.example. 3600 A 192.0.2.7
ns2.b.example. 3600 A 192.0.2.8
ns1.example. 3600 A 192.0.2.1
ns1.example. 3600 NSEC ns2.example. A RRSIG NSEC
ns2.example. 3600 A 192.0.2.2
ns2.example. 3600 NSEC *.w.example. A RRSIG NSEC
*.w.example. 3600 MX 1 ai.example.
*.w.example. 3600 NSEC x.w.example. MX RRSIG NSEC
x.w.example. 3600 MX 1 xx.example.
x.w.example. 3600 NSEC x.y.w.example. MX RRSIG NSEC
x.y.w.example. 3600 MX 1 xx.example.
x.y.w.example. 3600 NSEC xx.example. MX RRSIG NSEC
xx.example. 3600 A 192.0.2.10
xx.example. 3600 HINFO "KLH-10" "TOPS-20"
xx.example. 3600 AAAA 2001:db8::f00:baaa
xx.example. 3600 NSEC example. A HINFO AAAA RRSIG NSEC
)";

const char* const signed_nsec3 = R"(
example. 3600 SOA ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600
example. 3600 RRSIG SOA 7 1 3600 20150420235959 20051021000000 40430 example. AAAA
example. 3600 NS ns1.example.
example. 3600 NS ns2.example.
example. 3600 MX 1 xx.example.
example. 3600 DNSKEY 256 3 7 AQAB
example. 3600 DNSKEY 257 3 7 AQAB
example. 3600 NSEC3PARAM 1 0 12 aabbccdd
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 3600 NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG
2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. 3600 A 192.0.2.127
2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. 3600 NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG
2vptu5timamqttgl4luu9kg21e0aor3s.example. 3600 NSEC3 1 1 12 aabbccdd 35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG
35mthgpgcu1qg68fab165klnsnk3dpvl.example. 3600 NSEC3 1 1 12 aabbccdd b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG
a.example. 3600 NS ns1.a.example.
a.example. 3600 NS ns2.a.example.
a.example. 3600 DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C
ns1.a.example. 3600 A 192.0.2.5
ns2.a.example. 3600 A 192.0.2.6
ai.example. 3600 A 192.0.2.9
ai.example. 3600 HINFO "KLH-10" "ITS"
ai.example. 3600 AAAA 2001:db8:0:0:0:0:f00:baa9
b4um86eghhds6nea196smvmlo4ors995.example. 3600 NSEC3 1 1 12 aabbccdd gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG
c.example. 3600 NS ns1.c.example.
c.example. 3600 NS ns2.c.example.
ns1.c.example. 3600 A 192.0.2.7
ns2.c.example. 3600 A 192.0.2.8
gjeqe526plbf1g8mklp59enfd789njgi.example. 3600 NSEC3 1 1 12 aabbccdd ji6neoaepv8b5o6k4ev33abha8ht9fgc HINFO A AAAA RRSIG
ji6neoaepv8b5o6k4ev33abha8ht9fgc.example. 3600 NSEC3 1 1 12 aabbccdd k8udemvp1j2f7eg6jebps17vp3n8i58h
k8udemvp1j2f7eg6jebps17vp3n8i58h.example. 3600 NSEC3 1 1 12 aabbccdd kohar7mbb8dc2ce8a9qvl8hon4k53uhi
kohar7mbb8dc2ce8a9qvl8hon4k53uhi.example. 3600 NSEC3 1 1 12 aabbccdd q04jkcevqvmu85r014c7dkba38o0ji5r A RRSIG
ns1.example. 3600 A 192.0.2.1
ns2.example. 3600 A 192.0.2.2
q04jkcevqvmu85r014c7dkba38o0ji5r.example. 3600 NSEC3 1 1 12 aabbccdd r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG
r53bq7cc2uvmubfu5ocmm6pers9tk9en.example. 3600 NSEC3 1 1 12 aabbccdd t644ebqk9bibcna874givr6joj62mlhv MX RRSIG
t644ebqk9bibcna874givr6joj62mlhv.example. 3600 NSEC3 1 1 12 aabbccdd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom HINFO A AAAA RRSIG
*.w.example. 3600 MX 1 ai.example.
x.w.example. 3600 MX 1 xx.example.
x.y.w.example. 3600 MX 1 xx.example.
xx.example. 3600 A 192.0.2.10
xx.example. 3600 HINFO "KLH-10" "TOPS-20"
xx.example. 3600 AAAA 2001:db8:0:0:0:0:f00:baaa
)";

using Kind = ZoneAnswer::Kind;

}  // namespace

TEST_CASE("RFC 4592 2.2.1: names that don't exist are answered from the wildcard") {
  const auto zone = zone_of("example", wildcards);
  const auto mx = ask(*zone, "host3.example", Type::mx);
  CHECK(lines_of(mx.answer) == Lines{"host3.example MX 10 host1.example."});
  CHECK(lines_of(mx.additional) == Lines{"host1.example A 192.0.2.1"});
  CHECK(mx.authoritative);
  const auto txt = ask(*zone, "foo.bar.example", Type::txt);
  CHECK(lines_of(txt.answer) == Lines{R"(foo.bar.example TXT "this is a wildcard")"});
  const auto a = ask(*zone, "host3.example", Type::a);
  CHECK(a.kind == Kind::nodata);
  CHECK(a.rcode == Rcode::noerror);
  CHECK(heads_of(a.authority) == Lines{"example SOA"});
}

TEST_CASE("RFC 4592 2.2.1: what exists is never answered from the wildcard") {
  const auto zone = zone_of("example", wildcards);
  const auto [qname, type, kind] = GENERATE(table<const char*, Type, Kind>({
      {"host1.example", Type::mx, Kind::nodata},
      {"sub.*.example", Type::mx, Kind::nodata},
      {"_telnet._tcp.host1.example", Type::srv, Kind::nxdomain},
      {"host.subdel.example", Type::a, Kind::referral},
      {"ghost.*.example", Type::mx, Kind::nxdomain},
      {"_tcp.host2.example", Type::a, Kind::nodata},  // empty non-terminals
      {"host2.example", Type::mx, Kind::nodata},
  }));
  CAPTURE(qname);
  const auto answer = ask(*zone, qname, type);
  CHECK(answer.kind == kind);
  CHECK(answer.answer.empty());
  CHECK(answer.rcode == (kind == Kind::nxdomain ? Rcode::nxdomain : Rcode::noerror));
}

TEST_CASE("RFC 4592 2.3: asked for by name a wildcard is a name like others") {
  const auto zone = zone_of("example", wildcards);
  CHECK(lines_of(ask(*zone, "*.example", Type::mx).answer) ==
        Lines{"*.example MX 10 host1.example."});
  CHECK(ask(*zone, "*.example", Type::a).kind == Kind::nodata);
}

TEST_CASE("RFC 4592 2.2.2: a wildcard that is an empty non-terminal matches and has no data") {
  const auto zone = zone_of("example", R"(
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
sub.*.wild TXT "deep"
)");
  CHECK(ask(*zone, "x.wild.example", Type::a).kind == Kind::nodata);
  CHECK(ask(*zone, "x.other.example", Type::a).kind == Kind::nxdomain);
}

TEST_CASE("RFC 4035 B.1: an answer") {
  const auto zone = zone_of("example", signed_nsec);
  REQUIRE(zone->denial() == Denial::nsec);
  const auto answer = ask(*zone, "x.w.example", Type::mx, true);
  CHECK(lines_of(answer.answer) == Lines{"x.w.example MX 1 xx.example."});
  CHECK(answer.authority.empty());
  CHECK(heads_of(answer.additional) == Lines{"xx.example A", "xx.example AAAA"});
}

TEST_CASE("RFC 4035 B.2: a name error shows that neither name nor wildcard exists") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "ml.example", Type::a, true);
  CHECK(answer.rcode == Rcode::nxdomain);
  CHECK(heads_of(answer.authority) == Lines{"example SOA", "b.example NSEC", "example NSEC"});
  CHECK(answer.authority[0]->signatures.size() == 1);
}

TEST_CASE("RFC 4035 B.3: no data shows which types there are") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "ns1.example", Type::mx, true);
  CHECK(answer.kind == Kind::nodata);
  CHECK(heads_of(answer.authority) == Lines{"example SOA", "ns1.example NSEC"});
}

TEST_CASE("RFC 4035 B.4: a referral to a signed zone has the DS") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "mc.a.example", Type::mx, true);
  CHECK(answer.kind == Kind::referral);
  CHECK_FALSE(answer.authoritative);
  CHECK(heads_of(answer.authority) == Lines{"a.example NS", "a.example DS"});
  CHECK(lines_of(answer.additional) ==
        Lines{"ns1.a.example A 192.0.2.5", "ns2.a.example A 192.0.2.6"});
  CHECK(answer.required_additional == 2);
  // RFC 4035 3.2.1: not to those who don't know DNSSEC.
  CHECK(heads_of(ask(*zone, "mc.a.example", Type::mx).authority) == Lines{"a.example NS"});
}

TEST_CASE("RFC 4035 B.5: a referral to an unsigned zone shows that there is no DS") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "mc.b.example", Type::mx, true);
  CHECK(heads_of(answer.authority) == Lines{"b.example NS", "b.example NSEC"});
  CHECK(heads_of(ask(*zone, "mc.b.example", Type::mx).authority) == Lines{"b.example NS"});
}

TEST_CASE("RFC 4035 B.6: a wildcard's answer shows that nothing closer exists") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "a.z.w.example", Type::mx, true);
  CHECK(lines_of(answer.answer) == Lines{"a.z.w.example MX 1 ai.example."});
  CHECK(heads_of(answer.authority) == Lines{"x.y.w.example NSEC"});
  CHECK(heads_of(answer.additional) == Lines{"ai.example A", "ai.example AAAA"});
}

TEST_CASE("RFC 4035 B.7: no data from a wildcard shows both") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "a.z.w.example", Type::aaaa, true);
  CHECK(answer.kind == Kind::nodata);
  CHECK(heads_of(answer.authority) ==
        Lines{"example SOA", "*.w.example NSEC", "x.y.w.example NSEC"});
}

TEST_CASE("RFC 4035 B.8: the child has no DS of its own") {
  const auto zone = zone_of("example", signed_nsec);
  const auto answer = ask(*zone, "example", Type::ds, true);
  CHECK(answer.kind == Kind::nodata);
  CHECK(heads_of(answer.authority) == Lines{"example SOA", "example NSEC"});
}

TEST_CASE("RFC 4035 3.1.4.1: the parent answers for the DS at a delegation") {
  const auto zone = zone_of("example", signed_nsec);
  const auto with = ask(*zone, "a.example", Type::ds, true);
  CHECK(with.authoritative);
  CHECK(heads_of(with.answer) == Lines{"a.example DS"});
  const auto without = ask(*zone, "b.example", Type::ds, true);
  CHECK(without.kind == Kind::nodata);
  CHECK(heads_of(without.authority) == Lines{"example SOA", "b.example NSEC"});
}

TEST_CASE("Proofs: an empty non-terminal is covered by the NSEC before it, and glue has none") {
  const auto zone = zone_of("example", signed_nsec);
  const auto empty = ask(*zone, "y.w.example", Type::a, true);
  CHECK(empty.kind == Kind::nodata);
  CHECK(heads_of(empty.authority) == Lines{"example SOA", "x.w.example NSEC"});
  const auto behind_glue = ask(*zone, "bb.example", Type::a, true);
  CHECK(heads_of(behind_glue.authority) == Lines{"example SOA", "b.example NSEC", "example NSEC"});
}

TEST_CASE("Proofs: without DO nothing of DNSSEC is sent but what is asked for") {
  const auto zone = zone_of("example", signed_nsec);
  CHECK(heads_of(ask(*zone, "ml.example", Type::a).authority) == Lines{"example SOA"});
  CHECK(heads_of(ask(*zone, "ns1.example", Type::nsec).answer) == Lines{"ns1.example NSEC"});
}

namespace {

std::string owner3(const char* hash, const char* type = " NSEC3") {
  return std::string(hash) + ".example" + type;
}
const char* const h_apex = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom";
const char* const h_ns1 = "2t7b4g4vsa5smi47k61mv5bv1a22bojr";
const char* const h_a = "35mthgpgcu1qg68fab165klnsnk3dpvl";
const char* const h_xw = "b4um86eghhds6nea196smvmlo4ors995";
const char* const h_yw = "ji6neoaepv8b5o6k4ev33abha8ht9fgc";
const char* const h_w = "k8udemvp1j2f7eg6jebps17vp3n8i58h";
const char* const h_ns2 = "q04jkcevqvmu85r014c7dkba38o0ji5r";
const char* const h_wild = "r53bq7cc2uvmubfu5ocmm6pers9tk9en";

}  // namespace

TEST_CASE("RFC 5155 B.1: a name error shows encloser, next closer name and wildcard") {
  const auto zone = zone_of("example", signed_nsec3);
  REQUIRE(zone->denial() == Denial::nsec3);
  const auto answer = ask(*zone, "a.c.x.w.example", Type::a, true);
  CHECK(answer.rcode == Rcode::nxdomain);
  CHECK(heads_of(answer.authority) ==
        Lines{"example SOA", owner3(h_xw), owner3(h_apex), owner3(h_a)});
}

TEST_CASE("RFC 5155 B.2: no data, also of an empty non-terminal") {
  const auto zone = zone_of("example", signed_nsec3);
  CHECK(heads_of(ask(*zone, "ns1.example", Type::mx, true).authority) ==
        Lines{"example SOA", owner3(h_ns1)});
  CHECK(heads_of(ask(*zone, "y.w.example", Type::a, true).authority) ==
        Lines{"example SOA", owner3(h_yw)});
}

TEST_CASE("RFC 5155 B.3: a delegation in an opt-out span has the closest provable encloser") {
  const auto zone = zone_of("example", signed_nsec3);
  const auto answer = ask(*zone, "mc.c.example", Type::mx, true);
  CHECK(answer.kind == Kind::referral);
  CHECK(heads_of(answer.authority) == Lines{"c.example NS", owner3(h_apex), owner3(h_a)});
  CHECK(heads_of(answer.additional) == Lines{"ns1.c.example A", "ns2.c.example A"});
}

TEST_CASE("RFC 5155 B.4 and B.5: a wildcard, with and without data") {
  const auto zone = zone_of("example", signed_nsec3);
  const auto data = ask(*zone, "a.z.w.example", Type::mx, true);
  CHECK(lines_of(data.answer) == Lines{"a.z.w.example MX 1 ai.example."});
  CHECK(heads_of(data.authority) == Lines{owner3(h_ns2)});
  const auto none = ask(*zone, "a.z.w.example", Type::aaaa, true);
  CHECK(heads_of(none.authority) ==
        Lines{"example SOA", owner3(h_w), owner3(h_ns2), owner3(h_wild)});
}

TEST_CASE("RFC 5155 B.6 and 7.2.4: no DS, at the child and at the parent") {
  const auto zone = zone_of("example", signed_nsec3);
  CHECK(heads_of(ask(*zone, "example", Type::ds, true).authority) ==
        Lines{"example SOA", owner3(h_apex)});
  CHECK(heads_of(ask(*zone, "c.example", Type::ds, true).authority) ==
        Lines{"example SOA", owner3(h_apex), owner3(h_a)});
}

TEST_CASE("RFC 5155 7.2.8: the owner of an NSEC3 is no name of the zone") {
  const auto zone = zone_of("example", signed_nsec3);
  CHECK(ask(*zone, std::string(h_w) + ".example", Type::nsec3, true).rcode == Rcode::nxdomain);
  CHECK(heads_of(ask(*zone, std::string(h_ns1) + ".example", Type::a).answer) ==
        Lines{owner3(h_ns1, " A")});
}
