#include "libdns/server/local.h"

#include <algorithm>

namespace posthorn::dns {

bool LocalAnswer::is_secure() const {
  const bool all_signed =
      std::ranges::all_of(zones, [](const Zones::Pointer& zone) { return zone->is_signed(); });
  return is_ours && !is_empty && all_signed && !leads_away();
}

LocalAnswer ask_zones(const Zones& zones, std::string_view folded, const Name& name, Type type,
                      bool dnssec_ok) {
  LocalAnswer answer;
  Zones::Match match = zones.find(folded, type);
  answer.is_ours = match.is_ours;
  Name at = name;
  // A chain that comes back to where it was costs max_chain zones, and no more.
  for (std::size_t step = 0; match.is_ours && step < max_chain; ++step) {
    if (!match.zone) {
      answer.is_empty = true;
      return answer;
    }
    answer.parts.push_back(look_up(*match.zone, at, type, dnssec_ok));
    answer.zones.push_back(std::move(match.zone));
    answer.next = std::exchange(answer.parts.back().next, std::nullopt);
    if (!answer.next) return answer;
    at = *answer.next;
    match = zones.find(at.folded().wire(), type);
    // Below a delegation of the zone that has just spoken, which has said so.
    if (match.zone == answer.zones.back()) return answer;
  }
  return answer;
}

}  // namespace posthorn::dns
