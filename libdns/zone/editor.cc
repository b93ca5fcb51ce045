#include <algorithm>

#include "libdns/zone/canonical.h"
#include "libdns/zone/difference.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

namespace {

auto place_of(ZoneNode& node, Type type) {
  return std::lower_bound(node.sets.begin(), node.sets.end(), type,
                          [](const RrSet& set, Type t) { return set.type < t; });
}

std::size_t records_of(const RrSet& set) {
  return set.rdata.size() + set.signatures.size();
}

// What a node adds to the sums of its zone.
struct Sums {
  std::size_t records = 0;
  std::size_t octets = 0;
  std::size_t cuts = 0;
  std::size_t wildcards = 0;
};
bool has_wildcard(std::string_view key) {
  return key.starts_with(std::string_view("*\0", 2)) ||
         key.find(std::string_view("\0*\0", 3)) != std::string_view::npos;
}
Sums sums_of(const ZoneNode& node) {
  Sums sums;
  if (!node.sets.empty() && has_wildcard(node.key)) sums.wildcards = 1;
  for (const RrSet& set : node.sets) {
    const std::size_t fixed = set.owner.wire().size() + 10;
    sums.records += records_of(set);
    for (const std::string& octets : set.rdata) sums.octets += fixed + octets.size();
    for (const std::string& octets : set.signatures) sums.octets += fixed + octets.size();
    if (set.type == Type::dname || (set.type == Type::ns && !node.key.empty())) sums.cuts = 1;
  }
  return sums;
}

}  // namespace

std::string_view to_string(EditFault fault) {
  switch (fault) {
    case EditFault::outside_zone:
      return "the name is outside of the zone";
    case EditFault::not_internet:
      return "the class isn't IN";
    case EditFault::metatype:
      return "no zone has records of this type";
    case EditFault::misplaced_soa:
      return "a SOA stands at the top of a zone only";
    case EditFault::too_many_records:
      return "too many records of one name and type";
    case EditFault::no_soa:
      return "the zone has no SOA";
    case EditFault::several_soas:
      return "the zone has more than one SOA";
    case EditFault::does_not_apply:
      return "the difference isn't one from this version";
  }
  return "unknown fault";
}

ZoneEditor::ZoneEditor(Name origin)
    : origin_(std::move(origin)),
      origin_labels_(origin_.label_count()),
      ttl_rule_(TtlRule::least) {}

ZoneEditor::ZoneEditor(std::shared_ptr<const Zone> previous)
    : origin_(previous->origin()),
      origin_labels_(origin_.label_count()),
      previous_(std::move(previous)),
      ttl_rule_(TtlRule::last),
      records_(previous_->record_count()) {}

Result<void, EditFault> ZoneEditor::may_add(const Name& owner, Class klass, Type type) const {
  if (!owner.is_at_or_below(origin_)) return fail(EditFault::outside_zone);
  if (klass != Class::in) return fail(EditFault::not_internet);
  if (is_metatype(type)) return fail(EditFault::metatype);
  if (type == Type::soa && owner != origin_) return fail(EditFault::misplaced_soa);
  return {};
}

const ZoneNode* ZoneEditor::current(const Name& owner, Type type) const {
  if (!owner.is_at_or_below(origin_)) return nullptr;
  const NodeKey key(owner, origin_labels_);
  const Edits& edits = type == Type::nsec3 ? nsec3_edits_ : edits_;
  const auto edit = edits.find(key.octets());
  if (edit != edits.end()) return &edit->second.node;
  if (!previous_) return nullptr;
  return (type == Type::nsec3 ? previous_->nsec3_ : previous_->nodes_).find(key.octets());
}

const ZoneNode* ZoneEditor::find(const Name& owner) const {
  const ZoneNode* node = current(owner, Type::a);
  const auto is_there = [](const RrSet& set) { return !set.empty(); };
  if (node == nullptr || std::none_of(node->sets.begin(), node->sets.end(), is_there))
    return nullptr;
  return node;
}

const RrSet* ZoneEditor::find(const Name& owner, Type type) const {
  const ZoneNode* node = current(owner, type);
  const RrSet* set = node != nullptr ? node->find(type) : nullptr;
  return set != nullptr && !set->empty() ? set : nullptr;
}

ZoneEditor::Edit& ZoneEditor::touch(const Name& owner, Type type) {
  const NodeKey key(owner, origin_labels_);
  Edits& edits = edits_for(type);
  const auto found = edits.find(key.octets());
  if (found != edits.end()) return found->second;
  Edit edit;
  edit.owner = owner;
  if (const ZoneNode* node = current(owner, type)) {
    edit.owner = node->owner();
    edit.node = *node;
  }
  edit.node.key = key.octets();
  return edits.emplace(key.octets(), std::move(edit)).first->second;
}

RrSet& ZoneEditor::touch_set(const Name& owner, Type type) {
  Edit& edit = touch(owner, type);
  const auto place = place_of(edit.node, type);
  if (place != edit.node.sets.end() && place->type == type) return *place;
  return *edit.node.sets.insert(place, RrSet(edit.owner, type, 0));
}

Result<void, EditFault> ZoneEditor::add_octets(const Name& owner, Type type, std::uint32_t ttl,
                                               std::string octets) {
  RrSet& set = touch_set(owner, type);
  if (set.empty()) {
    set.ttl = ttl;  // until now only of signatures
  } else {
    set.ttl = ttl_rule_ == TtlRule::least ? std::min(set.ttl, ttl) : ttl;
  }
  const std::size_t place = canonical_place(set, octets);
  if (place < set.rdata.size() && same_rdata(type, set.rdata[place], octets)) return {};
  if (set.rdata.size() >= max_set_records) return fail(EditFault::too_many_records);
  set.rdata.insert(set.rdata.begin() + static_cast<std::ptrdiff_t>(place), std::move(octets));
  ++records_;
  return {};
}

Result<void, EditFault> ZoneEditor::add_signature(const Name& owner, Type covered,
                                                  std::uint32_t ttl, std::string octets) {
  RrSet& set = touch_set(owner, covered);
  if (records_of(set) == 0) set.ttl = ttl;
  const auto place = std::lower_bound(set.signatures.begin(), set.signatures.end(), octets);
  if (place != set.signatures.end() && *place == octets) return {};
  if (set.signatures.size() >= max_set_records) return fail(EditFault::too_many_records);
  set.signatures.insert(place, std::move(octets));
  ++records_;
  return {};
}

Result<void, EditFault> ZoneEditor::add(const Record& record) {
  const auto allowed = may_add(record.owner, record.klass, record.type());
  if (!allowed) return allowed;
  std::string octets = rdata_to_wire(record.data);
  if (const Rrsig* signature = record.as<Rrsig>()) {
    return add_signature(record.owner, signature->covered, record.ttl, std::move(octets));
  }
  return add_octets(record.owner, record.type(), record.ttl, std::move(octets));
}

Result<void, EditFault> ZoneEditor::add(const RrSet& part) {
  const auto allowed = may_add(part.owner, part.klass, part.type);
  if (!allowed) return allowed;
  for (const std::string& octets : part.rdata) {
    const auto added = add_octets(part.owner, part.type, part.ttl, octets);
    if (!added) return added;
  }
  for (const std::string& octets : part.signatures) {
    const auto added = add_signature(part.owner, part.type, part.ttl, octets);
    if (!added) return added;
  }
  return {};
}

Result<void, EditFault> ZoneEditor::put(RrSet set) {
  const auto allowed = may_add(set.owner, set.klass, set.type);
  if (!allowed) return allowed;
  remove_set(set.owner, set.type);
  return add(set);
}

bool ZoneEditor::remove_octets(const Name& owner, Type type, const std::string& octets) {
  if (find(owner, type) == nullptr) return false;
  RrSet& set = touch_set(owner, type);
  const std::size_t place = canonical_place(set, octets);
  if (place >= set.rdata.size() || !same_rdata(type, set.rdata[place], octets)) return false;
  set.rdata.erase(set.rdata.begin() + static_cast<std::ptrdiff_t>(place));
  --records_;
  return true;
}

bool ZoneEditor::remove_signature(const Name& owner, Type covered, const std::string& octets) {
  const ZoneNode* node = current(owner, covered);
  if (node == nullptr || node->find(covered) == nullptr) return false;
  RrSet& set = touch_set(owner, covered);
  const auto place = std::lower_bound(set.signatures.begin(), set.signatures.end(), octets);
  if (place == set.signatures.end() || *place != octets) return false;
  set.signatures.erase(place);
  --records_;
  return true;
}

bool ZoneEditor::remove(const Name& owner, const Rdata& data) {
  const std::string octets = rdata_to_wire(data);
  if (const Rrsig* signature = std::get_if<Rrsig>(&data)) {
    return remove_signature(owner, signature->covered, octets);
  }
  return remove_octets(owner, type_of(data), octets);
}

bool ZoneEditor::remove_set(const Name& owner, Type type) {
  const bool was_there = find(owner, type) != nullptr;
  const ZoneNode* node = current(owner, type);
  if (node == nullptr || node->find(type) == nullptr) return false;
  RrSet& set = touch_set(owner, type);
  records_ -= records_of(set);
  set.rdata.clear();
  set.signatures.clear();
  return was_there;
}

bool ZoneEditor::remove_name(const Name& owner) {
  const bool was_there = find(owner) != nullptr;
  if (current(owner, Type::a) == nullptr) return false;
  for (const RrSet& set : touch(owner, Type::a).node.sets) records_ -= records_of(set);
  touch(owner, Type::a).node.sets.clear();
  return was_there;
}

Result<void, EditFault> ZoneEditor::apply(const ZoneDifference& difference) {
  const RrSet* soa = find(origin_, Type::soa);
  if (soa == nullptr || serial_in(*soa) != difference.from())
    return fail(EditFault::does_not_apply);
  for (const RrSet& part : difference.removed) {
    for (const std::string& octets : part.rdata) {
      if (!remove_octets(part.owner, part.type, octets)) return fail(EditFault::does_not_apply);
    }
    for (const std::string& octets : part.signatures) {
      if (!remove_signature(part.owner, part.type, octets)) return fail(EditFault::does_not_apply);
    }
  }
  for (const RrSet& part : difference.added) {
    const std::size_t before = records_;
    const auto added = add(part);
    if (!added) return added;
    if (records_ != before + records_of(part)) return fail(EditFault::does_not_apply);
  }
  RrSet& now = touch_set(origin_, Type::soa);
  now.rdata = difference.new_soa.rdata;
  now.ttl = difference.new_soa.ttl;
  return {};
}

void ZoneEditor::set_serial(std::uint32_t serial) {
  if (find(origin_, Type::soa) == nullptr) return;
  RrSet& set = touch_set(origin_, Type::soa);
  auto data = rdata_from_wire(Type::soa, set.rdata.front());
  if (Soa* soa = data ? std::get_if<Soa>(&*data) : nullptr) {
    soa->serial = serial;
    set.rdata.front() = rdata_to_wire(*data);
  }
}

// Turns edits into nodes: into the zone's tree, its sums and the difference.
void ZoneEditor::settle(Edits& edits, const NodeTree* before, Zone& zone,
                        ZoneDifference& difference) {
  NodeTree::Changes changes;
  for (auto& [key, edit] : edits) {
    std::vector<RrSet>& sets = edit.node.sets;
    std::erase_if(sets, [](const RrSet& set) { return set.empty(); });
    const ZoneNode* old = before != nullptr ? before->find(key) : nullptr;
    if (old != nullptr ? *old == edit.node : sets.empty()) continue;
    if (previous_) {
      add_missing(old, &edit.node, difference.removed);
      add_missing(&edit.node, old, difference.added);
    }
    const Sums minus = old != nullptr ? sums_of(*old) : Sums();
    const Sums plus = sums_of(edit.node);
    zone.records_ += plus.records - minus.records;
    zone.octets_ += plus.octets - minus.octets;
    zone.cuts_ += plus.cuts - minus.cuts;
    zone.wildcards_ += plus.wildcards - minus.wildcards;
    sets.shrink_to_fit();
    for (RrSet& set : sets) set.rdata.shrink_to_fit();
    changes.emplace(
        key, sets.empty() ? nullptr : std::make_shared<const ZoneNode>(std::move(edit.node)));
  }
  NodeTree& tree = &edits == &nsec3_edits_ ? zone.nsec3_ : zone.nodes_;
  if (!changes.empty()) tree = tree.with(changes);
}

Result<void, EditFault> ZoneEditor::describe(Zone& zone) const {
  const ZoneNode* apex = zone.nodes_.find("");
  zone.soa_set_ = apex != nullptr ? apex->find(Type::soa) : nullptr;
  if (zone.soa_set_ == nullptr) return fail(EditFault::no_soa);
  if (zone.soa_set_->rdata.size() != 1) return fail(EditFault::several_soas);
  const auto data = rdata_from_wire(Type::soa, zone.soa_set_->rdata.front());
  const Soa* soa = data ? std::get_if<Soa>(&*data) : nullptr;
  if (soa == nullptr) return fail(EditFault::no_soa);
  zone.soa_ = *soa;
  zone.negative_soa_ = *zone.soa_set_;
  zone.negative_soa_.ttl = std::min(zone.soa_set_->ttl, soa->minimum);
  zone.is_signed_ = apex->find(Type::dnskey) != nullptr && !zone.soa_set_->signatures.empty();
  zone.denial_ = Denial::none;
  if (!zone.is_signed_) return {};
  if (apex->find(Type::nsec) != nullptr) {
    zone.denial_ = Denial::nsec;
  } else if (const RrSet* set = apex->find(Type::nsec3param)) {
    const auto found = rdata_from_wire(Type::nsec3param, set->rdata.front());
    const Nsec3param* parameters = found ? std::get_if<Nsec3param>(&*found) : nullptr;
    if (parameters != nullptr && parameters->algorithm == 1 && zone.nsec3_.size() != 0 &&
        parameters->iterations <= max_nsec3_iterations) {
      zone.nsec3_parameters_ = *parameters;
      zone.denial_ = Denial::nsec3;
    }
  }
  return {};
}

Result<ZoneVersion, EditFault> ZoneEditor::commit() {
  std::shared_ptr<Zone> zone(previous_ ? new Zone(*previous_) : new Zone());
  zone->origin_ = origin_;
  zone->origin_labels_ = origin_labels_;
  ZoneVersion version;
  settle(edits_, previous_ ? &previous_->nodes_ : nullptr, *zone, version.difference);
  settle(nsec3_edits_, previous_ ? &previous_->nsec3_ : nullptr, *zone, version.difference);
  const auto described = describe(*zone);
  if (!described) return fail(described.error());
  if (previous_) {
    version.difference.old_soa = without_signatures(*previous_->soa_set_);
    version.difference.new_soa = without_signatures(*zone->soa_set_);
  }
  version.zone = std::move(zone);
  return version;
}

}  // namespace posthorn::dns
