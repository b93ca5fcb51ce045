#include "libdns/dnssec/validate.h"

#include "libdns/dnssec/signed_data.h"
#include "libdns/dnssec/test_zone.h"
#include "libdns/wire/test_keys.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace posthorn::dns::test;

namespace {

const char* const records = R"(
www.example.org. A 192.0.2.1
www.example.org. A 192.0.2.2
*.wild.example.org. TXT "star"
sub.example.org. NS ns.sub.example.org.
sub.example.org. DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
mixed.example.org. MX 10 MAIL.Example.ORG.
)";

struct Fixture {
  SignedZone zone{"example.org", records};
  ZoneKeys keys = zone.keys();
  CryptoBudget budget;

  [[nodiscard]] Verdict check(const RrSet& set, std::uint32_t at = now) {
    return check_rrset(set, keys, at, budget).verdict;
  }
  // www's set, its signature changed and made again.
  template <class Change>
  [[nodiscard]] RrSet resigned(RrSet set, const Change& change) const {
    Rrsig rrsig = make_signature(set, zone.zone, zone.key, around_now);
    change(rrsig);
    rrsig.signature = zone.key.sign(signed_data(rrsig, set));
    set.signatures = {rdata_to_wire(Rdata(rrsig))};
    return set;
  }
  [[nodiscard]] RrSet www() const { return zone.set("www.example.org", Type::a); }
};

KeysVerdict keys_of(const RrSet& dnskeys, const std::vector<Ds>& trusted,
                    const CryptoLimits& limits = {}) {
  CryptoBudget budget(limits);
  return check_dnskeys(dnskeys, trusted, now, budget);
}

RrSet signed_dnskeys(const std::vector<SigningKey>& keys, const SigningKey& signer) {
  RrSet set = make_dnskeys(name("example.org"), keys, 3600);
  sign(set, name("example.org"), signer, around_now);
  return set;
}

}  // namespace

TEST_CASE("Validation: a signed set is secure") {
  Fixture f;
  const SetVerdict verdict = check_rrset(f.www(), f.keys, now, f.budget);
  CHECK(verdict.verdict.why == "");
  CHECK(verdict.verdict.is_secure());
  CHECK(verdict.ttl == 3600);
  CHECK_FALSE(verdict.wildcard);
  CHECK(f.budget.verifications() == 1);
}

TEST_CASE("Validation: order of records, case of names and a smaller TTL change nothing") {
  Fixture f;
  RrSet set = f.www();
  std::swap(set.rdata[0], set.rdata[1]);
  set.owner = name("WWW.example.ORG");
  set.ttl = 17;
  const SetVerdict verdict = check_rrset(set, f.keys, now, f.budget);
  CHECK(verdict.verdict.why == "");
  CHECK(verdict.ttl == 17);
  RrSet mx = f.zone.set("mixed.example.org", Type::mx);
  mx.rdata[0] = rdata_to_wire(*parse_rdata(Type::mx, "10 mail.example.org."));
  CHECK(f.check(mx).why == "");
}

TEST_CASE("Validation: one octet more or less makes a set bogus") {
  Fixture f;
  RrSet more = f.www();
  more.add("\x0a\1\1\1");
  CHECK(f.check(more).code == EdeCode::dnssec_bogus);
  RrSet less = f.www();
  less.rdata.pop_back();
  CHECK(f.check(less).is_bogus());
  RrSet other = f.www();
  other.owner = name("wwx.example.org");
  const Verdict verdict = f.check(other);
  CHECK(verdict.is_bogus());
  CHECK_THAT(verdict.why, Catch::Contains("RRSIG of wwx.example.org A: doesn't fit key") &&
                              Catch::Contains("of example.org"));
}

TEST_CASE("Validation: a set without RRSIG is bogus, and it says so") {
  Fixture f;
  RrSet set = f.www();
  set.signatures.clear();
  CHECK(f.check(set).code == EdeCode::rrsigs_missing);
  CHECK(f.check(set).why == "www.example.org A has no RRSIG");
}

TEST_CASE("Validation: one good signature among bad ones is enough") {
  Fixture f;
  RrSet set = f.www();
  RrSet bad = f.resigned(set, [](Rrsig& rrsig) { rrsig.expiration = now - 1; });
  set.signatures.insert(set.signatures.begin(), bad.signatures.front());
  set.signatures.insert(set.signatures.begin(), "not an RRSIG");
  CHECK(f.check(set).why == "");
}

TEST_CASE("Validation: RRSIG labels may not reach above the zone") {
  Fixture f;
  // As if "*.org" had been signed: it would stand for every name below org.
  const RrSet set = f.resigned(f.www(), [](Rrsig& rrsig) { rrsig.labels = 1; });
  const Verdict verdict = f.check(set);
  CHECK(verdict.is_bogus());
  CHECK_THAT(verdict.why, Catch::Contains("reach above its zone"));
  CHECK(f.check(f.resigned(f.www(), [](Rrsig& rrsig) { rrsig.labels = 0; })).is_bogus());
}

TEST_CASE("Validation: RRSIG labels may not be more than the owner has") {
  Fixture f;
  CHECK_THAT(f.check(f.resigned(f.www(), [](Rrsig& rrsig) { rrsig.labels = 4; })).why,
             Catch::Contains("covers 4 labels of 3"));
  // A wildcard's asterisk isn't counted.
  CHECK(f.check(f.resigned(f.zone.set("*.wild.example.org", Type::txt), [](Rrsig& rrsig) {
           rrsig.labels = 4;
         })).is_bogus());
}

TEST_CASE("Validation: the signer must be the zone") {
  Fixture f;
  for (const char* signer : {"org", ".", "www.example.org", "example.com"}) {
    const Verdict verdict =
        f.check(f.resigned(f.www(), [&](Rrsig& rrsig) { rrsig.signer = name(signer); }));
    CHECK(verdict.is_bogus());
    CHECK_THAT(verdict.why, Catch::Contains("not by example.org"));
  }
}

TEST_CASE("Validation: a set outside of the zone is bogus") {
  Fixture f;
  RrSet set = f.www();
  set.owner = name("www.example.com");
  CHECK_THAT(f.check(set).why, Catch::Contains("outside of the zone example.org"));
}

TEST_CASE("Validation: a zone doesn't sign its own DS") {
  Fixture f;
  RrSet set(f.zone.zone, Type::ds, 3600);
  set.add(rdata_to_wire(Rdata(f.zone.ds())));
  sign(set, f.zone.zone, f.zone.key, around_now);
  CHECK_THAT(f.check(set).why, Catch::Contains("stands in its own zone"));
  CHECK(f.check(f.zone.set("sub.example.org", Type::ds)).why == "");
}

TEST_CASE("Validation: time is that of RFC 1982, the ends included") {
  Fixture f;
  CHECK(f.check(f.www(), now - day).why == "");
  CHECK(f.check(f.www(), now + day).why == "");
  CHECK(f.check(f.www(), now - day - 1).code == EdeCode::signature_not_yet_valid);
  CHECK(f.check(f.www(), now + day + 1).code == EdeCode::signature_expired);
  CHECK_THAT(f.check(f.www(), now + day + 1).why,
             Catch::Contains("expired at " + time_text(now + day)));
}

TEST_CASE("Validation: a signature over the end of the 32 bits is good on both sides") {
  Fixture f;
  const RrSet set = f.resigned(f.www(), [](Rrsig& rrsig) {
    rrsig.inception = 0xffffff00u;
    rrsig.expiration = 0x100;
  });
  CHECK(f.check(set, 0xffffffffu).why == "");
  CHECK(f.check(set, 0).why == "");
  CHECK(f.check(set, 0x101).code == EdeCode::signature_expired);
  CHECK(f.check(set, 0xfffffeffu).code == EdeCode::signature_not_yet_valid);
}

TEST_CASE("Validation: a signature that ends before it begins is never good") {
  Fixture f;
  const RrSet set = f.resigned(f.www(), [](Rrsig& rrsig) {
    rrsig.inception = now + 10;
    rrsig.expiration = now - 10;
  });
  for (const std::uint32_t at : {now - 20, now - 10, now, now + 10, now + 20})
    CHECK(f.check(set, at).is_bogus());
}

TEST_CASE("Validation: TTL ends with the signed one and with the signature") {
  Fixture f;
  RrSet set = f.www();
  set.ttl = 1000000;
  CHECK(check_rrset(set, f.keys, now, f.budget).ttl == 3600);
  CHECK(check_rrset(set, f.keys, now + day - 10, f.budget).ttl == 10);
  CHECK(check_rrset(set, f.keys, now + day, f.budget).ttl == 0);
}

TEST_CASE("Validation: a set made from a wildcard says from which") {
  Fixture f;
  RrSet set = f.zone.set("*.wild.example.org", Type::txt);
  CHECK_FALSE(check_rrset(set, f.keys, now, f.budget).wildcard);
  set.owner = name("a.b.wild.example.org");
  const SetVerdict verdict = check_rrset(set, f.keys, now, f.budget);
  CHECK(verdict.verdict.why == "");
  CHECK(verdict.wildcard == name("*.wild.example.org"));
  // "*" isn't a name below itself, and what is above the wildcard isn't matched by it.
  set.owner = name("wild.example.org");
  CHECK(check_rrset(set, f.keys, now, f.budget).verdict.is_bogus());
}

TEST_CASE("Validation: an NSEC never comes from a wildcard") {
  Fixture f;
  RrSet set = f.zone.set("*.wild.example.org", Type::nsec);
  CHECK(f.check(set).why == "");
  set.owner = name("aaa.wild.example.org");
  CHECK_THAT(f.check(set).why, Catch::Contains("a denial made from a wildcard"));
}

TEST_CASE("Validation: a key that the zone doesn't have verifies nothing") {
  Fixture f;
  const SigningKey stranger = *SigningKey::generate();
  RrSet set = f.www();
  sign_anew(set, f.zone.zone, std::span(&stranger, 1), around_now);
  CHECK(f.check(set).code == EdeCode::dnskey_missing);
  // Nor does it if it takes the tag of one that the zone has.
  set = f.resigned(f.www(), [](Rrsig&) {});
  Rrsig rrsig = make_signature(set, f.zone.zone, f.zone.key, around_now);
  rrsig.signature = stranger.sign(signed_data(rrsig, set));
  set.signatures = {rdata_to_wire(Rdata(rrsig))};
  CHECK(f.check(set).code == EdeCode::dnssec_bogus);
}

TEST_CASE("Validation: of several failures the closest tells why") {
  Fixture f;
  RrSet set = f.resigned(f.www(), [](Rrsig& rrsig) { rrsig.expiration = now - 1; });
  const RrSet foreign = f.resigned(f.www(), [](Rrsig& rrsig) { rrsig.signer = name("org"); });
  set.signatures.push_back(foreign.signatures.front());
  CHECK(f.check(set).code == EdeCode::signature_expired);
}

TEST_CASE("Budget: eight signatures of a set are tried") {
  Fixture f;
  RrSet set = f.www();
  const std::string good = set.signatures.front();
  set.signatures.clear();
  for (std::uint32_t i = 0; i < 100; ++i) {
    Rrsig rrsig = make_signature(set, f.zone.zone, f.zone.key, around_now);
    rrsig.signature[0] = static_cast<char>(rrsig.signature[0] ^ 1);
    set.signatures.push_back(rdata_to_wire(Rdata(rrsig)));
  }
  set.signatures.push_back(good);
  CHECK_THAT(f.check(set).why, Catch::Contains("8 tried"));
  CHECK(f.budget.verifications() == 8);
}

TEST_CASE("Budget: what a question may verify is shared by all that it sets off") {
  Fixture f;
  CryptoLimits limits;
  limits.verifications = 3;
  CryptoBudget budget(limits);
  for (int i = 0; i < 3; ++i) CHECK(check_rrset(f.www(), f.keys, now, budget).verdict.is_secure());
  CHECK_FALSE(budget.is_exhausted());
  const Verdict verdict = check_rrset(f.www(), f.keys, now, budget).verdict;
  CHECK(verdict.is_bogus());
  CHECK(verdict.code == EdeCode::other);
  CHECK_THAT(verdict.why, Catch::Contains("3 verifications"));
  CHECK(budget.is_exhausted());
}

TEST_CASE("DNSKEY: the signature must be of a key that the DS names") {
  const SigningKey ksk = *SigningKey::generate();
  const SigningKey zsk = *SigningKey::generate(algorithm::ecdsap256sha256, zsk_flags);
  const std::vector<SigningKey> both{ksk, zsk};
  const std::vector<Ds> trusted{make_ds(name("example.org"), ksk.dnskey())};
  const KeysVerdict good = keys_of(signed_dnskeys(both, ksk), trusted);
  CHECK(good.verdict.why == "");
  CHECK(good.keys.keys.size() == 2);
  CHECK(good.keys.ttl == 3600);
  const KeysVerdict bad = keys_of(signed_dnskeys(both, zsk), trusted);
  CHECK(bad.verdict.is_bogus());
  CHECK(bad.keys.keys.empty());
  CHECK_THAT(bad.verdict.why, Catch::Contains("its DS doesn't name"));
}

TEST_CASE("DNSKEY: no key matches the DS") {
  const SigningKey key = *SigningKey::generate();
  const SigningKey other = *SigningKey::generate();
  const std::vector<Ds> trusted{make_ds(name("example.org"), other.dnskey())};
  const KeysVerdict verdict = keys_of(signed_dnskeys({key}, key), trusted);
  CHECK(verdict.verdict.code == EdeCode::dnskey_missing);
  CHECK(verdict.verdict.why ==
        "no DNSKEY of example.org matches its DS " + std::to_string(other.tag()) + " 13 2");
  // The tag alone is no match.
  std::vector<Ds> tag_only{make_ds(name("example.org"), key.dnskey())};
  tag_only[0].digest[0] = static_cast<char>(tag_only[0].digest[0] ^ 1);
  CHECK(keys_of(signed_dnskeys({key}, key), tag_only).verdict.is_bogus());
}

TEST_CASE("DNSKEY: an empty set is bogus where the parent has a DS") {
  const SigningKey key = *SigningKey::generate();
  const std::vector<Ds> trusted{make_ds(name("example.org"), key.dnskey())};
  const RrSet none(name("example.org"), Type::dnskey, 3600);
  CHECK_THAT(keys_of(none, trusted).verdict.why, Catch::Contains("has no DNSKEY"));
  CHECK(keys_of(signed_dnskeys({key}, key), {}).verdict.is_bogus());
}

TEST_CASE("DNSKEY: unknown algorithms and digests make a zone insecure, never bogus") {
  const SigningKey key = *SigningKey::generate();
  std::vector<Ds> trusted{make_ds(name("example.org"), key.dnskey())};
  trusted[0].algorithm = 99;
  CHECK(keys_of(signed_dnskeys({key}, key), trusted).verdict.security == Security::insecure);
  CHECK(keys_of(signed_dnskeys({key}, key), trusted).verdict.code ==
        EdeCode::unsupported_algorithm);
  trusted[0].algorithm = 13;
  trusted[0].digest_type = 99;
  CHECK(keys_of(signed_dnskeys({key}, key), trusted).verdict.code == EdeCode::unsupported_digest);
  CHECK(check_ds_support(name("example.org"), trusted).security == Security::insecure);
  // One that is known is enough to be strict.
  trusted.push_back(make_ds(name("example.org"), key.dnskey()));
  CHECK(keys_of(signed_dnskeys({key}, key), trusted).verdict.why == "");
  CHECK(check_ds_support(name("example.org"), trusted).is_secure());
  const SigningKey other = *SigningKey::generate();
  CHECK(keys_of(signed_dnskeys({other}, other), trusted).verdict.is_bogus());
}

TEST_CASE("DNSKEY: SHA-1 keys are unknown unless they are allowed") {
  std::vector<Ds> trusted(1);
  trusted[0].algorithm = algorithm::rsasha1;
  trusted[0].digest_type = digest::sha256;
  CHECK(check_ds_support(name("example.org"), trusted).security == Security::insecure);
  CHECK(check_ds_support(name("example.org"), trusted, Sha1::allowed).is_secure());
}

TEST_CASE("DNSKEY: a DS with SHA-1 counts only where there is no better one") {
  const SigningKey key = *SigningKey::generate();
  const SigningKey other = *SigningKey::generate();
  const Ds weak = make_ds(name("example.org"), key.dnskey(), digest::sha1);
  CHECK(keys_of(signed_dnskeys({key}, key), {weak}).verdict.why == "");
  const Ds strong = make_ds(name("example.org"), other.dnskey());
  CHECK(keys_of(signed_dnskeys({key}, key), {weak, strong}).verdict.is_bogus());
  CHECK(keys_of(signed_dnskeys({other}, other), {weak, strong}).verdict.why == "");
  // A better one that nobody can use doesn't count against it.
  Ds unknown = strong;
  unknown.algorithm = 99;
  CHECK(keys_of(signed_dnskeys({key}, key), {weak, unknown}).verdict.why == "");
}

TEST_CASE("DNSKEY: revoked keys, keys of no zone and of another protocol don't count") {
  const SigningKey key = *SigningKey::generate();
  const auto [flags, protocol] = GENERATE(table<std::uint16_t, std::uint8_t>({
      {ksk_flags | Dnskey::revoked, 3},
      {Dnskey::secure_entry_point, 3},
      {ksk_flags, 2},
  }));
  Dnskey dnskey = key.dnskey();
  dnskey.flags = flags;
  dnskey.protocol = protocol;
  RrSet set(name("example.org"), Type::dnskey, 3600);
  set.add(rdata_to_wire(Rdata(dnskey)));
  Rrsig rrsig = make_signature(set, set.owner, key, around_now);
  rrsig.key_tag = key_tag(dnskey);
  rrsig.signature = key.sign(signed_data(rrsig, set));
  set.signatures.push_back(rdata_to_wire(Rdata(rrsig)));
  const KeysVerdict verdict = keys_of(set, {make_ds(set.owner, dnskey)});
  CHECK(verdict.verdict.is_bogus());
  CHECK_THAT(verdict.verdict.why, Catch::Contains("no DNSKEY of example.org matches"));
}

TEST_CASE("DNSKEY: a key that can't be read is named") {
  Dnskey broken;
  broken.flags = ksk_flags;
  broken.algorithm = 13;
  broken.key = "short";
  RrSet set(name("example.org"), Type::dnskey, 3600);
  set.add(rdata_to_wire(Rdata(broken)));
  CHECK_THAT(keys_of(set, {make_ds(set.owner, broken)}).verdict.why,
             Catch::Contains("5 octets that are no key of ECDSAP256SHA256"));
}

namespace {

// Not a key that anybody could sign with, but one with the same tag.
Dnskey twin_of(const SigningKey& key, int number) {
  Dnskey twin = key.dnskey();
  twin.key[100] = static_cast<char>(number);
  twin = with_tag(std::move(twin), key.tag(), 104);
  REQUIRE(key_tag(twin) == key.tag());
  return twin;
}

}  // namespace

TEST_CASE("DNSKEY: two keys may have one tag by chance, and each is tried") {
  const SigningKey key = *SigningKey::generate(algorithm::rsasha256);
  RrSet set(name("example.org"), Type::dnskey, 3600);
  set.add(rdata_to_wire(Rdata(twin_of(key, 1))));
  set.add(rdata_to_wire(Rdata(key.dnskey())));
  sign(set, set.owner, key, around_now);
  const std::vector<Ds> both{make_ds(set.owner, twin_of(key, 1)), make_ds(set.owner, key.dnskey())};
  const KeysVerdict verdict = keys_of(set, both);
  CHECK(verdict.verdict.why == "");
  CHECK(verdict.keys.keys.size() == 2);
}

TEST_CASE("KeyTrap: of many keys with one tag two count") {
  const SigningKey key = *SigningKey::generate(algorithm::rsasha256);
  RrSet set(name("example.org"), Type::dnskey, 3600);
  for (int i = 1; i <= 60; ++i) set.add(rdata_to_wire(Rdata(twin_of(key, i))));
  set.add(rdata_to_wire(Rdata(key.dnskey())));
  for (std::uint32_t i = 0; i < 60; ++i) {
    Rrsig rrsig = make_signature(set, set.owner, key, around_now);
    rrsig.signature[0] = static_cast<char>(i);
    set.signatures.push_back(rdata_to_wire(Rdata(rrsig)));
  }
  std::vector<Ds> trusted;
  for (const Record& record : set.records())
    trusted.push_back(make_ds(set.owner, *record.as<Dnskey>()));
  CryptoBudget budget;
  const KeysVerdict verdict = check_dnskeys(set, trusted, now, budget);
  CHECK(verdict.verdict.is_bogus());
  CHECK(budget.verifications() == 16);  // eight signatures, two keys each
}

TEST_CASE("DS: a set gives its records, another type none") {
  Fixture f;
  CHECK(ds_records(f.zone.set("sub.example.org", Type::ds)).size() == 1);
  CHECK(ds_records(f.www()).empty());
}
