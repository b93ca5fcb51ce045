// Proofs by NSEC: names in canonical order, each with the next one.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/dnssec/proofs.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

std::size_t common_labels(const Name& a, const Name& b) {
  const auto mine = a.labels();
  const auto theirs = b.labels();
  std::size_t common = 0;
  for (auto x = mine.rbegin(), y = theirs.rbegin(); x != mine.rend() && y != theirs.rend();
       ++x, ++y, ++common) {
    if (!iequals(*x, *y)) break;
  }
  return common;
}

}  // namespace

NsecProofs::NsecProofs(const Denials& denials) : zone_(denials.zone) {
  for (const RrSet& set : denials.sets) {
    if (set.type != Type::nsec || set.rdata.size() != 1) continue;
    if (!set.owner.is_at_or_below(zone_)) continue;
    auto data = rdata_from_wire(Type::nsec, set.rdata.front());
    const Nsec* nsec = data ? std::get_if<Nsec>(&*data) : nullptr;
    if (nsec == nullptr) continue;
    // A next name elsewhere would span names of others; one that goes back is the apex, at the end.
    if (!nsec->next.is_at_or_below(zone_)) continue;
    if (nsec->next <= set.owner && nsec->next != zone_) continue;
    all_.push_back(One{set.owner, *nsec});
  }
}

const NsecProofs::One* NsecProofs::match(const Name& name) const {
  const auto found =
      std::find_if(all_.begin(), all_.end(), [&name](const One& one) { return one.owner == name; });
  return found == all_.end() ? nullptr : &*found;
}

const NsecProofs::One* NsecProofs::cover(const Name& name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const One& one) {
    if (is_below(name, one.owner) && hides_below(one.data.types)) return false;
    return one.owner < name && (name < one.data.next || one.data.next == zone_);
  });
  return found == all_.end() ? nullptr : &*found;
}

const NsecProofs::One* NsecProofs::absence(const Name& name) const {
  const One* covering = cover(name);
  return covering != nullptr && !is_below(covering->data.next, name) ? covering : nullptr;
}

std::optional<Bits> NsecProofs::bits(const Name& name, Type type) const {
  if (const One* one = match(name)) return judge(one->data.types, type, name);
  const One* covering = cover(name);
  if (covering != nullptr && is_below(covering->data.next, name)) return Bits::denied;
  return std::nullopt;
}

Name NsecProofs::closest_encloser(const Name& name, const One& covering) {
  // Both ends of the span exist, and so does what is above them.
  return last_labels(
      name, std::max(common_labels(name, covering.owner), common_labels(name, covering.data.next)));
}

Verdict NsecProofs::denies_name(const Name& name) const {
  const One* covering = absence(name);
  if (covering == nullptr)
    return not_proven(
        fmt::format("no NSEC of {} shows that {} doesn't exist", zone_.text(), name.text()));
  const Name wildcard = wildcard_of(closest_encloser(name, *covering));
  if (absence(wildcard) == nullptr)
    return not_proven(
        fmt::format("no NSEC of {} shows that {} doesn't exist, which might stand "
                    "for {}",
                    zone_.text(), wildcard.text(), name.text()));
  return {};
}

Verdict NsecProofs::denies_type(const Name& name, Type type) const {
  std::optional<Bits> found = bits(name, type);
  Name at = name;
  if (!found) {
    if (const One* covering = absence(name)) {
      at = wildcard_of(closest_encloser(name, *covering));
      found = bits(at, type);
    }
  }
  if (!found)
    return not_proven(fmt::format("no NSEC of {} is about {}", zone_.text(), name.text()));
  if (*found == Bits::has_type)
    return not_proven(
        fmt::format("the NSEC of {} says that it has {} or CNAME", at.text(), to_string(type)));
  if (*found == Bits::wrong_side)
    return not_proven(fmt::format("the NSEC of {} is of the wrong side of the zone cut for {}",
                                  at.text(), to_string(type)));
  return {};
}

Verdict NsecProofs::denies_closer_name(const Name& name, const Name& wildcard) const {
  const One* covering = absence(name);
  if (covering == nullptr || closest_encloser(name, *covering) != wildcard.parent())
    return not_proven(fmt::format("no NSEC of {} shows that nothing is closer to {} than {}",
                                  zone_.text(), name.text(), wildcard.text()));
  return {};
}

DsDenial NsecProofs::denies_ds(const Name& name) const {
  if (const One* one = match(name)) {
    // CNAME doesn't matter here: only DS makes the delegation a secure one.
    const bool is_apex = one->data.types.contains(Type::soa);
    if (is_apex || one->data.types.contains(Type::ds))
      return DsDenial(not_proven(fmt::format("the NSEC of {} says that it has {}", name.text(),
                                             is_apex ? "SOA, so it is the child's" : "DS")));
    return DsDenial(Verdict(), is_delegation(one->data.types));
  }
  if (cover(name) != nullptr) return DsDenial(Verdict());
  return DsDenial(
      not_proven(fmt::format("no NSEC of {} shows that {} has no DS", zone_.text(), name.text())));
}

}  // namespace posthorn::dns
