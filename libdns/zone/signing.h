// Signs a zone with its keys: NSEC chain, DNSKEY, CDS, CDNSKEY, and an RRSIG for each set that the
// zone vouches for (RFC 4035 2, RFC 7344, RFC 9077). Delegations' NS, glue and what is hidden by a
// delegation or DNAME stay unsigned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libdns/dnssec/sign.h"
#include "libdns/zone/serial.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

struct ZoneSigningKeys {
  // Keys with the SEP bit sign DNSKEY, CDS and CDNSKEY, those without it all else; where there is
  // only one kind it signs all (a CSK).
  std::vector<SigningKey> active;
  // In the DNSKEY set only: before they sign, and after (RFC 6781 4.1).
  std::vector<Dnskey> published;
};

// Seconds.
struct SigningPolicy {
  std::uint32_t lifetime = 14 * 86400;  // of a signature at most
  std::uint32_t jitter = 2 * 86400;     // so much less, differently for each set
  std::uint32_t renewal = 5 * 86400;    // a signature that expires sooner is made anew
  std::uint32_t inception = 3600;       // begins so long ago, for clocks that are late
  std::uint32_t dnskey_ttl = 3600;
  bool has_cds = true;  // makes CDS and CDNSKEY; else what is there stays
  SerialPolicy serial = SerialPolicy::increment;
};

struct SignedVersion {
  // Without a zone: nothing changed. The difference is from `published`.
  ZoneVersion version;
  std::uint64_t next = 0;  // when the first signature is due, seconds since 1970: sign again then
  std::size_t signatures = 0;  // made
};

// `zone` is as a file, an update or a transfer gave it, or already signed and due. `published` is the
// signed version that others have, if there is one: signatures of sets that are the same in it are
// kept until they are due, and the result's serial is newer than its. Without it signatures in
// `zone` are kept only if they verify, and its serial stays. Cost: what changed, and a glance at
// every node. Errors: no active key, or a key whose algorithm can't be used.
[[nodiscard]] Result<SignedVersion, std::string> sign_zone(
    std::shared_ptr<const Zone> zone, const ZoneSigningKeys& keys, const SigningPolicy& policy,
    std::uint64_t now, std::shared_ptr<const Zone> published = nullptr);

}  // namespace posthorn::dns
