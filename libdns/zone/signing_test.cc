#include "libdns/zone/signing.h"

#include <fmt/format.h>

#include <set>

#include "libdns/dnssec/denial.h"
#include "libdns/dnssec/validate.h"
#include "libdns/zone/check.h"
#include "libdns/zone/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

constexpr std::uint64_t now = 1795000000;
constexpr std::uint32_t day = 86400;

const char* const text = R"(
$TTL 3600
@ SOA ns hostmaster 10 3600 600 86400 300
@ NS ns
@ NS ns.sub
@ MX 10 mail
ns A 192.0.2.1
mail A 192.0.2.2
mail AAAA 2001:db8::2
x.y.empty TXT "deep"
*.wild TXT "wildcard"
sub NS ns.sub
sub A 192.0.2.9
ns.sub A 192.0.2.3
safe NS ns.b.test.
safe DS 12345 13 2 0102030405060708091011121314151617181920212223242526272829303132
old DNAME new
hidden.old TXT "never seen"
)";

std::shared_ptr<const Zone> plain() {
  return zone_of("a.test", text);
}

const SigningKey& key() {
  static const SigningKey made = *SigningKey::generate();
  return made;
}
ZoneSigningKeys one_key() {
  ZoneSigningKeys keys;
  keys.active.push_back(key());
  return keys;
}

SignedVersion sign_again(std::shared_ptr<const Zone> zone,
                         std::shared_ptr<const Zone> published = nullptr, std::uint64_t at = now,
                         const ZoneSigningKeys& keys = one_key(), SigningPolicy policy = {}) {
  auto version = sign_zone(std::move(zone), keys, policy, at, std::move(published));
  if (!version) UNSCOPED_INFO(version.error());
  REQUIRE(version.has_value());
  return std::move(*version);
}
std::shared_ptr<const Zone> signed_zone() {
  return sign_again(plain()).version.zone;
}

ZoneVersion edited(const std::shared_ptr<const Zone>& zone,
                   const std::function<void(ZoneEditor&)>& edit) {
  ZoneEditor editor(zone);
  edit(editor);
  auto version = editor.commit();
  REQUIRE(version.has_value());
  return std::move(*version);
}

// What a validator makes of the zone whose DS is that of the first active key.
ZoneKeys validated_keys(const Zone& zone, const SigningKey& entry, std::uint64_t at = now) {
  CryptoBudget budget;
  const std::vector<Ds> trusted = {make_ds(zone.origin(), entry.dnskey())};
  const RrSet* set = zone.find(zone.origin(), Type::dnskey);
  REQUIRE(set != nullptr);
  auto verdict = check_dnskeys(*set, trusted, static_cast<std::uint32_t>(at), budget);
  INFO(verdict.verdict.why);
  REQUIRE(verdict.verdict.is_secure());
  return std::move(verdict.keys);
}

// All sets with signatures verify; gives the heads of those without.
Lines unsigned_sets(const Zone& zone, const ZoneKeys& keys, std::uint64_t at = now) {
  Lines lines;
  zone.for_each([&](const RrSet& set) {
    if (set.signatures.empty()) return lines.push_back(head_of(set));
    CryptoBudget budget;
    const SetVerdict verdict = check_rrset(set, keys, static_cast<std::uint32_t>(at), budget);
    INFO(head_of(set) << ": " << verdict.verdict.why);
    CHECK(verdict.verdict.is_secure());
  });
  return lines;
}

std::set<std::string> heads(const std::vector<RrSet>& parts) {
  std::set<std::string> found;
  for (const RrSet& part : parts) found.insert(head_of(part));
  return found;
}

}  // namespace

TEST_CASE("sign_zone: signs what the zone vouches for, and nothing else") {
  const auto zone = signed_zone();
  CHECK(zone->is_signed());
  CHECK(zone->denial() == Denial::nsec);
  CHECK(zone->serial() == 10);
  const ZoneKeys keys = validated_keys(*zone, key());
  CHECK(unsigned_sets(*zone, keys) == Lines{"hidden.old.a.test TXT", "safe.a.test NS",
                                            "sub.a.test A", "sub.a.test NS", "ns.sub.a.test A"});
}

TEST_CASE("sign_zone: the chain of NSEC goes once around") {
  const auto zone = signed_zone();
  Lines chain;
  Name at = zone->origin();
  do {
    const RrSet* set = zone->find(at, Type::nsec);
    REQUIRE(set != nullptr);
    CHECK(set->ttl == 300);
    chain.push_back(line_of(*set));
    at = std::get<Nsec>(*rdata_from_wire(Type::nsec, set->rdata[0])).next;
  } while (at != zone->origin());
  CHECK(chain == Lines{"a.test NSEC x.y.empty.a.test. NS SOA MX RRSIG NSEC DNSKEY CDS CDNSKEY",
                       "x.y.empty.a.test NSEC mail.a.test. TXT RRSIG NSEC",
                       "mail.a.test NSEC ns.a.test. A AAAA RRSIG NSEC",
                       "ns.a.test NSEC old.a.test. A RRSIG NSEC",
                       "old.a.test NSEC safe.a.test. DNAME RRSIG NSEC",
                       "safe.a.test NSEC sub.a.test. NS DS RRSIG NSEC",
                       "sub.a.test NSEC *.wild.a.test. NS RRSIG NSEC",
                       "*.wild.a.test NSEC a.test. TXT RRSIG NSEC"});
}

TEST_CASE("sign_zone: a validator believes every answer of the signed zone") {
  const auto zone = signed_zone();
  const ZoneKeys keys = validated_keys(*zone, key());
  const auto denials_in = [&](const ZoneAnswer& answer, CryptoBudget& budget) {
    std::vector<RrSet> authority;
    for (const RrSet* set : answer.authority) authority.push_back(*set);
    return secure_denials(authority, keys, static_cast<std::uint32_t>(now), budget);
  };
  for (const char* qname : {"nothing.a.test", "zzz.a.test", "b.mail.a.test", "0.a.test",
                            "x.empty.a.test", "a.x.y.empty.a.test"}) {
    CAPTURE(qname);
    CryptoBudget budget;
    const auto answer = ask(*zone, qname, Type::a, true);
    CHECK(answer.rcode == Rcode::nxdomain);
    const Verdict verdict = denies_name(denials_in(answer, budget), name(qname), budget);
    INFO(verdict.why);
    CHECK(verdict.is_secure());
  }
  for (const auto& [qname, type] :
       std::vector<std::pair<const char*, Type>>{{"mail.a.test", Type::mx},
                                                 {"y.empty.a.test", Type::a},
                                                 {"empty.a.test", Type::a},
                                                 {"q.wild.a.test", Type::a},
                                                 {"a.test", Type::ds},
                                                 {"sub.a.test", Type::ds}}) {
    CAPTURE(qname);
    CryptoBudget budget;
    const auto answer = ask(*zone, qname, type, true);
    CHECK(answer.kind == ZoneAnswer::Kind::nodata);
    const Denials denials = denials_in(answer, budget);
    const Verdict verdict = type == Type::ds && name(qname) != zone->origin()
                                ? denies_ds(denials, name(qname), budget).verdict
                                : denies_type(denials, name(qname), type, budget);
    INFO(verdict.why);
    CHECK((verdict.is_secure() || qname == std::string("a.test")));
  }
  CryptoBudget budget;
  const auto wild = ask(*zone, "q.wild.a.test", Type::txt, true);
  REQUIRE(wild.answer.size() == 1);
  const auto set = check_rrset(*wild.answer[0], keys, static_cast<std::uint32_t>(now), budget);
  REQUIRE(set.wildcard);
  CHECK(denies_closer_name(denials_in(wild, budget), name("q.wild.a.test"), *set.wildcard, budget)
            .is_secure());
}

TEST_CASE("sign_zone: check_zone finds nothing wrong with the signatures") {
  CheckOptions options;
  options.now = now;
  for (const Problem& problem : check_zone(*signed_zone(), options)) {
    CHECK(problem.what.find("signature") == std::string::npos);
  }
}

TEST_CASE("sign_zone: again at the same time there is nothing to do") {
  const auto zone = signed_zone();
  const SignedVersion again = sign_again(zone, zone);
  CHECK(again.version.zone == nullptr);
  CHECK(again.signatures == 0);
}

TEST_CASE("sign_zone: after an update only what changed is signed") {
  const auto before = signed_zone();
  const ZoneVersion update = edited(before, [](ZoneEditor& editor) {
    REQUIRE(editor.add(record("new.a.test. 60 A 192.0.2.7")));
    editor.set_serial(11);
  });
  const SignedVersion after = sign_again(update.zone, before, now + 60);
  REQUIRE(after.version.zone != nullptr);
  CHECK(after.version.zone->serial() == 11);
  // The set, its NSEC, the NSEC before it, the SOA.
  CHECK(after.signatures == 4);
  CHECK(heads(after.version.difference.added) ==
        std::set<std::string>{"a.test SOA", "mail.a.test NSEC", "new.a.test A", "new.a.test NSEC"});
  CHECK(heads(after.version.difference.removed) ==
        std::set<std::string>{"a.test SOA", "mail.a.test NSEC"});
  CHECK(after.version.difference.from() == 10);
  CHECK(after.version.difference.to() == 11);
  unsigned_sets(*after.version.zone, validated_keys(*after.version.zone, key()));
  // What nobody touched is the same in memory.
  CHECK(after.version.zone->find(name("ns.a.test")) == before->find(name("ns.a.test")));
}

TEST_CASE("sign_zone: a set that changed never keeps its old signature") {
  const auto before = signed_zone();
  const ZoneVersion update = edited(before, [](ZoneEditor& editor) {
    REQUIRE(editor.add(record("mail.a.test. 3600 A 192.0.2.77")));
    REQUIRE(editor.add(record("x.y.empty.a.test. 99 TXT deep")));  // the TTL
  });
  const auto after = sign_again(update.zone, before).version.zone;
  REQUIRE(after != nullptr);
  CHECK(after->serial() == 11);
  const ZoneKeys keys = validated_keys(*after, key());
  CHECK(unsigned_sets(*after, keys).size() == 5);
}

TEST_CASE("sign_zone: a name that goes leaves no NSEC behind") {
  const auto before = signed_zone();
  const ZoneVersion update = edited(before, [](ZoneEditor& editor) {
    CHECK(editor.remove_set(name("mail.a.test"), Type::a));
    CHECK(editor.remove_set(name("mail.a.test"), Type::aaaa));
  });
  const auto after = sign_again(update.zone, before).version.zone;
  CHECK(after->find(name("mail.a.test")) == nullptr);
  CHECK(line_of(*after->find(name("x.y.empty.a.test"), Type::nsec)) ==
        "x.y.empty.a.test NSEC ns.a.test. TXT RRSIG NSEC");
}

TEST_CASE("sign_zone: a name that becomes a delegation loses its signatures") {
  const auto before = signed_zone();
  const ZoneVersion update = edited(before, [](ZoneEditor& editor) {
    REQUIRE(editor.add(record("empty.a.test. 60 NS ns.b.test.")));
  });
  const auto after = sign_again(update.zone, before).version.zone;
  CHECK(after->find(name("x.y.empty.a.test"), Type::txt)->signatures.empty());
  CHECK(after->find(name("x.y.empty.a.test"), Type::nsec) == nullptr);
  CHECK(line_of(*after->find(name("empty.a.test"), Type::nsec)) ==
        "empty.a.test NSEC mail.a.test. NS RRSIG NSEC");
}

TEST_CASE("sign_zone: signatures are spread, and renewed as they come due") {
  SigningPolicy policy;
  const auto zone = sign_again(plain()).version.zone;
  std::set<std::uint32_t> ends;
  zone->for_each([&](const RrSet& set) {
    for (const std::string& octets : set.signatures) {
      const auto rrsig = std::get<Rrsig>(*rdata_from_wire(Type::rrsig, octets));
      CHECK(rrsig.inception == now - policy.inception);
      CHECK(rrsig.expiration <= now + policy.lifetime);
      CHECK(rrsig.expiration > now + policy.lifetime - policy.jitter);
      ends.insert(rrsig.expiration);
    }
  });
  CHECK(ends.size() > 8);

  const std::uint64_t first_due = sign_again(zone, zone).next;
  CHECK(first_due == *ends.begin() - policy.renewal);
  CHECK(sign_again(zone, zone, first_due - 1).version.zone == nullptr);
  const SignedVersion renewed = sign_again(zone, zone, first_due);
  REQUIRE(renewed.version.zone != nullptr);
  CHECK(renewed.version.zone->serial() == 11);
  CHECK(renewed.signatures == 2);  // the one, and the SOA
  CHECK(renewed.next > first_due);
  const SignedVersion all = sign_again(zone, zone, now + 10 * day);
  CHECK(all.signatures > 10);
  unsigned_sets(*all.version.zone, validated_keys(*all.version.zone, key(), now + 20 * day),
                now + 20 * day);
}

TEST_CASE("sign_zone: the same file read again is no new version") {
  const auto published = signed_zone();
  const SignedVersion same = sign_again(plain(), published, now + 100);
  CHECK(same.version.zone == nullptr);
  CHECK(same.signatures == 0);

  const auto changed_file = zone_of("a.test", std::string(text) + "late TXT \"added\"\n");
  const SignedVersion changed = sign_again(changed_file, published, now + 100);
  REQUIRE(changed.version.zone != nullptr);
  CHECK(changed.version.zone->serial() == 11);
  CHECK(changed.signatures == 4);
  CHECK(changed.version.difference.added.size() == 4);
  CHECK(changed.version.zone->find(name("ns.a.test")) == published->find(name("ns.a.test")));
  unsigned_sets(*changed.version.zone, validated_keys(*changed.version.zone, key()), now + 100);
}

TEST_CASE("sign_zone: what a file no longer has goes with its NSEC") {
  const auto published = signed_zone();
  std::string less = text;
  less.erase(less.find("mail AAAA"), std::string_view("mail AAAA 2001:db8::2\n").size());
  less.erase(less.find("x.y.empty"), std::string_view("x.y.empty TXT \"deep\"\n").size());
  const auto zone = sign_again(zone_of("a.test", less), published).version.zone;
  REQUIRE(zone != nullptr);
  CHECK(zone->find(name("x.y.empty.a.test")) == nullptr);
  CHECK(line_of(*zone->find(name("a.test"), Type::nsec)) ==
        "a.test NSEC mail.a.test. NS SOA MX RRSIG NSEC DNSKEY CDS CDNSKEY");
  CHECK(line_of(*zone->find(name("mail.a.test"), Type::nsec)) ==
        "mail.a.test NSEC ns.a.test. A RRSIG NSEC");
  CHECK(unsigned_sets(*zone, validated_keys(*zone, key())).size() == 5);
}

TEST_CASE("sign_zone: what a delegation takes over loses signatures and NSEC, and gets them back") {
  const auto published = signed_zone();
  const auto cut =
      sign_again(zone_of("a.test", std::string(text) + "empty NS ns.b.test.\n"), published)
          .version.zone;
  CHECK(cut->find(name("x.y.empty.a.test"), Type::txt)->signatures.empty());
  CHECK(cut->find(name("x.y.empty.a.test"), Type::nsec) == nullptr);
  CHECK(cut->find(name("empty.a.test"), Type::ns)->signatures.empty());
  const auto back = sign_again(plain(), cut).version.zone;
  CHECK(back->serial() == 12);
  CHECK(back->find(name("empty.a.test")) == nullptr);
  CHECK(unsigned_sets(*back, validated_keys(*back, key())).size() == 5);
}

TEST_CASE("sign_zone: a file with a newer serial keeps it") {
  std::string newer = text;
  newer.replace(newer.find("hostmaster 10"), 13, "hostmaster 99");
  CHECK(sign_again(zone_of("a.test", newer), signed_zone()).version.zone->serial() == 99);
}

TEST_CASE("sign_zone: after a restart good signatures are kept, wrong ones are not") {
  const auto zone = signed_zone();
  const auto loaded = zone_of("a.test", to_master_file(*zone));
  const SignedVersion kept = sign_again(loaded);
  CHECK(kept.signatures == 0);
  CHECK(*kept.version.zone == *zone);

  std::string tampered = to_master_file(*zone);
  tampered.replace(tampered.find("192.0.2.1\n"), 9, "192.0.2.8");
  const SignedVersion repaired = sign_again(zone_of("a.test", tampered));
  CHECK(repaired.signatures == 1);
  unsigned_sets(*repaired.version.zone, validated_keys(*repaired.version.zone, key()));
}

TEST_CASE("sign_zone: keys with the SEP bit sign keys, others the rest") {
  ZoneSigningKeys keys;
  keys.active.push_back(*SigningKey::generate());
  keys.active.push_back(*SigningKey::generate(algorithm::ecdsap256sha256, Dnskey::zone_key));
  keys.published.push_back(SigningKey::generate()->dnskey());
  const auto zone = sign_again(plain(), nullptr, now, keys).version.zone;
  const auto tag_over = [&](Type type) {
    const RrSet* set = zone->find(zone->origin(), type);
    REQUIRE(set->signatures.size() == 1);
    return std::get<Rrsig>(*rdata_from_wire(Type::rrsig, set->signatures[0])).key_tag;
  };
  for (const Type type : {Type::dnskey, Type::cds, Type::cdnskey}) {
    CHECK(tag_over(type) == keys.active[0].tag());
  }
  for (const Type type : {Type::soa, Type::ns, Type::nsec}) {
    CHECK(tag_over(type) == keys.active[1].tag());
  }
  CHECK(zone->find(zone->origin(), Type::dnskey)->rdata.size() == 3);
  CHECK(zone->find(zone->origin(), Type::cds)->rdata.size() == 1);
  unsigned_sets(*zone, validated_keys(*zone, keys.active[0]));
}

TEST_CASE("sign_zone: another key signs all anew") {
  const auto before = signed_zone();
  ZoneSigningKeys keys;
  keys.active.push_back(*SigningKey::generate(algorithm::ed25519));
  keys.published.push_back(key().dnskey());
  const SignedVersion rolled = sign_again(before, before, now + 5, keys);
  REQUIRE(rolled.version.zone != nullptr);
  CHECK(rolled.version.zone->serial() == 11);
  CHECK(unsigned_sets(*rolled.version.zone, validated_keys(*rolled.version.zone, keys.active[0]))
            .size() == 5);
}

TEST_CASE("sign_zone: two active keys both sign") {
  ZoneSigningKeys keys = one_key();
  keys.active.push_back(*SigningKey::generate());
  const auto zone = sign_again(plain(), nullptr, now, keys).version.zone;
  CHECK(zone->find(name("mail.a.test"), Type::a)->signatures.size() == 2);
  CHECK(sign_again(zone, zone, now, keys).version.zone == nullptr);
}

TEST_CASE("sign_zone: a zone that had NSEC3 gets NSEC") {
  const auto zone = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 1 1 1 1 1
@ NS ns
@ NSEC3PARAM 1 0 0 -
ns A 192.0.2.1
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A
)");
  const auto made = sign_again(zone).version.zone;
  CHECK(made->denial() == Denial::nsec);
  CHECK(made->nsec3_nodes().size() == 0);
  CHECK(made->find(made->origin(), Type::nsec3param) == nullptr);
}

TEST_CASE("sign_zone: without a key it is an error") {
  const auto version = sign_zone(plain(), ZoneSigningKeys(), SigningPolicy(), now);
  REQUIRE_FALSE(version);
  CHECK(version.error() == "no key to sign with");
}
