#include "libdns/wire/rrset.h"

#include <algorithm>
#include <unordered_map>

namespace posthorn::dns {

namespace {

struct Key {
  Name owner;
  Type type;
  Class klass;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return NameHash()(key.owner) * 31 + static_cast<std::size_t>(key.type) * 8 +
           static_cast<std::size_t>(key.klass);
  }
};

// Keeps the first of each; by sorting, because a stranger chooses how many there are.
void drop_doubles(std::vector<std::string>& octets) {
  std::vector<std::size_t> order(octets.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&octets](std::size_t a, std::size_t b) {
    return octets[a] != octets[b] ? octets[a] < octets[b] : a < b;
  });
  std::vector<bool> doubled(octets.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    doubled[order[i]] = octets[order[i]] == octets[order[i - 1]];
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (doubled[i]) continue;
    if (kept != i) octets[kept] = std::move(octets[i]);
    ++kept;
  }
  octets.resize(kept);
}

std::vector<Record> records_of(const RrSet& set, Type type, const std::vector<std::string>& all) {
  std::vector<Record> records;
  records.reserve(all.size());
  for (const std::string& octets : all) {
    auto data = rdata_from_wire(type, octets);
    if (data) records.emplace_back(set.owner, set.ttl, std::move(*data), set.klass);
  }
  return records;
}

}  // namespace

std::vector<Record> RrSet::records() const {
  return records_of(*this, type, rdata);
}

std::vector<Record> RrSet::signature_records() const {
  return records_of(*this, Type::rrsig, signatures);
}

void RrSet::add(std::string octets) {
  if (std::find(rdata.begin(), rdata.end(), octets) == rdata.end())
    rdata.push_back(std::move(octets));
}

std::vector<RrSet> collect_rrsets(std::span<const RecordView> section) {
  std::vector<RrSet> sets;
  std::unordered_map<Key, std::size_t, KeyHash> places;
  for (const RecordView& record : section) {
    if (record.type == Type::opt || record.type == Type::tsig || record.type == Type::rrsig)
      continue;
    const Key key{record.owner.name(), record.type, record.klass};
    const auto [place, is_new] = places.try_emplace(key, sets.size());
    if (is_new) {
      sets.emplace_back(key.owner, key.type, record.ttl);
      sets.back().klass = key.klass;
    }
    RrSet& set = sets[place->second];
    set.ttl = std::min(set.ttl, record.ttl);
    set.rdata.push_back(rdata_to_wire(record.data()));
  }
  for (const RecordView& record : section) {
    if (record.type != Type::rrsig) continue;
    const Rdata data = record.data();
    const auto* signature = std::get_if<Rrsig>(&data);
    if (signature == nullptr) continue;
    const auto place = places.find(Key{record.owner.name(), signature->covered, record.klass});
    if (place == places.end()) continue;
    sets[place->second].signatures.push_back(rdata_to_wire(data));
    sets[place->second].ttl = std::min(sets[place->second].ttl, record.ttl);
  }
  for (RrSet& set : sets) drop_doubles(set.rdata), drop_doubles(set.signatures);
  return sets;
}

}  // namespace posthorn::dns
