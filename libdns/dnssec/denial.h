// Proofs that something isn't there (RFC 4035 5.4, RFC 5155 8, RFC 6840 4, RFC 9276). Pure functions
// over the NSEC and NSEC3 sets of one answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/dnssec/validate.h"

namespace posthorn::dns {

// The NSEC and NSEC3 sets of an authority section that `keys` have signed, which is what every
// function below wants. The keys are those of the zone that the name is in as far as is known: where a
// secure delegation lies in between, its parent proves nothing any more.
struct Denials {
  Name zone;                // that signed them
  std::vector<RrSet> sets;  // all secure, at most limits().denial_records
  std::uint32_t ttl = 0;    // least of all; seconds
  Verdict worst;            // of those dropped: why a proof may be incomplete; secure if none was
};
[[nodiscard]] Denials secure_denials(std::span<const RrSet> authority, const ZoneKeys& keys,
                                     std::uint32_t now, CryptoBudget& budget);

// Verdicts of the functions below: secure - proven; insecure - proven as far as a zone proves at
// all that leaves unsigned delegations out (opt-out), or whose NSEC3 iterations are beyond what we
// compute; bogus - not proven.

// NXDOMAIN: neither `name` nor a wildcard that would stand for it.
[[nodiscard]] Verdict denies_name(const Denials& denials, const Name& name, CryptoBudget& budget);
// NODATA: `name` (or the wildcard that stands for it) exists, perhaps only because of names below
// it, and has neither `type` nor CNAME.
[[nodiscard]] Verdict denies_type(const Denials& denials, const Name& name, Type type,
                                  CryptoBudget& budget);
// A set for `name` was made from `wildcard` (SetVerdict::wildcard), and rightly: nothing closer
// exists.
[[nodiscard]] Verdict denies_closer_name(const Denials& denials, const Name& name,
                                         const Name& wildcard, CryptoBudget& budget);

struct DsDenial {
  Verdict verdict;
  // There is a delegation at the name, or in an opt-out span might be one: what is below is
  // unsigned. False: the name is inside of the zone, or isn't at all; go on with the zone's keys.
  bool is_delegation = false;

  explicit DsDenial(Verdict v, bool delegation = false)
      : verdict(std::move(v)), is_delegation(delegation) {}
};
// No DS at `name`, by the NSECs of the parent. With opt-out the verdict is insecure and
// is_delegation true.
[[nodiscard]] DsDenial denies_ds(const Denials& denials, const Name& name, CryptoBudget& budget);

// RFC 5155 5: SHA-1, 20 octets.
[[nodiscard]] std::string nsec3_hash(const Name& name, std::string_view salt,
                                     std::uint16_t iterations);
// Hash in base32hex, lower case: the first label of an NSEC3 owner (RFC 5155 3.3).
[[nodiscard]] std::string nsec3_label(std::string_view hash);

}  // namespace posthorn::dns
