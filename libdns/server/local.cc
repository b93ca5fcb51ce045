#include "libdns/server/local.h"

#include <algorithm>

namespace posthorn::dns {

bool LocalAnswer::is_signed() const {
  return std::ranges::all_of(zones, [](const Zones::Pointer& zone) { return zone->is_signed(); });
}

bool LocalAnswer::is_secure() const {
  return is_ours && !is_empty && is_signed() && !leads_away();
}

namespace {

// A set stands in an answer once (RFC 2181 5), though a chain may pass it twice: the DNAME of a zone
// that it comes back to, or all of a circle.
bool is_told(const LocalAnswer& answer, const RrSet& set) {
  const auto same = [&set](const RrSet* other) {
    return other == &set || (other->type == set.type && other->owner == set.owner);
  };
  return std::ranges::any_of(answer.parts, [&same](const ZoneAnswer& part) {
    return std::ranges::any_of(part.answer, same) || std::ranges::any_of(part.authority, same);
  });
}

// Takes away what was told. False: nothing was new, the chain goes round.
bool keep_news(const LocalAnswer& answer, ZoneAnswer& part) {
  const bool leads_on = part.next.has_value();
  const auto told = [&answer](const RrSet* set) { return is_told(answer, *set); };
  std::erase_if(part.answer, told);
  std::erase_if(part.authority, told);
  return !leads_on || !part.answer.empty();
}

}  // namespace

LocalAnswer ask_zones(const Zones& zones, std::string_view folded, const Name& name, Type type,
                      bool dnssec_ok) {
  LocalAnswer answer;
  Zones::Match match = zones.find(folded, type);
  answer.is_ours = match.is_ours;
  Name at = name;
  for (std::size_t step = 0; match.is_ours && step < max_chain; ++step) {
    if (!match.zone) {
      answer.is_empty = true;
      return answer;
    }
    ZoneAnswer part = look_up(*match.zone, at, type, dnssec_ok);
    const bool is_news = keep_news(answer, part);
    answer.next = std::exchange(part.next, std::nullopt);
    answer.parts.push_back(std::move(part));
    answer.zones.push_back(std::move(match.zone));
    if (!is_news) answer.next.reset();
    if (!answer.next) return answer;
    at = *answer.next;
    match = zones.find(at.folded().wire(), type);
    // Below a delegation of the zone that has just spoken, which has said so.
    if (match.zone == answer.zones.back()) return answer;
  }
  return answer;
}

}  // namespace posthorn::dns
