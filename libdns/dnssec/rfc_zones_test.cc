// The examples of RFC 4035 appendix B and RFC 5155 appendix B, with the RFCs' own signatures.
#include "libdns/dnssec/rfc_zones.h"

#include "libdns/dnssec/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace posthorn::dns::test;

namespace {

CryptoLimits limits() {
  CryptoLimits limits;
  limits.sha1 = Sha1::allowed;  // both zones are signed so
  limits.verifications = 1000;
  return limits;
}

struct RfcZone {
  RfcZone(std::string_view text, std::uint32_t time) : now(time), sets(sets_of(text)) {
    const RrSet dnskeys = set_in(sets, "example", Type::dnskey);
    std::vector<Ds> trusted;
    for (const Record& record : dnskeys.records()) {
      const auto& key = *record.as<Dnskey>();
      if ((key.flags & Dnskey::secure_entry_point) != 0)
        trusted.push_back(make_ds(dnskeys.owner, key));
    }
    auto checked = check_dnskeys(dnskeys, trusted, now, budget);
    REQUIRE(checked.verdict.why == "");
    keys = std::move(checked.keys);
  }
  Denials proof(Type type, const std::vector<std::string>& owners) {
    std::vector<RrSet> chosen;
    for (const std::string& owner : owners) chosen.push_back(set_in(sets, owner, type));
    Denials denials = secure_denials(chosen, keys, now, budget);
    CHECK(denials.worst.why == "");
    REQUIRE(denials.sets.size() == owners.size());
    return denials;
  }
  // What the wildcard's set looks like where it answers for `owner`.
  SetVerdict expanded(std::string_view wildcard, Type type, std::string_view owner) {
    RrSet set = set_in(sets, wildcard, type);
    set.owner = name(owner);
    return check_rrset(set, keys, now, budget);
  }

  std::uint32_t now;
  std::vector<RrSet> sets;
  CryptoBudget budget{limits()};
  ZoneKeys keys;
};

void check_all_signed(RfcZone& zone, std::size_t expected) {
  std::size_t checked = 0;
  for (const RrSet& set : zone.sets) {
    if (set.signatures.empty()) continue;
    const SetVerdict verdict = check_rrset(set, zone.keys, zone.now, zone.budget);
    CHECK(verdict.verdict.why == "");
    CHECK_FALSE(verdict.wildcard);
    ++checked;
  }
  CHECK(checked == expected);
}

}  // namespace

TEST_CASE("RFC 4035 A: every signature of the zone is good") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  check_all_signed(zone, 26);
}

TEST_CASE("RFC 4035 B.2: no such name") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  const Denials proof = zone.proof(Type::nsec, {"b.example", "example"});
  CHECK(denies_name(proof, name("ml.example"), zone.budget).why == "");
  // Each of the two is needed.
  CHECK(denies_name(zone.proof(Type::nsec, {"b.example"}), name("ml.example"), zone.budget)
            .is_bogus());
  CHECK(
      denies_name(zone.proof(Type::nsec, {"example"}), name("ml.example"), zone.budget).is_bogus());
}

TEST_CASE("RFC 4035 B.3: no such type") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  const Denials proof = zone.proof(Type::nsec, {"ns1.example"});
  CHECK(denies_type(proof, name("ns1.example"), Type::mx, zone.budget).why == "");
  CHECK(denies_type(proof, name("ns1.example"), Type::a, zone.budget).is_bogus());
}

TEST_CASE("RFC 4035 B.5: an unsigned delegation") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  const DsDenial denial =
      denies_ds(zone.proof(Type::nsec, {"b.example"}), name("b.example"), zone.budget);
  CHECK(denial.verdict.why == "");
  CHECK(denial.is_delegation);
  CHECK(denies_ds(zone.proof(Type::nsec, {"a.example"}), name("a.example"), zone.budget)
            .verdict.is_bogus());
}

TEST_CASE("RFC 4035 B.6: a wildcard stands for a name") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  const SetVerdict verdict = zone.expanded("*.w.example", Type::mx, "a.z.w.example");
  CHECK(verdict.verdict.why == "");
  REQUIRE(verdict.wildcard == name("*.w.example"));
  const Denials proof = zone.proof(Type::nsec, {"x.y.w.example"});
  CHECK(denies_closer_name(proof, name("a.z.w.example"), *verdict.wildcard, zone.budget).why == "");
  CHECK(denies_closer_name(zone.proof(Type::nsec, {"ns1.example"}), name("a.z.w.example"),
                           *verdict.wildcard, zone.budget)
            .is_bogus());
}

TEST_CASE("RFC 4035 B.7: a wildcard without the type") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  const Denials proof = zone.proof(Type::nsec, {"x.y.w.example", "*.w.example"});
  CHECK(denies_type(proof, name("a.z.w.example"), Type::aaaa, zone.budget).why == "");
  CHECK(denies_type(proof, name("a.z.w.example"), Type::mx, zone.budget).is_bogus());
}

TEST_CASE("RFC 4035 B.8: no DS at the apex of the child") {
  RfcZone zone(rfc4035_zone, rfc4035_now);
  // Asked at the wrong server, the child answers by its own NSEC, which proves nothing about DS.
  const Denials proof = zone.proof(Type::nsec, {"example"});
  CHECK(denies_type(proof, name("example"), Type::ds, zone.budget).is_bogus());
}

TEST_CASE("RFC 5155 A: every signature of the zone is good") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  check_all_signed(zone, 30);
}

TEST_CASE("RFC 5155 A: the names hash as it says") {
  const auto [owner, hash] = GENERATE(table<std::string, std::string>({
      {"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
      {"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
      {"ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"},
      {"ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
      {"ns2.example", "q04jkcevqvmu85r014c7dkba38o0ji5r"},
      {"w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
      {"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
      {"x.w.example", "b4um86eghhds6nea196smvmlo4ors995"},
      {"y.w.example", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"},
      {"X.Y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"},
      {"xx.example", "t644ebqk9bibcna874givr6joj62mlhv"},
      {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"},
  }));
  CHECK(nsec3_label(nsec3_hash(name(owner), "\xaa\xbb\xcc\xdd", 12)) == hash);
}

TEST_CASE("RFC 5155 B.1: no such name, in a span that leaves unsigned delegations out") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const std::string next_closer = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example";
  const std::string encloser = "b4um86eghhds6nea196smvmlo4ors995.example";
  const std::string wildcard = "35mthgpgcu1qg68fab165klnsnk3dpvl.example";
  const Denials proof = zone.proof(Type::nsec3, {next_closer, encloser, wildcard});
  const Verdict verdict = denies_name(proof, name("a.c.x.w.example"), zone.budget);
  CHECK(verdict.security == Security::insecure);
  CHECK_THAT(verdict.why, Catch::Contains("unsigned delegations"));
  // Each of the three is needed.
  for (const auto& part : {std::vector{next_closer, encloser}, std::vector{encloser, wildcard},
                           std::vector{next_closer, wildcard}}) {
    CHECK(denies_name(zone.proof(Type::nsec3, part), name("a.c.x.w.example"), zone.budget)
              .is_bogus());
  }
}

TEST_CASE("RFC 5155 B.2: no such type, and a name that exists only for others below it") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const Denials ns1 = zone.proof(Type::nsec3, {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example"});
  CHECK(denies_type(ns1, name("ns1.example"), Type::mx, zone.budget).why == "");
  CHECK(denies_type(ns1, name("ns1.example"), Type::a, zone.budget).is_bogus());
  const Denials empty = zone.proof(Type::nsec3, {"ji6neoaepv8b5o6k4ev33abha8ht9fgc.example"});
  CHECK(denies_type(empty, name("y.w.example"), Type::a, zone.budget).why == "");
  CHECK(denies_type(empty, name("y.w.example"), Type::any, zone.budget).why == "");
}

TEST_CASE("RFC 5155 B.3: a delegation that opt-out leaves out") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const Denials proof = zone.proof(Type::nsec3, {"35mthgpgcu1qg68fab165klnsnk3dpvl.example",
                                                 "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example"});
  const DsDenial denial = denies_ds(proof, name("c.example"), zone.budget);
  CHECK(denial.verdict.security == Security::insecure);
  CHECK(denial.is_delegation);
  // a.example has a DS.
  CHECK(denies_ds(proof, name("a.example"), zone.budget).verdict.is_bogus());
}

TEST_CASE("RFC 5155 B.4: a wildcard stands for a name") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const SetVerdict verdict = zone.expanded("*.w.example", Type::mx, "a.z.w.example");
  CHECK(verdict.verdict.why == "");
  REQUIRE(verdict.wildcard == name("*.w.example"));
  const Denials proof = zone.proof(Type::nsec3, {"q04jkcevqvmu85r014c7dkba38o0ji5r.example"});
  CHECK(denies_closer_name(proof, name("a.z.w.example"), *verdict.wildcard, zone.budget).security ==
        Security::insecure);
  const Denials other = zone.proof(Type::nsec3, {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example"});
  CHECK(
      denies_closer_name(other, name("a.z.w.example"), *verdict.wildcard, zone.budget).is_bogus());
}

TEST_CASE("RFC 5155 B.5: a wildcard without the type") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const Denials proof = zone.proof(Type::nsec3, {"k8udemvp1j2f7eg6jebps17vp3n8i58h.example",
                                                 "q04jkcevqvmu85r014c7dkba38o0ji5r.example",
                                                 "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example"});
  CHECK(denies_type(proof, name("a.z.w.example"), Type::aaaa, zone.budget).security ==
        Security::insecure);
  CHECK(denies_type(proof, name("a.z.w.example"), Type::mx, zone.budget).is_bogus());
}

TEST_CASE("RFC 5155 B.6: no DS at the apex, asked at the child") {
  RfcZone zone(rfc5155_zone, rfc5155_now);
  const Denials proof = zone.proof(Type::nsec3, {"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example"});
  CHECK(denies_type(proof, name("example"), Type::ds, zone.budget).is_bogus());
  CHECK(denies_ds(proof, name("example"), zone.budget).verdict.is_bogus());
}
