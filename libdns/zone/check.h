// What is wrong with a zone that can be read: for "posthorn dns check" and before a server takes it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libdns/zone/problem.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

struct CheckOptions {
  std::optional<std::uint64_t> now;  // seconds since 1970: signatures that have expired are told
};
// In canonical order of the names. Unfit are zones that no UPDATE could have made, either: what was
// acknowledged can be served again.
// Structure: RFC 1034, 1912, 2181, 6672. Mail: RFC 5321 5.1, 7505, 7208, 6376, 7489, 8461, 8460,
// 6698.
[[nodiscard]] std::vector<Problem> check_zone(const Zone& zone, const CheckOptions& options = {});

}  // namespace posthorn::dns
