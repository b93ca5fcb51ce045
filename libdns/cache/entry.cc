#include "libdns/cache/entry.h"

#include "libdns/cache/codec.h"

namespace posthorn::dns {

std::string_view to_string(Rank rank) {
  switch (rank) {
    case Rank::additional:
      return "additional";
    case Rank::answer:
      return "answer";
    case Rank::authority:
      return "authority";
    case Rank::authoritative:
      return "authoritative";
  }
  return "";
}

std::string_view to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::positive:
      return "positive";
    case EntryKind::nodata:
      return "nodata";
    case EntryKind::nxdomain:
      return "nxdomain";
    case EntryKind::failure:
      return "failure";
    case EntryKind::bogus:
      return "bogus";
    case EntryKind::delegation:
      return "delegation";
    case EntryKind::address:
      return "address";
  }
  return "";
}

std::string_view CacheEntry::octets() const {
  return {reinterpret_cast<const char*>(this + 1), size};
}

RrSet EntryView::rrset(const Name& owner) const {
  RrSet set(owner, entry_->type, ttl());
  for_each_rdata([&set](std::string_view octets) { set.rdata.emplace_back(octets); });
  for_each_signature([&set](std::string_view octets) { set.signatures.emplace_back(octets); });
  return set;
}

std::vector<RrSet> EntryView::authority() const {
  Unpacker in(entry_->body());
  RrSet records;
  if (entry_->kind == EntryKind::positive) in.strings(records);
  std::vector<RrSet> sets = in.sets();
  for (RrSet& set : sets) set.ttl = ttl();
  return sets;
}

}  // namespace posthorn::dns
