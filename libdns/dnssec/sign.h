// Signing of zones (RFC 4035 2): sets, the chain of NSEC, what a child tells its parent (RFC 7344).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libdns/dnssec/keys.h"
#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// When a signature is good: seconds since 1970. Begin an hour ago, for clocks that are late.
struct Validity {
  std::uint32_t inception = 0;
  std::uint32_t expiration = 0;
};

// The RRSIG of a set of `zone`; set.ttl becomes the original TTL. An owner "*.example.org" is signed
// as a wildcard.
[[nodiscard]] Rrsig make_signature(const RrSet& set, const Name& zone, const SigningKey& key,
                                   Validity validity);
// Adds it to set.signatures.
void sign(RrSet& set, const Name& zone, const SigningKey& key, Validity validity);
// Takes away what was there and signs with each key.
void sign_anew(RrSet& set, const Name& zone, std::span<const SigningKey> keys, Validity validity);

// A name of a zone and the types of its sets, without NSEC and RRSIG.
struct ChainName {
  Name name;
  std::vector<Type> types;
  bool is_delegation = false;  // NS below the apex: only NS and DS are the zone's there
};
// The NSEC sets of a zone (RFC 4034 4), unsigned, `ttl` being the lesser of the SOA's TTL and its
// minimum (RFC 9077 3). `names` are in canonical order, the apex first. Names without types and
// names below a delegation (glue) are passed over.
[[nodiscard]] std::vector<RrSet> make_nsec_chain(std::span<const ChainName> names,
                                                 std::uint32_t ttl);
// One link of it, for a zone that changes in place.
[[nodiscard]] RrSet make_nsec(const ChainName& name, const Name& next, std::uint32_t ttl);

// What the parent is asked to publish (RFC 7344 3): for each key with the SEP bit.
[[nodiscard]] RrSet make_cds(const Name& zone, std::span<const SigningKey> keys, std::uint32_t ttl,
                             std::uint8_t digest_type = digest::sha256);
[[nodiscard]] RrSet make_cdnskey(const Name& zone, std::span<const SigningKey> keys,
                                 std::uint32_t ttl);
[[nodiscard]] RrSet make_dnskeys(const Name& zone, std::span<const SigningKey> keys,
                                 std::uint32_t ttl);

}  // namespace posthorn::dns
