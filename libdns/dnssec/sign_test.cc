#include "libdns/dnssec/sign.h"

#include "libdns/dnssec/signed_data.h"
#include "libdns/dnssec/test_zone.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace posthorn::dns::test;

namespace {

ChainName chain_name(std::string_view owner, std::vector<Type> types, bool is_delegation = false) {
  return ChainName{name(owner), std::move(types), is_delegation};
}

std::string text_of(const RrSet& set) {
  return set.records().front().text();
}

}  // namespace

TEST_CASE("Signing: the RRSIG holds what it was made for") {
  const SigningKey key = *SigningKey::generate(algorithm::ed25519);
  RrSet set(name("www.example.org"), Type::a, 1234);
  set.add("\xc0\x02\x01\x01");
  const Rrsig rrsig = make_signature(set, name("example.org"), key, around_now);
  CHECK(rrsig.covered == Type::a);
  CHECK(rrsig.algorithm == 15);
  CHECK(rrsig.labels == 3);
  CHECK(rrsig.original_ttl == 1234);
  CHECK(rrsig.inception == now - day);
  CHECK(rrsig.expiration == now + day);
  CHECK(rrsig.key_tag == key.tag());
  CHECK(rrsig.signer == name("example.org"));
  CHECK(verify(key.dnskey(), signed_data(rrsig, set), rrsig.signature));
}

TEST_CASE("Signing: a wildcard's asterisk isn't counted") {
  CHECK(rrsig_labels(name("*.example.org")) == 2);
  CHECK(rrsig_labels(name("*a.example.org")) == 3);
  CHECK(rrsig_labels(name("a.*.example.org")) == 4);
  CHECK(rrsig_labels(Name()) == 0);
  CHECK(signed_owner(name("a.b.example.org"), 2) == name("*.example.org"));
  CHECK(signed_owner(name("a.b.example.org"), 4) == name("a.b.example.org"));
  CHECK(signed_owner(name("*.example.org"), 2) == name("*.example.org"));
  CHECK(signed_owner(name("a.example"), 0) == name("*"));
}

TEST_CASE("Signing: each key signs, and what was there goes") {
  const std::vector<SigningKey> keys{*SigningKey::generate(algorithm::ecdsap256sha256),
                                     *SigningKey::generate(algorithm::ed25519)};
  RrSet set(name("www.example.org"), Type::a, 60);
  set.add("\xc0\x02\x01\x01");
  set.signatures.emplace_back("old");
  sign_anew(set, name("example.org"), keys, around_now);
  CHECK(set.signatures.size() == 2);
  sign(set, name("example.org"), keys[0], around_now);
  CHECK(set.signatures.size() == 3);
}

TEST_CASE("Signed data: RFC 4034 3.1.8.1 octet for octet") {
  Rrsig rrsig;
  rrsig.covered = Type::mx;
  rrsig.algorithm = 13;
  rrsig.labels = 1;
  rrsig.original_ttl = 0x01020304;
  rrsig.expiration = 0x05060708;
  rrsig.inception = 0x090a0b0c;
  rrsig.key_tag = 0x0d0e;
  rrsig.signer = name("ORG");
  rrsig.signature = "not part of it";
  RrSet set(name("A.Org"), Type::mx, 9);
  // Second in canonical order, and the first but for case twice.
  set.rdata = {rdata_to_wire(*parse_rdata(Type::mx, "2 b.")),
               rdata_to_wire(*parse_rdata(Type::mx, "1 B.")),
               rdata_to_wire(*parse_rdata(Type::mx, "1 b."))};
  const std::string rrsig_octets = "000f0d010102030405060708090a0b0c0d0e036f726700";
  // "*.org", because one of the owner's two labels is signed; type, class, TTL.
  const std::string record = "012a036f726700000f000101020304";
  CHECK(hex(signed_data(rrsig, set)) ==
        rrsig_octets + record + "00050001016200" + record + "00050002016200");
}

TEST_CASE("NSEC chain: goes round, passes over glue and empty names, marks delegations") {
  const std::vector<ChainName> names{
      chain_name("example.org", {Type::soa, Type::ns, Type::dnskey}),
      chain_name("a.example.org", {Type::a, Type::aaaa}),
      chain_name("deep.example.org", {}),
      chain_name("x.deep.example.org", {Type::txt}),
      chain_name("sub.example.org", {Type::ns, Type::a}, true),
      chain_name("ns.sub.example.org", {Type::a}),
      chain_name("sub2.example.org", {Type::ns, Type::ds}, true),
  };
  const auto chain = make_nsec_chain(names, 300);
  REQUIRE(chain.size() == 5);
  CHECK(text_of(chain[0]) == "example.org. 300 IN NSEC a.example.org. NS SOA RRSIG NSEC DNSKEY");
  CHECK(text_of(chain[1]) == "a.example.org. 300 IN NSEC x.deep.example.org. A AAAA RRSIG NSEC");
  CHECK(text_of(chain[2]) == "x.deep.example.org. 300 IN NSEC sub.example.org. TXT RRSIG NSEC");
  CHECK(text_of(chain[3]) == "sub.example.org. 300 IN NSEC sub2.example.org. NS RRSIG NSEC");
  CHECK(text_of(chain[4]) == "sub2.example.org. 300 IN NSEC example.org. NS DS RRSIG NSEC");
  CHECK(make_nsec_chain({}, 300).empty());
}

TEST_CASE("CDS and CDNSKEY: of keys with the SEP bit, and they match") {
  const Name zone = name("example.org");
  const std::vector<SigningKey> keys{
      *SigningKey::generate(),
      *SigningKey::generate(algorithm::ecdsap256sha256, zsk_flags),
  };
  const RrSet cds = make_cds(zone, keys, 3600);
  const RrSet cdnskey = make_cdnskey(zone, keys, 3600);
  REQUIRE(cds.rdata.size() == 1);
  REQUIRE(cdnskey.rdata.size() == 1);
  CHECK(cds.type == Type::cds);
  CHECK(cds.rdata[0] == rdata_to_wire(Rdata(make_ds(zone, keys[0].dnskey()))));
  CHECK(cdnskey.rdata[0] == rdata_to_wire(Rdata(keys[0].dnskey())));
  CHECK(make_dnskeys(zone, keys, 3600).rdata.size() == 2);
}
