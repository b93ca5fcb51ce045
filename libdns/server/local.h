// "Own records first": what our zones say to a question, from one zone to the next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libdns/server/zones.h"
#include "libdns/zone/lookup.h"

namespace posthorn::dns {

struct LocalAnswer {
  bool is_ours = false;   // false: no zone of ours has the name, and nothing below means anything
  bool is_empty = false;  // a zone in question has nothing to serve: SERVFAIL
  std::vector<ZoneAnswer> parts;  // a CNAME may lead from zone to zone; the last one has the end
  std::vector<Zones::Pointer> zones;  // what the parts point into
  // Where the chain leaves our zones; a resolver may go on there.
  std::optional<Name> next;

  [[nodiscard]] const ZoneAnswer& last() const { return parts.back(); }
  // Another zone, not ours, speaks for the name or the end of the chain.
  [[nodiscard]] bool leads_away() const {
    return is_ours && !is_empty && (next || last().kind == ZoneAnswer::Kind::referral);
  }
  // Every part is of a signed zone.
  [[nodiscard]] bool is_signed() const;
  // ... and says something itself.
  [[nodiscard]] bool is_secure() const;
};

// `folded`: the name in lower case as on the wire, `name` as the client wrote it.
[[nodiscard]] LocalAnswer ask_zones(const Zones& zones, std::string_view folded, const Name& name,
                                    Type type, bool dnssec_ok);

}  // namespace posthorn::dns
