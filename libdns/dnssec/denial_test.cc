#include "libdns/dnssec/denial.h"

#include "libdns/dnssec/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace posthorn::dns::test;

namespace {

// Names in canonical order: apex, a, deep (an empty non-terminal) with x.y.deep, dn, m, sub
// (unsigned), sub2 (signed), *.w, w.w, www.
const char* const records = R"(
a.example.org.        A 192.0.2.1
x.y.deep.example.org. A 192.0.2.2
dn.example.org.       DNAME elsewhere.example.
m.example.org.        CNAME www.example.org.
sub.example.org.      NS ns.sub.example.org.
ns.sub.example.org.   A 192.0.2.3
sub2.example.org.     NS ns.example.net.
sub2.example.org.     DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
*.w.example.org.      TXT "star"
w.w.example.org.      TXT "w"
www.example.org.      A 192.0.2.4
)";

SignedZone nsec_zone() {
  return SignedZone("example.org", records);
}
SignedZone nsec3_zone(bool opt_out = false, std::uint16_t iterations = 0) {
  Nsec3Parameters parameters;
  parameters.salt = "\xaa\xbb";
  parameters.opt_out = opt_out;
  parameters.iterations = iterations;
  return SignedZone("example.org", records, parameters);
}

Security name_denied(const Denials& proof, std::string_view owner) {
  CryptoBudget budget;
  return denies_name(proof, name(owner), budget).security;
}
Security type_denied(const Denials& proof, std::string_view owner, Type type) {
  CryptoBudget budget;
  return denies_type(proof, name(owner), type, budget).security;
}
DsDenial ds_denied(const Denials& proof, std::string_view owner) {
  CryptoBudget budget;
  return denies_ds(proof, name(owner), budget);
}
Security closer_denied(const Denials& proof, std::string_view owner, std::string_view wildcard) {
  CryptoBudget budget;
  return denies_closer_name(proof, name(owner), name(wildcard), budget).security;
}

constexpr Security secure = Security::secure;
constexpr Security insecure = Security::insecure;
constexpr Security bogus = Security::bogus;

// Takes the place of what a set says.
template <class T, class Change>
RrSet changed(RrSet set, const Change& change) {
  Rdata data = *rdata_from_wire(set.type, set.rdata.front());
  change(std::get<T>(data));
  set.rdata = {rdata_to_wire(data)};
  return set;
}
Denials of(const SignedZone& zone, std::vector<RrSet> sets) {
  Denials denials;
  denials.zone = zone.zone;
  denials.sets = std::move(sets);
  return denials;
}

}  // namespace

// The truth, whichever of the two a zone has: what a whole chain proves and what it doesn't.
TEST_CASE("Denial: NSEC and NSEC3 prove what is so and nothing else") {
  const bool is_nsec3 = GENERATE(false, true);
  CAPTURE(is_nsec3);
  const SignedZone zone = is_nsec3 ? nsec3_zone() : nsec_zone();
  const Denials all = zone.whole_chain();

  for (const char* absent : {"b.example.org", "zzz.example.org", "q.a.example.org", "0.example.org",
                             "z.deep.example.org", "a.b.c.example.org"})
    CHECK(name_denied(all, absent) == secure);
  for (const char* there :
       {"example.org", "a.example.org", "deep.example.org", "y.deep.example.org",
        "x.y.deep.example.org", "w.example.org", "*.w.example.org", "q.w.example.org",
        "sub.example.org", "www.example.org", "example.com", "org"})
    CHECK(name_denied(all, there) == bogus);
  // Another zone's names, and what a DNAME stands for.
  for (const char* elsewhere :
       {"q.sub.example.org", "ns.sub.example.org", "q.sub2.example.org", "q.dn.example.org"})
    CHECK(name_denied(all, elsewhere) == bogus);

  CHECK(type_denied(all, "a.example.org", Type::mx) == secure);
  CHECK(type_denied(all, "a.example.org", Type::a) == bogus);
  CHECK(type_denied(all, "A.EXAMPLE.ORG", Type::mx) == secure);
  CHECK(type_denied(all, "deep.example.org", Type::a) == secure);
  CHECK(type_denied(all, "y.deep.example.org", Type::any) == secure);
  CHECK(type_denied(all, "a.example.org", Type::any) == bogus);
  CHECK(type_denied(all, "q.w.example.org", Type::a) == secure);
  CHECK(type_denied(all, "q.q.w.example.org", Type::a) == secure);
  CHECK(type_denied(all, "q.w.example.org", Type::txt) == bogus);
  CHECK(type_denied(all, "w.w.example.org", Type::a) == secure);
  CHECK(type_denied(all, "b.example.org", Type::a) == bogus);
  CHECK(type_denied(all, "example.com", Type::a) == bogus);
  // CNAME would have been the answer.
  CHECK(type_denied(all, "m.example.org", Type::a) == bogus);
  // The parent knows about DS and nothing else of a child; the zone nothing about its own DS.
  CHECK(type_denied(all, "sub.example.org", Type::a) == bogus);
  CHECK(type_denied(all, "sub.example.org", Type::ds) == secure);
  CHECK(type_denied(all, "sub2.example.org", Type::ds) == bogus);
  CHECK(type_denied(all, "example.org", Type::ds) == bogus);
  CHECK(type_denied(all, "ns.sub.example.org", Type::ds) == bogus);

  CHECK(ds_denied(all, "sub.example.org").verdict.is_secure());
  CHECK(ds_denied(all, "sub.example.org").is_delegation);
  CHECK(ds_denied(all, "sub2.example.org").verdict.is_bogus());
  CHECK(ds_denied(all, "example.org").verdict.is_bogus());
  CHECK(ds_denied(all, "q.sub.example.org").verdict.is_bogus());
  for (const char* inside :
       {"a.example.org", "b.example.org", "deep.example.org", "m.example.org"}) {
    CHECK(ds_denied(all, inside).verdict.is_secure());
    CHECK_FALSE(ds_denied(all, inside).is_delegation);
  }

  CHECK(closer_denied(all, "q.w.example.org", "*.w.example.org") == secure);
  CHECK(closer_denied(all, "q.q.w.example.org", "*.w.example.org") == secure);
  CHECK(closer_denied(all, "w.w.example.org", "*.w.example.org") == bogus);
  CHECK(closer_denied(all, "q.w.w.example.org", "*.w.example.org") == bogus);
  CHECK(closer_denied(all, "w.example.org", "*.w.example.org") == bogus);
  CHECK(closer_denied(all, "y.deep.example.org", "*.deep.example.org") == bogus);
  CHECK(closer_denied(all, "q.w.example.org", "w.example.org") == bogus);
}

TEST_CASE("NSEC: both the name and the wildcard must be denied") {
  const SignedZone zone = nsec_zone();
  CHECK(name_denied(zone.proof({"a.example.org", "example.org"}), "b.example.org") == secure);
  CHECK(name_denied(zone.proof({"a.example.org"}), "b.example.org") == bogus);
  CHECK(name_denied(zone.proof({"example.org"}), "b.example.org") == bogus);
  CHECK(name_denied(zone.proof({}), "b.example.org") == bogus);
}

TEST_CASE("NSEC: a denial is no stronger than its place, the last one goes to the apex") {
  const SignedZone zone = nsec_zone();
  CHECK(name_denied(zone.proof({"www.example.org", "example.org"}), "zzz.example.org") == secure);
  CHECK(name_denied(zone.proof({"www.example.org", "example.org"}), "wwv.example.org") == bogus);
  CHECK(name_denied(zone.proof({"www.example.org", "example.org"}), "zzz.example.com") == bogus);
}

TEST_CASE("NSEC: a next name outside of the zone is ignored") {
  const SignedZone zone = nsec_zone();
  for (const char* next : {"example.com", "org", ".", "zzz.org"}) {
    const RrSet lie = changed<Nsec>(zone.link(name("a.example.org")),
                                    [&](Nsec& nsec) { nsec.next = name(next); });
    CHECK(name_denied(of(zone, {lie, zone.link(name("example.org"))}), "b.example.org") == bogus);
  }
}

TEST_CASE("NSEC: one that goes back without going to the apex is ignored") {
  const SignedZone zone = nsec_zone();
  const RrSet lie = changed<Nsec>(zone.link(name("m.example.org")),
                                  [](Nsec& nsec) { nsec.next = name("a.example.org"); });
  CHECK(name_denied(of(zone, {lie, zone.link(name("example.org"))}), "n.example.org") == bogus);
}

TEST_CASE("NSEC: of another zone or twice at one name it is ignored") {
  const SignedZone zone = nsec_zone();
  RrSet above = zone.link(name("example.org"));
  above.owner = name("org");
  CHECK(name_denied(of(zone, {above, zone.link(name("a.example.org"))}), "b.example.org") == bogus);
  RrSet twice = zone.link(name("a.example.org"));
  twice.add(zone.link(name("www.example.org")).rdata.front());
  CHECK(name_denied(of(zone, {twice, zone.link(name("example.org"))}), "b.example.org") == bogus);
}

TEST_CASE("NSEC: the parent's at a delegation denies nothing below and no type but DS") {
  const SignedZone zone = nsec_zone();
  const Denials proof = zone.proof({"sub.example.org", "example.org"});
  CHECK(name_denied(proof, "q.sub.example.org") == bogus);
  CHECK(type_denied(proof, "q.sub.example.org", Type::ds) == bogus);
  CHECK(type_denied(proof, "sub.example.org", Type::txt) == bogus);
  CHECK(ds_denied(proof, "q.sub.example.org").verdict.is_bogus());
  // Beside it, it does.
  CHECK(name_denied(proof, "sub1.example.org") == secure);
}

TEST_CASE("NSEC: of the child it denies no DS") {
  const SignedZone child("sub.example.org", "a.sub.example.org. A 192.0.2.1");
  const Denials proof = child.proof({"sub.example.org"});
  CHECK(ds_denied(proof, "sub.example.org").verdict.is_bogus());
  CHECK(type_denied(proof, "sub.example.org", Type::ds) == bogus);
  CHECK(type_denied(proof, "sub.example.org", Type::mx) == secure);
}

TEST_CASE("NSEC: a zone of one name denies all others") {
  const SignedZone zone("example.org", "");
  CHECK(name_denied(zone.proof({"example.org"}), "a.b.example.org") == secure);
  CHECK(name_denied(zone.proof({"example.org"}), "example.org") == bogus);
}

TEST_CASE("NSEC: the root has no parent that its DS could be at") {
  const SignedZone root(".", "org. NS ns.org.");
  CHECK(type_denied(root.whole_chain(), ".", Type::ds) == secure);
  CHECK(ds_denied(root.whole_chain(), "org").is_delegation);
  CHECK(name_denied(root.whole_chain(), "com") == secure);
}

TEST_CASE("NSEC3: closest encloser, next closer name and wildcard are all needed") {
  const SignedZone zone = nsec3_zone();
  const Denials all = zone.whole_chain();
  REQUIRE(name_denied(all, "q.a.example.org") == secure);
  const RrSet encloser = zone.link(name("a.example.org"));
  std::vector<RrSet> needed;
  for (std::size_t i = 0; i < all.sets.size(); ++i) {
    Denials without = all;
    without.sets.erase(without.sets.begin() + static_cast<std::ptrdiff_t>(i));
    if (name_denied(without, "q.a.example.org") == bogus) needed.push_back(all.sets[i]);
  }
  // One may cover both the next closer name and the wildcard.
  CHECK((needed.size() == 2 || needed.size() == 3));
  CHECK(std::count(needed.begin(), needed.end(), encloser) == 1);
  CHECK(name_denied(of(zone, needed), "q.a.example.org") == secure);
}

TEST_CASE("NSEC3: opt-out proves no more than insecure where an unsigned delegation may be") {
  const SignedZone zone = nsec3_zone(true);
  const Denials all = zone.whole_chain();
  CHECK(name_denied(all, "b.example.org") == insecure);
  CHECK(ds_denied(all, "sub.example.org").verdict.security == insecure);
  CHECK(ds_denied(all, "sub.example.org").is_delegation);
  CHECK(type_denied(all, "sub.example.org", Type::ds) == insecure);
  CHECK(ds_denied(all, "sub2.example.org").verdict.is_bogus());
  CHECK(closer_denied(all, "q.w.example.org", "*.w.example.org") == insecure);
  CHECK(type_denied(all, "q.w.example.org", Type::a) == insecure);
  CHECK(type_denied(all, "q.w.example.org", Type::txt) == bogus);
  // What has an NSEC3 of its own is as sure as ever.
  CHECK(type_denied(all, "a.example.org", Type::mx) == secure);
  CHECK(type_denied(all, "a.example.org", Type::a) == bogus);
  CHECK(name_denied(all, "a.example.org") == bogus);
}

TEST_CASE("NSEC3: many iterations make a zone insecure, and nothing is hashed") {
  const SignedZone at_limit = nsec3_zone(false, 50);
  CHECK(name_denied(at_limit.whole_chain(), "b.example.org") == secure);
  const SignedZone zone = nsec3_zone(false, 51);
  CryptoBudget budget;
  const Verdict verdict = denies_name(zone.whole_chain(), name("b.example.org"), budget);
  CHECK(verdict.security == insecure);
  CHECK(verdict.code == EdeCode::iterations_too_high);
  CHECK_THAT(verdict.why, Catch::Contains("51 iterations, more than 50"));
  CHECK(budget.nsec3_hashes() == 0);
  const DsDenial denial = denies_ds(zone.whole_chain(), name("sub.example.org"), budget);
  CHECK(denial.verdict.security == insecure);
  CHECK(denial.is_delegation);
}

TEST_CASE("NSEC3: chains with different parameters prove nothing together") {
  const SignedZone zone = nsec3_zone();
  Denials all = zone.whole_chain();
  all.sets.front() = changed<Nsec3>(all.sets.front(), [](Nsec3& nsec3) { nsec3.salt = "x"; });
  CHECK(name_denied(all, "b.example.org") == bogus);
  all = zone.whole_chain();
  all.sets.back() = changed<Nsec3>(all.sets.back(), [](Nsec3& nsec3) { nsec3.iterations = 7; });
  CHECK(name_denied(all, "b.example.org") == bogus);
}

TEST_CASE("NSEC3: unknown hashes and flags, and hashes of a wrong length, are ignored") {
  const SignedZone zone = nsec3_zone();
  const auto with = [&](auto change) {
    Denials all = zone.whole_chain();
    for (RrSet& set : all.sets) set = changed<Nsec3>(set, change);
    return name_denied(all, "b.example.org");
  };
  CHECK(with([](Nsec3&) {}) == secure);
  CHECK(with([](Nsec3& nsec3) { nsec3.algorithm = 2; }) == bogus);
  CHECK(with([](Nsec3& nsec3) { nsec3.flags = 2; }) == bogus);
  CHECK(with([](Nsec3& nsec3) { nsec3.next_hashed += "x"; }) == bogus);
  Denials all = zone.whole_chain();
  for (RrSet& set : all.sets) set.owner = *zone.zone.child("not-a-hash");
  CHECK(name_denied(all, "b.example.org") == bogus);
}

TEST_CASE("NSEC3: an owner that isn't right below the zone is another zone's") {
  const SignedZone zone = nsec3_zone();
  Denials all = zone.whole_chain();
  for (RrSet& set : all.sets)
    set.owner = *name("child.example.org").child(set.owner.labels().front());
  CHECK(name_denied(all, "b.example.org") == bogus);
  // The child's own proof says nothing in the parent's name, hashes alike or not.
  Denials lifted = zone.whole_chain();
  lifted.zone = name("org");
  CHECK(name_denied(lifted, "b.example.org") == bogus);
}

TEST_CASE("NSEC3: a delegation or DNAME is no closest encloser") {
  const SignedZone zone = nsec3_zone();
  const Denials all = zone.whole_chain();
  for (const char* below : {"q.sub.example.org", "q.sub2.example.org", "q.dn.example.org"}) {
    CHECK(name_denied(all, below) == bogus);
    CHECK(type_denied(all, below, Type::a) == bogus);
    CHECK(ds_denied(all, below).verdict.is_bogus());
  }
}

TEST_CASE("NSEC3: a deep name costs its labels, and no more than the budget has") {
  const SignedZone zone = nsec3_zone();
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "q.";
  deep += "a.example.org";
  CryptoBudget budget;
  const Denials all = zone.whole_chain();
  CHECK(denies_name(all, name(deep), budget).is_secure());
  CHECK(budget.nsec3_hashes() == 102);  // up to a.example.org, and the wildcard
  const Verdict second = denies_name(all, name(deep), budget);
  CHECK(second.is_bogus());
  CHECK(second.code == EdeCode::other);
  CHECK_THAT(second.why, Catch::Contains("200 NSEC3 hashes"));
  CHECK(budget.is_exhausted());
  CHECK(budget.nsec3_hashes() == 200);
}

TEST_CASE("Denial: only so many records are looked at, and only good ones stay") {
  const SignedZone zone = nsec_zone();
  std::vector<RrSet> authority;
  for (const RrSet& set : zone.sets) {
    if (set.type == Type::nsec || set.type == Type::soa) authority.push_back(set);
  }
  CryptoLimits limits;
  limits.denial_records = 3;
  CryptoBudget budget(limits);
  const Denials few = secure_denials(authority, zone.keys(), now, budget);
  CHECK(few.sets.size() == 3);
  CHECK(few.zone == zone.zone);
  CHECK(few.ttl == 300);
  CHECK(budget.verifications() == 3);
}

TEST_CASE("Denial: a proof that lacks an expired part says so") {
  const SignedZone zone = nsec_zone();
  RrSet expired = zone.link(name("a.example.org"));
  sign_anew(expired, zone.zone, std::span(&zone.key, 1), Validity{now - day, now - 1});
  CryptoBudget budget;
  const std::vector<RrSet> authority{expired, zone.link(name("example.org"))};
  const Denials denials = secure_denials(authority, zone.keys(), now, budget);
  CHECK(denials.sets.size() == 1);
  const Verdict verdict = denies_name(denials, name("b.example.org"), budget);
  CHECK(verdict.is_bogus());
  CHECK(verdict.code == EdeCode::signature_expired);
  CHECK_THAT(verdict.why, Catch::Contains("a.example.org NSEC"));
}

TEST_CASE("Denial: without any proof the verdict says what is missing") {
  Denials none;
  none.zone = name("example.org");
  CryptoBudget budget;
  const Verdict verdict = denies_type(none, name("www.example.org"), Type::a, budget);
  CHECK(verdict.code == EdeCode::nsec_missing);
  CHECK_THAT(verdict.why, Catch::Contains("no NSEC and no NSEC3"));
}
