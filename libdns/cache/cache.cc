#include "libdns/cache/cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "libdns/cache/codec.h"
#include "libdns/cache/table.h"

namespace posthorn::dns {

namespace {

constexpr Type no_type{};  // NXDOMAIN and delegations are of a name, not of a type

// A name in lower case without taking memory; names are looked up far more often than kept.
class Folded {
 public:
  explicit Folded(const Name& name) {
    const std::string_view wire = name.wire();
    size_ = wire.size();
    // Length octets are below 'A'.
    for (std::size_t i = 0; i < size_; ++i) {
      const char c = wire[i];
      octets_[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  [[nodiscard]] std::string_view view() const { return {octets_, size_}; }

 private:
  char octets_[max_name_octets];
  std::size_t size_;
};

// Without the first label; of the root nothing.
std::string_view parent_of(std::string_view name) {
  return name.substr(name.size() <= 1 ? name.size() : 1 + static_cast<unsigned char>(name[0]));
}

bool is_better(const CacheEntry& there, Rank rank, Security security) {
  if (there.security == Security::secure && security != Security::secure) return true;
  return there.rank > rank && security != Security::secure;
}

}  // namespace

Cache::Cache(CacheSettings settings)
    : settings_(settings), table_(std::make_unique<CacheTable>()) {}
Cache::~Cache() = default;

std::optional<EntryView> Cache::usable(CacheEntry* entry, CacheTime now, Stale allow_stale) {
  if (entry == nullptr) return std::nullopt;
  if (now >= entry->expires) {
    if (allow_stale == Stale::no || now - entry->expires >= settings_.stale_for)
      return std::nullopt;
    ++stats_.stale_hits;
  } else {
    ++stats_.hits;
  }
  entry->referenced = true;
  return EntryView(*entry, now);
}

CacheEntry* Cache::find_nxdomain(std::string_view name, CacheTime now) const {
  CacheEntry* best = nullptr;
  for (std::string_view at = name; !at.empty(); at = parent_of(at)) {
    CacheEntry* entry = table_->find(at, no_type, Space::nxdomain);
    if (entry != nullptr && (best == nullptr || entry->expires > best->expires)) best = entry;
    if ((best != nullptr && now < best->expires) || !settings_.nxdomain_cut) break;
  }
  return best;
}

std::optional<EntryView> Cache::find(const Name& name, Type type, CacheTime now,
                                     Stale allow_stale) {
  const Folded folded(name);
  CacheEntry* data = table_->find(folded.view(), type, Space::data);
  if (data != nullptr && now < data->expires) return usable(data, now, Stale::no);
  CacheEntry* none =
      table_->count(Space::nxdomain) == 0 ? nullptr : find_nxdomain(folded.view(), now);
  if (none != nullptr && (now < none->expires || data == nullptr || data->expires < none->expires))
    return usable(none, now, allow_stale);
  return usable(data, now, allow_stale);
}

std::optional<EntryView> Cache::find_bogus(const Name& name, Type type, CacheTime now) {
  return usable(table_->find(Folded(name).view(), type, Space::bogus), now, Stale::no);
}

std::optional<EntryView> Cache::find_address(const Name& host, Type type, CacheTime now) {
  return usable(table_->find(Folded(host).view(), type, Space::address), now, Stale::no);
}

std::optional<Failure> Cache::find_failure(const Name& name, Type type, CacheTime now) {
  if (table_->count(Space::failure) == 0) return std::nullopt;
  const CacheEntry* entry = table_->find(Folded(name).view(), type, Space::failure);
  if (entry == nullptr || now >= entry->expires) return std::nullopt;
  ++stats_.hits;
  Unpacker in(entry->body());
  const bool bogus = in.u8() != 0;
  const auto code = static_cast<std::uint16_t>(in.u16());
  return Failure(ExtendedError(code, std::string(in.rest())), bogus);
}

std::optional<Delegation> Cache::find_delegation(const Name& name, CacheTime now) {
  const Folded folded(name);
  for (std::string_view at = folded.view(); !at.empty(); at = parent_of(at)) {
    CacheEntry* entry = table_->find(at, no_type, Space::delegation);
    if (entry == nullptr || now >= entry->expires) continue;
    entry->referenced = true;
    Delegation delegation;
    delegation.zone = Name::from_wire(at).value_or(Name());
    delegation.expires = entry->expires;
    Unpacker in(entry->body());
    while (!in.at_end()) {
      Delegation::Host host(in.name());
      host.v4.resize(in.u8());
      host.v6.resize(in.u8());
      for (A& one : host.v4) std::ranges::copy(in.octets(4), one.address.begin());
      for (Aaaa& one : host.v6) std::ranges::copy(in.octets(16), one.address.begin());
      delegation.hosts.push_back(std::move(host));
    }
    return delegation;
  }
  return std::nullopt;
}

SourceId Cache::source_of(const std::string& server) {
  if (server.empty()) return no_source;
  const auto known = source_ids_.find(server);
  if (known != source_ids_.end()) return known->second;
  if (sources_.size() >= std::numeric_limits<SourceId>::max()) return no_source;
  sources_.push_back(server);
  const auto id = static_cast<SourceId>(sources_.size());
  source_ids_.emplace(server, id);
  return id;
}

struct Cache::Draft {
  Name name;
  Type type = no_type;
  Space space = Space::data;
  EntryKind kind = EntryKind::positive;
  Rank rank = Rank::answer;
  Security security = Security::insecure;
  std::uint32_t ttl = 0;
  SourceId source = no_source;
  std::string body;
  Draft(const Name& of, Type t, Space s, EntryKind k) : name(of), type(t), space(s), kind(k) {}
};

bool Cache::insert(const Draft& draft, CacheTime now) {
  const Folded folded(draft.name);
  CacheEntry** there = table_->link(folded.view(), draft.type, draft.space);
  const bool worse = *there != nullptr && now < (*there)->expires &&
                     is_better(**there, draft.rank, draft.security);
  if (draft.ttl == 0 || worse ||
      (*there == nullptr && table_->types_at(folded.view(), draft.space) >= settings_.max_types)) {
    ++stats_.refused;
    return false;
  }
  if (*there != nullptr) table_->remove(there);
  CacheEntry* entry = table_->insert(folded.view(), draft.body);
  entry->type = draft.type;
  entry->space = draft.space;
  entry->kind = draft.kind;
  entry->rank = draft.rank;
  entry->security = draft.security;
  entry->source = draft.source;
  entry->ttl = draft.ttl;
  entry->expires = now + draft.ttl;
  table_->counted(*entry);
  ++stats_.inserted;
  stats_.evicted += table_->make_room(settings_.budget_octets, now, settings_.stale_for);
  return true;
}

bool Cache::put(const RrSet& set, Rank rank, Security security, CacheTime now,
                std::span<const RrSet> proof, SourceId source) {
  if (set.rdata.size() > settings_.max_records || set.signatures.size() > settings_.max_records) {
    ++stats_.refused;
    return false;
  }
  Draft draft(set.owner, set.type, Space::data, EntryKind::positive);
  draft.source = source;
  draft.rank = rank;
  draft.security = security;
  draft.ttl =
      std::clamp(set.ttl, std::min(settings_.min_ttl, settings_.max_ttl), settings_.max_ttl);
  Packer packer;
  packer.strings(set);
  packer.sets(proof);
  draft.body = packer.take();
  if (!insert(draft, now)) return false;
  if (set.type == Type::dname) has_dnames_ = true;
  // The name exists: what says that it doesn't is over, unless it is proven and this isn't.
  CacheEntry** none = table_->link(Folded(set.owner).view(), no_type, Space::nxdomain);
  if (*none != nullptr && !is_better(**none, rank, security)) table_->remove(none);
  return true;
}

bool Cache::put_negative(const Name& name, Type type, const Negative& negative, Rank rank,
                         CacheTime now, SourceId source) {
  Draft draft(name, negative.nxdomain ? no_type : type,
              negative.nxdomain ? Space::nxdomain : Space::data,
              negative.nxdomain ? EntryKind::nxdomain : EntryKind::nodata);
  draft.source = source;
  draft.rank = rank;
  draft.security = negative.security;
  draft.ttl = std::min(negative.ttl, settings_.max_negative_ttl);
  Packer packer;
  packer.sets(negative.authority);
  draft.body = packer.take();
  if (!insert(draft, now)) return false;
  if (!negative.nxdomain) return true;
  // Expired data of this type must not come back as stale.
  CacheEntry** data = table_->link(Folded(name).view(), type, Space::data);
  const bool better =
      *data != nullptr && now < (*data)->expires && is_better(**data, rank, negative.security);
  if (*data != nullptr && !better) table_->remove(data);
  return true;
}

bool Cache::put_bogus(const RrSet& set, std::uint32_t ttl, CacheTime now, SourceId source) {
  if (set.rdata.size() > settings_.max_records || set.signatures.size() > settings_.max_records)
    return false;
  Draft draft(set.owner, set.type, Space::bogus, EntryKind::bogus);
  draft.source = source;
  draft.security = Security::bogus;
  draft.ttl = std::min({ttl, set.ttl, settings_.max_failure_ttl});
  Packer packer;
  packer.strings(set);
  draft.body = packer.take();
  return insert(draft, now);
}

bool Cache::put_address(const RrSet& set, CacheTime now, SourceId source) {
  if (set.rdata.size() > settings_.max_records) return false;
  Draft draft(set.owner, set.type, Space::address, EntryKind::address);
  draft.source = source;
  draft.ttl = std::min(set.ttl, settings_.max_ttl);
  RrSet plain = set;
  plain.signatures.clear();
  Packer packer;
  packer.strings(plain);
  draft.body = packer.take();
  return insert(draft, now);
}

bool Cache::put_failure(const Name& name, Type type, const Failure& failure, std::uint32_t ttl,
                        CacheTime now) {
  Draft draft(name, type, Space::failure, EntryKind::failure);
  draft.security = failure.bogus ? Security::bogus : Security::unavailable;
  draft.ttl = std::min(ttl, settings_.max_failure_ttl);
  Packer packer;
  packer.u8(failure.bogus ? 1 : 0);
  packer.u16(failure.why.code);
  packer.octets(failure.why.explanation);
  draft.body = packer.take();
  return insert(draft, now);
}

bool Cache::put_delegation(const Delegation& delegation, CacheTime now, SourceId source) {
  if (delegation.expires <= now) return false;
  Draft draft(delegation.zone, no_type, Space::delegation, EntryKind::delegation);
  draft.source = source;
  draft.ttl = std::min(delegation.expires - now, settings_.max_ttl);
  Packer packer;
  for (const Delegation::Host& host : delegation.hosts) {
    const std::size_t v4 = std::min<std::size_t>(host.v4.size(), 255);
    const std::size_t v6 = std::min<std::size_t>(host.v6.size(), 255);
    packer.name(host.name);
    packer.u8(v4), packer.u8(v6);
    for (const A& one : std::span(host.v4).first(v4))
      packer.octets({reinterpret_cast<const char*>(one.address.data()), one.address.size()});
    for (const Aaaa& one : std::span(host.v6).first(v6))
      packer.octets({reinterpret_cast<const char*>(one.address.data()), one.address.size()});
  }
  draft.body = packer.take();
  return insert(draft, now);
}

std::size_t Cache::flush(const Name& name) {
  const Folded folded(name);
  return table_->remove_if([&](const CacheEntry& entry) { return entry.name() == folded.view(); });
}

std::size_t Cache::flush_below(const Name& name) {
  const Folded folded(name);
  return table_->remove_if([&](const CacheEntry& entry) {
    std::string_view at = entry.name();
    while (at.size() > folded.view().size()) at = parent_of(at);
    return at == folded.view();
  });
}

std::size_t Cache::flush_all() {
  sources_.clear();
  source_ids_.clear();
  return table_->remove_if([](const CacheEntry&) { return true; });
}

std::size_t Cache::flush_bogus() {
  return table_->remove_if(
      [](const CacheEntry& entry) { return entry.security == Security::bogus; });
}

std::size_t Cache::flush_negative() {
  return table_->remove_if([](const CacheEntry& entry) {
    return entry.kind == EntryKind::nodata || entry.kind == EntryKind::nxdomain ||
           entry.kind == EntryKind::failure;
  });
}

CacheStats Cache::stats() const {
  CacheStats stats = stats_;
  stats.entries = table_->entries();
  stats.octets = table_->octets();
  return stats;
}

}  // namespace posthorn::dns
