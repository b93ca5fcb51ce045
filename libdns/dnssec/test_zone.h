// Zones for tests: read from text, signed with a key of their own, with a chain of NSEC or NSEC3.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libdns/dnssec/denial.h"
#include "libdns/dnssec/sign.h"
#include "libdns/wire/encoding.h"
#include "libdns/wire/presentation.h"
#include "libdns/wire/test_names.h"

namespace posthorn::dns::test {

// All signatures of SignedZone are good at this time, a day before and a day after.
inline constexpr std::uint32_t now = 1700000000;
inline constexpr std::uint32_t day = 86400;
inline constexpr Validity around_now{now - day, now + day};

// A record a line; RRSIGs go to their sets.
inline std::vector<RrSet> sets_of(std::string_view text) {
  std::vector<RrSet> sets;
  const auto set_for = [&sets](const Name& owner, Type type, std::uint32_t ttl) -> RrSet& {
    for (RrSet& set : sets) {
      if (set.owner == owner && set.type == type) return set;
    }
    return sets.emplace_back(owner, type, ttl);
  };
  EntryReader reader(text);
  RecordDefaults defaults;
  defaults.ttl = 3600;
  Entry entry;
  for (auto found = reader.next(entry); found && *found; found = reader.next(entry)) {
    const auto record = parse_record(entry, defaults);
    if (!record) FAIL(record.error().text());
    const std::string octets = rdata_to_wire(record->data);
    if (const auto* rrsig = record->as<Rrsig>()) {
      set_for(record->owner, rrsig->covered, record->ttl).signatures.push_back(octets);
    } else {
      set_for(record->owner, record->type(), record->ttl).add(octets);
    }
  }
  return sets;
}

inline RrSet set_in(const std::vector<RrSet>& sets, std::string_view owner, Type type) {
  for (const RrSet& set : sets) {
    if (set.owner == name(owner) && set.type == type) return set;
  }
  FAIL("no such set: " << owner << " " << to_string(type));
  return {};
}

struct Nsec3Parameters {
  std::uint16_t iterations = 0;
  std::string salt;
  bool opt_out = false;  // leaves out delegations without DS
};

// A zone, its key and all its sets, authoritative ones signed.
class SignedZone {
 public:
  // Owners are absolute. Apex, SOA and DNSKEY are added; a chain of NSEC, or NSEC3 with parameters.
  explicit SignedZone(std::string_view apex, std::string_view records,
                      const std::optional<Nsec3Parameters>& nsec3 = std::nullopt)
      : zone(name(apex)), key(*SigningKey::generate()), sets(sets_of(records)) {
    RrSet soa = sets_of("x SOA ns.x. mail.x. 1 3600 600 86400 300").front();
    soa.owner = zone;
    sets.push_back(soa);
    sets.push_back(make_dnskeys(zone, std::span(&key, 1), 3600));
    std::sort(sets.begin(), sets.end(),
              [](const RrSet& a, const RrSet& b) { return a.owner < b.owner; });
    add_chain(nsec3);
    for (RrSet& set : sets) {
      if (is_authoritative(set)) sign(set, zone, key, around_now);
    }
  }

  [[nodiscard]] RrSet set(std::string_view owner, Type type) const {
    return set_in(sets, owner, type);
  }
  [[nodiscard]] Ds ds() const { return make_ds(zone, key.dnskey()); }
  [[nodiscard]] ZoneKeys keys() const {
    CryptoBudget budget;
    const Ds trusted = ds();
    auto checked =
        check_dnskeys(set(zone.text(), Type::dnskey), std::span(&trusted, 1), now, budget);
    REQUIRE(checked.verdict.why == "");
    return checked.keys;
  }
  // The NSECs of these owners, or the NSEC3s of the names whose hashes they are.
  [[nodiscard]] Denials proof(const std::vector<std::string>& owners) const {
    std::vector<RrSet> chosen;
    for (const std::string& owner : owners) chosen.push_back(link(name(owner)));
    CryptoBudget budget;
    Denials denials = secure_denials(chosen, keys(), now, budget);
    REQUIRE(denials.sets.size() == owners.size());
    return denials;
  }
  // All of them.
  [[nodiscard]] Denials whole_chain() const {
    Denials denials;
    denials.zone = zone;
    for (const RrSet& set : sets) {
      if (set.type == Type::nsec || set.type == Type::nsec3) denials.sets.push_back(set);
    }
    return denials;
  }
  [[nodiscard]] RrSet link(const Name& owner) const {
    for (const RrSet& set : sets) {
      if (set.type == Type::nsec && set.owner == owner) return set;
      if (set.type == Type::nsec3 && set.owner == hashed(owner)) return set;
    }
    FAIL("no NSEC and no NSEC3 of " << owner.text());
    return {};
  }
  [[nodiscard]] Name hashed(const Name& owner) const {
    return *zone.child(nsec3_label(nsec3_hash(owner, parameters_.salt, parameters_.iterations)));
  }

  Name zone;
  SigningKey key;
  std::vector<RrSet> sets;

 private:
  [[nodiscard]] bool has(const Name& owner, Type type) const {
    return std::any_of(sets.begin(), sets.end(),
                       [&](const RrSet& set) { return set.owner == owner && set.type == type; });
  }
  [[nodiscard]] bool is_cut(const Name& owner) const {
    return owner != zone && has(owner, Type::ns);
  }
  [[nodiscard]] bool is_glue(const Name& owner) const {
    for (Name above = owner; above != zone; above = above.parent()) {
      if (above != owner && is_cut(above)) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_authoritative(const RrSet& set) const {
    if (is_glue(set.owner)) return false;
    return !is_cut(set.owner) || set.type == Type::ds || set.type == Type::nsec;
  }
  void add_chain(const std::optional<Nsec3Parameters>& nsec3) {
    std::vector<ChainName> names;
    for (const RrSet& set : sets) {
      if (names.empty() || names.back().name != set.owner) {
        names.push_back(ChainName{set.owner, {}, is_cut(set.owner)});
      }
      names.back().types.push_back(set.type);
    }
    if (nsec3) {
      parameters_ = *nsec3;
      add_nsec3(names);
      return;
    }
    for (RrSet& set : make_nsec_chain(names, 300)) sets.push_back(std::move(set));
  }
  void add_nsec3(const std::vector<ChainName>& names) {
    std::vector<std::pair<std::string, Nsec3>> links;
    const auto add = [&](const Name& owner, std::vector<Type> types) {
      const std::string hash = nsec3_hash(owner, parameters_.salt, parameters_.iterations);
      for (const auto& [known, link] : links) {
        if (known == hash) return;
      }
      Nsec3 link;
      link.flags = parameters_.opt_out ? Nsec3::opt_out : 0;
      link.iterations = parameters_.iterations;
      link.salt = parameters_.salt;
      link.types = TypeBitmap(std::move(types));
      links.emplace_back(hash, link);
    };
    for (const ChainName& one : names) {
      if (is_glue(one.name)) continue;
      std::vector<Type> types = one.types;
      if (parameters_.opt_out && one.is_delegation && !has(one.name, Type::ds)) continue;
      if (!one.is_delegation || has(one.name, Type::ds)) types.push_back(Type::rrsig);
      add(one.name, types);
    }
    for (const ChainName& one : names) {
      if (is_glue(one.name) || one.name == zone) continue;
      if (parameters_.opt_out && one.is_delegation && !has(one.name, Type::ds)) continue;
      for (Name above = one.name.parent(); above != zone; above = above.parent()) add(above, {});
    }
    std::sort(links.begin(), links.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < links.size(); ++i) {
      links[i].second.next_hashed = links[(i + 1) % links.size()].first;
      RrSet set(*zone.child(nsec3_label(links[i].first)), Type::nsec3, 300);
      set.add(rdata_to_wire(Rdata(links[i].second)));
      sets.push_back(std::move(set));
    }
  }

  Nsec3Parameters parameters_;
};

}  // namespace posthorn::dns::test
