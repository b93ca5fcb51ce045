#include "libdns/zone/zone.h"

namespace posthorn::dns {

const ZoneNode* Zone::find(const Name& name) const {
  if (!name.is_at_or_below(origin_)) return nullptr;
  return nodes_.find(key(name).octets());
}

const RrSet* Zone::find(const Name& name, Type type) const {
  const ZoneNode* node = find(name);
  return node != nullptr ? node->find(type) : nullptr;
}

bool Zone::exists(const Name& name) const {
  if (!name.is_at_or_below(origin_)) return false;
  const NodeKey wanted = key(name);
  NodeTree::Position at = nodes_.at_or_before(wanted.octets());
  if (at.node() != nullptr && at.node()->key == wanted.octets()) return true;
  at.to_next();
  return at.node() != nullptr && at.node()->key.starts_with(wanted.octets());
}

const ZoneNode* Zone::cut_above(const Name& name) const {
  if (!has_cuts() || !name.is_at_or_below(origin_)) return nullptr;
  const NodeKey wanted = key(name);
  for (std::size_t labels = 1; labels <= wanted.labels(); ++labels) {
    const ZoneNode* node = nodes_.find(wanted.prefix(labels));
    if (node != nullptr && node->find(Type::ns) != nullptr) return node;
  }
  return nullptr;
}

void Zone::for_each(const std::function<void(const RrSet&)>& visit) const {
  visit(*soa_set_);
  for (const NodeTree* tree : {&nodes_, &nsec3_}) {
    for (auto at = tree->first(); at.node() != nullptr; at.to_next()) {
      for (const RrSet& set : at.node()->sets) {
        if (&set != soa_set_) visit(set);
      }
    }
  }
}

bool Zone::operator==(const Zone& other) const {
  if (origin_ != other.origin_ || records_ != other.records_) return false;
  const auto same = [](const NodeTree& a, const NodeTree& b) {
    auto mine = a.first();
    auto theirs = b.first();
    for (; mine.node() != nullptr && theirs.node() != nullptr; mine.to_next(), theirs.to_next()) {
      if (mine.node() != theirs.node() && *mine.node() != *theirs.node()) return false;
    }
    return mine.node() == theirs.node();
  };
  return same(nodes_, other.nodes_) && same(nsec3_, other.nsec3_);
}

}  // namespace posthorn::dns
