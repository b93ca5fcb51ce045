// Addresses between DNS and text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libdns/wire/record.h"

namespace posthorn::dns {

// Dotted quad, or any form of RFC 4291 2.2; no brackets, no zone.
[[nodiscard]] std::optional<A> parse_a(std::string_view text);
[[nodiscard]] std::optional<Aaaa> parse_aaaa(std::string_view text);
// "1.2.0.192.in-addr.arpa" (RFC 1035 3.5), "1.0...ip6.arpa" (RFC 3596 2.5).
[[nodiscard]] Name reverse_name(const A& address);
[[nodiscard]] Name reverse_name(const Aaaa& address);
// The same of an address as text; nothing if it is none.
[[nodiscard]] std::optional<Name> reverse_name(std::string_view address);

}  // namespace posthorn::dns
