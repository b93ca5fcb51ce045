#include "libdns/server/zones.h"

#include <algorithm>

namespace posthorn::dns {

Zones::Match Zones::find(std::string_view folded, Type type) const {
  const std::string_view whole = folded;
  Match own;  // of the apex that a DS was asked of
  while (!folded.empty()) {
    const auto found = zones_.find(folded);
    if (found != zones_.end()) {
      Match match{true, found->second};
      const bool is_apex = folded.size() == whole.size() && folded.size() > 1;
      if (type != Type::ds || !is_apex) return match;
      own = std::move(match);
    }
    if (folded.size() == 1) break;
    folded.remove_prefix(1 + static_cast<std::uint8_t>(folded[0]));
  }
  return own;
}

Zones::Pointer Zones::at(const Name& origin) const {
  const auto found = zones_.find(origin.folded().wire());
  return found == zones_.end() ? nullptr : found->second;
}

bool Zones::has(const Name& origin) const {
  return zones_.find(origin.folded().wire()) != zones_.end();
}

void Zones::put(Pointer zone) {
  const Name origin = zone->origin();
  zones_.insert_or_assign(std::string(origin.folded().wire()), std::move(zone));
  changed(origin);
}

void Zones::put_empty(const Name& origin) {
  zones_.insert_or_assign(std::string(origin.folded().wire()), nullptr);
  changed(origin);
}

void Zones::remove(const Name& origin) {
  zones_.erase(std::string(origin.folded().wire()));
  changed(origin);
}

void Zones::changed(const Name& origin) {
  ++generation_;
  if (tell_) tell_(origin);
}

std::vector<Name> Zones::origins() const {
  std::vector<Name> names;
  for (const auto& [wire, zone] : zones_) {
    if (auto name = Name::from_wire(wire)) names.push_back(std::move(*name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace posthorn::dns
