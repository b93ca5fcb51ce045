#include "libdns/zone/proofs.h"

#include <algorithm>

#include "libdns/dnssec/denial.h"

namespace posthorn::dns {

namespace {

// Labels of `key` that `other` begins with.
std::size_t common_labels(const NodeKey& key, const ZoneNode* other) {
  if (other == nullptr) return 0;
  std::size_t labels = key.labels();
  while (labels > 0 && !other->key.starts_with(key.prefix(labels))) --labels;
  return labels;
}

}  // namespace

Name ancestor_of(const Name& name, std::size_t labels) {
  std::size_t surplus = name.label_count() - labels;
  std::string_view wire = name.wire();
  for (; surplus > 0; --surplus) wire.remove_prefix(1 + static_cast<unsigned char>(wire[0]));
  return Name::from_wire(wire).value_or(Name());
}

ZonePlace locate(const Zone& zone, const NodeKey& key) {
  ZonePlace place;
  place.node = zone.nodes().find(key.octets());
  if (place.node != nullptr) {
    place.exists = true;
    place.encloser_labels = key.labels();
    return place;
  }
  NodeTree::Position at = zone.nodes().at_or_before(key.octets());
  const std::size_t before = common_labels(key, at.node());
  at.to_next();
  place.encloser_labels = std::max(before, common_labels(key, at.node()));
  place.exists = place.encloser_labels == key.labels();
  return place;
}

void Proofs::add(const RrSet* set) {
  if (set == nullptr) return;
  auto& sets = answer_.authority;
  if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
}

// Glue and names below a delegation have no NSEC: the one of the name before them covers.
void Proofs::add_nsec(std::string_view key) {
  for (auto at = zone_.nodes().at_or_before(key); at.node() != nullptr; at.to_previous()) {
    if (const RrSet* set = at.node()->find(Type::nsec)) return add(set);
  }
}

const RrSet* Proofs::nsec3_match(const Name& name) const {
  const Nsec3param& parameters = zone_.nsec3_parameters();
  const std::string label =
      nsec3_label(nsec3_hash(name, parameters.salt, parameters.iterations)) + '\0';
  const ZoneNode* node = zone_.nsec3_nodes().find(label);
  return node != nullptr ? node->find(Type::nsec3) : nullptr;
}

void Proofs::add_nsec3_covering(const Name& name) {
  const Nsec3param& parameters = zone_.nsec3_parameters();
  const std::string label =
      nsec3_label(nsec3_hash(name, parameters.salt, parameters.iterations)) + '\0';
  auto at = zone_.nsec3_nodes().at_or_before(label);
  if (at.node() == nullptr) at = zone_.nsec3_nodes().last();
  if (at.node() != nullptr) add(at.node()->find(Type::nsec3));
}

Name Proofs::closest_encloser(const Name& name, std::size_t labels) {
  const std::size_t origin_labels = zone_.origin().label_count();
  for (;; --labels) {
    Name ancestor = ancestor_of(name, origin_labels + labels);
    const RrSet* match = nsec3_match(ancestor);
    if (match == nullptr && labels > 0) continue;  // opt-out: an empty non-terminal without one
    add(match);
    if (ancestor != name) add_nsec3_covering(ancestor_of(name, origin_labels + labels + 1));
    return ancestor;
  }
}

std::string Proofs::wildcard_key(const LocatedName& at) const {
  std::string key(at.key.prefix(at.place.encloser_labels));
  key += '*';
  key += '\0';
  return key;
}

void Proofs::no_type(const LocatedName& at) {
  if (zone_.denial() == Denial::nsec) return add_nsec(at.key.octets());
  if (const RrSet* match = nsec3_match(at.name)) return add(match);
  // DS of a delegation in an opt-out span, or a name that only such delegations are below.
  closest_encloser(at.name, at.key.labels());
}

void Proofs::no_name(const LocatedName& at) {
  if (zone_.denial() == Denial::nsec) {
    add_nsec(at.key.octets());
    return add_nsec(wildcard_key(at));
  }
  const Name encloser = closest_encloser(at.name, at.place.encloser_labels);
  if (const auto wildcard = encloser.child("*")) add_nsec3_covering(*wildcard);
}

void Proofs::wildcard_answer(const LocatedName& at) {
  if (zone_.denial() == Denial::nsec) return add_nsec(at.key.octets());
  add_nsec3_covering(
      ancestor_of(at.name, zone_.origin().label_count() + at.place.encloser_labels + 1));
}

void Proofs::wildcard_no_type(const LocatedName& at, const ZoneNode* wildcard) {
  if (zone_.denial() == Denial::nsec) {
    // An empty "*" has no NSEC of its own, the one before it shows that it has no types.
    if (wildcard != nullptr) {
      add(wildcard->find(Type::nsec));
    } else {
      add_nsec(wildcard_key(at));
    }
    return add_nsec(at.key.octets());
  }
  const Name encloser = closest_encloser(at.name, at.place.encloser_labels);
  if (const auto name = encloser.child("*")) add(nsec3_match(*name));
}

void Proofs::no_ds(const ZoneNode& delegation) {
  if (zone_.denial() == Denial::nsec) return add(delegation.find(Type::nsec));
  if (const RrSet* match = nsec3_match(delegation.owner())) return add(match);
  closest_encloser(delegation.owner(), zone_.key(delegation.owner()).labels());
}

}  // namespace posthorn::dns
