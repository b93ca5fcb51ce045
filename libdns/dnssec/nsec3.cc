// Proofs by NSEC3: hashes in order, each with the next one.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/dnssec/proofs.h"
#include "libdns/wire/encoding.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t hash_octets = 20;
constexpr std::uint8_t sha1_hash = 1;  // the only algorithm (RFC 5155 11)

}  // namespace

Nsec3Proofs::Nsec3Proofs(const Denials& denials, CryptoBudget& budget)
    : zone_(denials.zone), budget_(budget) {
  for (const RrSet& set : denials.sets) add(set);
  for (const One& one : all_) {
    if (one.data.iterations != all_.front().data.iterations ||
        one.data.salt != all_.front().data.salt)
      obstacle_ = not_proven(fmt::format("the NSEC3s of {} are of different chains", zone_.text()));
  }
  if (obstacle_ || all_.empty()) return;
  const std::uint16_t iterations = all_.front().data.iterations;
  if (iterations > budget_.limits().nsec3_iterations)
    obstacle_ = Verdict(Security::insecure, EdeCode::iterations_too_high,
                        fmt::format("the NSEC3s of {} have {} iterations, more than {}",
                                    zone_.text(), iterations, budget_.limits().nsec3_iterations));
}

// What RFC 5155 8.1 and 8.2 want to be ignored isn't added.
void Nsec3Proofs::add(const RrSet& set) {
  if (set.type != Type::nsec3 || set.rdata.size() != 1) return;
  // A hash of the parent's or a child's chain means another name.
  if (set.owner.is_root() || set.owner.parent() != zone_) return;
  const auto data = rdata_from_wire(Type::nsec3, set.rdata.front());
  const Nsec3* nsec3 = data ? std::get_if<Nsec3>(&*data) : nullptr;
  if (nsec3 == nullptr || nsec3->algorithm != sha1_hash) return;
  if ((nsec3->flags & ~Nsec3::opt_out) != 0 || nsec3->next_hashed.size() != hash_octets) return;
  auto hash = decode_base32hex(set.owner.labels().front());
  if (!hash || hash->size() != hash_octets) return;
  all_.push_back(One{std::move(*hash), *nsec3});
}

const std::string* Nsec3Proofs::hash(const Name& name) {
  for (const auto& [known, hash] : hashes_) {
    if (known == name) return &hash;
  }
  if (!budget_.take_nsec3_hash()) {
    obstacle_ = Verdict(Security::bogus, EdeCode::other,
                        fmt::format("this question has cost {} NSEC3 hashes, more aren't computed",
                                    budget_.nsec3_hashes()));
    return nullptr;
  }
  const Nsec3& parameters = all_.front().data;
  hashes_.emplace_back(name, nsec3_hash(name, parameters.salt, parameters.iterations));
  return &hashes_.back().second;
}

const Nsec3Proofs::One* Nsec3Proofs::match(const Name& name) {
  const std::string* wanted = hash(name);
  if (wanted == nullptr) return nullptr;
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [wanted](const One& one) { return one.hash == *wanted; });
  return found == all_.end() ? nullptr : &*found;
}

const Nsec3Proofs::One* Nsec3Proofs::cover(const Name& name) {
  const std::string* wanted = hash(name);
  if (wanted == nullptr) return nullptr;
  const auto found = std::find_if(all_.begin(), all_.end(), [wanted](const One& one) {
    const std::string& next = one.data.next_hashed;
    if (one.hash < next) return one.hash < *wanted && *wanted < next;
    // The last one, whose next is the first.
    return one.hash < *wanted || *wanted < next;
  });
  return found == all_.end() ? nullptr : &*found;
}

std::optional<Nsec3Proofs::Encloser> Nsec3Proofs::find_encloser(const Name& name) {
  std::optional<Name> next_closer;
  for (Name candidate = name;; candidate = candidate.parent()) {
    const One* one = match(candidate);
    if (obstacle_) return std::nullopt;
    if (one != nullptr) {
      if (!next_closer || hides_below(one->data.types)) return std::nullopt;
      const One* covering = cover(*next_closer);
      if (covering == nullptr) return std::nullopt;
      return Encloser{candidate, covering};
    }
    if (candidate == zone_) return std::nullopt;
    next_closer = candidate;
  }
}

Verdict Nsec3Proofs::failed(std::string why) const {
  return obstacle_ ? *obstacle_ : not_proven(std::move(why));
}

Verdict Nsec3Proofs::proven(const Name& name, const One& next_closer) const {
  if (!next_closer.is_opt_out()) return {};
  return Verdict(Security::insecure, EdeCode::other,
                 fmt::format("{} is in a span of {} that leaves out unsigned delegations",
                             name.text(), zone_.text()));
}

Verdict Nsec3Proofs::denies_name(const Name& name) {
  if (obstacle_) return *obstacle_;
  const auto encloser = find_encloser(name);
  if (!encloser)
    return failed(
        fmt::format("no NSEC3s of {} show that {} doesn't exist", zone_.text(), name.text()));
  const Name wildcard = wildcard_of(encloser->name);
  if (cover(wildcard) == nullptr)
    return failed(
        fmt::format("no NSEC3 of {} shows that {} doesn't exist, which might stand for "
                    "{}",
                    zone_.text(), wildcard.text(), name.text()));
  return proven(name, *encloser->next_closer);
}

Verdict Nsec3Proofs::denies_type(const Name& name, Type type) {
  if (obstacle_) return *obstacle_;
  const One* at = match(name);
  const One* next_closer = nullptr;
  Name owner = name;
  if (at == nullptr) {
    const auto encloser = find_encloser(name);
    if (!encloser)
      return failed(fmt::format("no NSEC3s of {} are about {}", zone_.text(), name.text()));
    next_closer = encloser->next_closer;
    owner = wildcard_of(encloser->name);
    at = match(owner);
    if (obstacle_) return *obstacle_;
    // Behind opt-out may be an unsigned delegation, which has no DS, or a name above one.
    if (at == nullptr && next_closer->is_opt_out()) return proven(name, *next_closer);
  }
  if (at == nullptr)
    return failed(fmt::format("no NSEC3 of {} shows what {} has", zone_.text(), name.text()));
  switch (judge(at->data.types, type, owner)) {
    case Bits::denied:
      return next_closer == nullptr ? Verdict() : proven(name, *next_closer);
    case Bits::has_type:
      return not_proven(fmt::format("the NSEC3 of {} says that it has {} or CNAME", owner.text(),
                                    to_string(type)));
    case Bits::wrong_side:
      break;
  }
  return not_proven(fmt::format("the NSEC3 of {} is of the wrong side of the zone cut for {}",
                                owner.text(), to_string(type)));
}

Verdict Nsec3Proofs::denies_closer_name(const Name& name, const Name& wildcard) {
  if (obstacle_) return *obstacle_;
  // That the encloser exists is known from the wildcard itself (RFC 5155 8.8).
  const Name next_closer = last_labels(name, wildcard.label_count());
  const One* covering = cover(next_closer);
  if (covering == nullptr)
    return failed(fmt::format("no NSEC3 of {} shows that nothing is closer to {} than {}",
                              zone_.text(), name.text(), wildcard.text()));
  return proven(name, *covering);
}

DsDenial Nsec3Proofs::denies_ds(const Name& name) {
  if (obstacle_) return DsDenial(*obstacle_, true);
  if (const One* one = match(name)) {
    const bool is_apex = one->data.types.contains(Type::soa);
    if (is_apex || one->data.types.contains(Type::ds))
      return DsDenial(not_proven(fmt::format("the NSEC3 of {} says that it has {}", name.text(),
                                             is_apex ? "SOA, so it is the child's" : "DS")));
    return DsDenial(Verdict(), is_delegation(one->data.types));
  }
  const auto encloser = find_encloser(name);
  if (!encloser)
    return DsDenial(
        failed(fmt::format("no NSEC3s of {} show that {} has no DS", zone_.text(), name.text())));
  Verdict verdict = proven(name, *encloser->next_closer);
  const bool may_be_delegation = !verdict.is_secure();
  return DsDenial(std::move(verdict), may_be_delegation);
}

}  // namespace posthorn::dns
