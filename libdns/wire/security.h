// How far an answer may be believed, and why not (RFC 4035 4.3, RFC 8914).
#pragma once

#include <cstdint>
#include <string_view>

namespace posthorn::dns {

// May the answer be believed? Mail treats `bogus` and `unavailable` alike: try later, never do
// without (RFC 7672 2.1).
enum class Security : std::uint8_t {
  insecure,     // an answer; nobody vouches for it
  secure,       // validated: by us, or by a resolver that we trust over a path nobody can touch
  bogus,        // its signatures are wrong, or missing where the parent says that there are some
  unavailable,  // no answer: silence, failure, nonsense
};
[[nodiscard]] std::string_view to_string(Security security);
// Of two answers that a conclusion rests on, what the conclusion is.
[[nodiscard]] Security weakest(Security a, Security b);

// INFO-CODEs of RFC 8914 that we give.
enum class EdeCode : std::uint16_t {
  other = 0,
  unsupported_algorithm = 1,
  unsupported_digest = 2,
  stale_answer = 3,
  dnssec_indeterminate = 5,
  dnssec_bogus = 6,
  signature_expired = 7,
  signature_not_yet_valid = 8,
  dnskey_missing = 9,
  rrsigs_missing = 10,
  no_zone_key = 11,
  nsec_missing = 12,
  cached_error = 13,
  not_ready = 14,
  blocked = 15,
  prohibited = 18,
  stale_nxdomain = 19,
  not_authoritative = 20,
  not_supported = 21,
  no_reachable_authority = 22,
  network_error = 23,
  invalid_data = 24,
  iterations_too_high = 27,  // "Unsupported NSEC3 Iterations Value"
};

}  // namespace posthorn::dns
