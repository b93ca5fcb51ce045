#include "libdns/zone/difference.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

// Of two lists without doubles, what only the first has.
std::vector<std::string> only_in_first(const std::vector<std::string>& first,
                                       const std::vector<std::string>& second) {
  std::vector<std::string_view> others(second.begin(), second.end());
  std::sort(others.begin(), others.end());
  std::vector<std::string> only;
  for (const std::string& octets : first) {
    if (!std::binary_search(others.begin(), others.end(), octets)) only.push_back(octets);
  }
  return only;
}

// The part of `set` that `other` hasn't.
RrSet missing_in(const RrSet& set, const RrSet* other) {
  RrSet part(set.owner, set.type, set.ttl);
  const bool whole = other == nullptr || other->ttl != set.ttl;
  part.rdata = whole ? set.rdata : only_in_first(set.rdata, other->rdata);
  part.signatures = whole ? set.signatures : only_in_first(set.signatures, other->signatures);
  if (set.type == Type::soa) part.rdata.clear();  // stands in old_soa and new_soa
  return part;
}

// Walks both trees side by side. Nodes that both share are the same.
void compare(const NodeTree& before, const NodeTree& after, ZoneDifference& difference) {
  auto old_at = before.first();
  auto new_at = after.first();
  while (old_at.node() != nullptr || new_at.node() != nullptr) {
    const ZoneNode* a = old_at.node();
    const ZoneNode* b = new_at.node();
    if (a == b) {
      old_at.to_next();
      new_at.to_next();
      continue;
    }
    const bool takes_a = a != nullptr && (b == nullptr || a->key <= b->key);
    const bool takes_b = b != nullptr && (a == nullptr || b->key <= a->key);
    add_missing(takes_a ? a : nullptr, takes_b ? b : nullptr, difference.removed);
    add_missing(takes_b ? b : nullptr, takes_a ? a : nullptr, difference.added);
    if (takes_a) old_at.to_next();
    if (takes_b) new_at.to_next();
  }
}

}  // namespace

void add_missing(const ZoneNode* node, const ZoneNode* other, std::vector<RrSet>& parts) {
  if (node == nullptr) return;
  for (const RrSet& set : node->sets) {
    RrSet part = missing_in(set, other != nullptr ? other->find(set.type) : nullptr);
    if (!part.rdata.empty() || !part.signatures.empty()) parts.push_back(std::move(part));
  }
}

RrSet without_signatures(const RrSet& set) {
  RrSet plain(set.owner, set.type, set.ttl);
  plain.rdata = set.rdata;
  return plain;
}

std::uint32_t serial_in(const RrSet& set) {
  if (set.empty()) return 0;
  const auto data = rdata_from_wire(Type::soa, set.rdata.front());
  const Soa* soa = data ? std::get_if<Soa>(&*data) : nullptr;
  return soa != nullptr ? soa->serial : 0;
}

std::uint32_t ZoneDifference::from() const {
  return serial_in(old_soa);
}

std::uint32_t ZoneDifference::to() const {
  return serial_in(new_soa);
}

ZoneDifference difference_between(const Zone& before, const Zone& after) {
  ZoneDifference difference;
  difference.old_soa = without_signatures(before.soa_set());
  difference.new_soa = without_signatures(after.soa_set());
  compare(before.nodes(), after.nodes(), difference);
  compare(before.nsec3_nodes(), after.nsec3_nodes(), difference);
  return difference;
}

}  // namespace posthorn::dns
