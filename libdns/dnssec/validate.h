// Steps of validation (RFC 4035 5, RFC 6840): from the parent's DS to the zone's keys, from the keys
// to a set. What isn't there (a denial) is in denial.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libdns/dnssec/budget.h"
#include "libdns/wire/rrset.h"
#include "libdns/wire/security.h"
#include "libdns/wire/serial.h"

namespace posthorn::dns {

// What came of one step. `why` names the link for a human: "no DNSKEY of example.org matches its DS
// 12345 13 2"; names in it are in presentation form, so safe to print. Never `unavailable`.
struct Verdict {
  Security security = Security::secure;
  EdeCode code = EdeCode::other;  // means nothing if secure
  std::string why;                // empty if secure

  Verdict() = default;
  Verdict(Security s, EdeCode c, std::string w) : security(s), code(c), why(std::move(w)) {}
  [[nodiscard]] bool is_secure() const { return security == Security::secure; }
  [[nodiscard]] bool is_bogus() const { return security == Security::bogus; }
};

// Keys of a zone that may sign its sets. To be kept for `ttl` seconds at most.
struct ZoneKeys {
  struct Key {
    std::uint16_t tag = 0;
    VerifyingKey key;
  };
  Name zone;
  std::vector<Key> keys;
  std::uint32_t ttl = 0;
};

struct KeysVerdict {
  Verdict verdict;
  ZoneKeys keys;  // empty unless secure
};
// The DNSKEY set of a zone against the DS set of its parent, or against trust anchors as DS. Secure
// if a key that a DS names has signed the set: the other keys are then the zone's as well. Insecure
// if no DS has an algorithm and a digest that we know (RFC 4035 5.2). DS with SHA-1 count only if
// there is none with a better digest (RFC 4509 3). Revoked keys don't count (RFC 5011 2.1).
[[nodiscard]] KeysVerdict check_dnskeys(const RrSet& dnskeys, std::span<const Ds> trusted,
                                        std::uint32_t now, CryptoBudget& budget);
// DS of a secure set, to be given to check_dnskeys().
[[nodiscard]] std::vector<Ds> ds_records(const RrSet& set);
// Does any of them have an algorithm and a digest that we know? If none has, the zone is unsigned
// for us and its DNSKEY set needn't be asked for. `why` tells the DS that came closest.
[[nodiscard]] Verdict check_ds_support(const Name& zone, std::span<const Ds> trusted,
                                       Sha1 sha1 = Sha1::refused);

struct SetVerdict {
  Verdict verdict;
  // Of a secure set: seconds that it may be kept, by its TTL, the signer's TTL and the signature's
  // end (RFC 4035 5.3.3).
  std::uint32_t ttl = 0;
  // The set was made from this wildcard: it is secure only with a proof that no closer name exists,
  // see denies_closer_name().
  std::optional<Name> wildcard;
};
// A set by keys of the zone it stands in (RFC 4035 5.3). One good signature is enough. Bogus if none
// is: a set without any is bogus, too, because the zone is signed; ask for sets that nobody signs
// (NS and glue at a delegation) elsewhere.
[[nodiscard]] SetVerdict check_rrset(const RrSet& set, const ZoneKeys& keys, std::uint32_t now,
                                     CryptoBudget& budget);

}  // namespace posthorn::dns
