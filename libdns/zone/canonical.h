// The canonical order of the records in a set (RFC 4034 6.3), of RDATA as octets. Inside
// libdns/zone.
#pragma once

#include <string>
#include <string_view>

#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// Equal but for the case of names in it (RFC 3597 6).
[[nodiscard]] bool same_rdata(Type type, std::string_view a, std::string_view b);
// Where `octets` stand in the set's records, or would stand.
[[nodiscard]] std::size_t canonical_place(const RrSet& set, std::string_view octets);

}  // namespace posthorn::dns
