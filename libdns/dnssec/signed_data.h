// The octets that an RRSIG covers (RFC 4034 3.1.8.1, 6).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// RDATA of the set in canonical form and order, none twice (RFC 4034 6.2, 6.3).
[[nodiscard]] std::vector<std::string> canonical_order(const RrSet& set);

// Labels of `owner` as RRSIG.labels counts them: without the root, without a leading "*".
[[nodiscard]] std::size_t rrsig_labels(const Name& owner);
// The name that was signed (RFC 4035 5.3.2): `owner`, or "*." and its last `labels` labels if that
// is fewer than it has. `labels` is at most rrsig_labels(owner).
[[nodiscard]] Name signed_owner(const Name& owner, std::size_t labels);

// RRSIG RDATA without the signature, then the set with the original TTL. `rdata` is what
// canonical_order() gave. Conditions on `signature` have been checked before (RFC 4035 5.3.1).
[[nodiscard]] std::string signed_data(const Rrsig& signature, const Name& owner, Class klass,
                                      std::span<const std::string> rdata);
[[nodiscard]] std::string signed_data(const Rrsig& signature, const RrSet& set);

}  // namespace posthorn::dns
