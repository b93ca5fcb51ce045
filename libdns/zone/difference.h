// What one version has and another hasn't. Inside libdns/zone.
#pragma once

#include "libdns/zone/zone.h"

namespace posthorn::dns {

// Adds the parts of `node`'s sets that `other`, the same name in the other version, hasn't. Either
// may be null.
void add_missing(const ZoneNode* node, const ZoneNode* other, std::vector<RrSet>& parts);
[[nodiscard]] RrSet without_signatures(const RrSet& set);
// Of a SOA set; 0 if it is empty.
[[nodiscard]] std::uint32_t serial_in(const RrSet& set);

}  // namespace posthorn::dns
