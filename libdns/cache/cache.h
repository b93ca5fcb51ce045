// What was learned and is still true (RFC 1034 4.3.5, RFC 2181 5.4, RFC 2308, RFC 9520): sans I/O,
// for one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libdns/cache/entry.h"
#include "libdns/wire/rrset.h"
#include "libdns/wire/security.h"

namespace posthorn::dns {

struct CacheSettings {
  std::size_t budget_octets = std::size_t{64} << 20;  // tables and overhead of malloc included
  std::uint32_t min_ttl = 0;                          // seconds, as all that follows
  std::uint32_t max_ttl = 86400;
  std::uint32_t max_negative_ttl = 3600;  // RFC 2308 5
  std::uint32_t max_failure_ttl = 60;  // RFC 9520 3.2 allows 300; bogus data lives no longer either
  std::uint32_t stale_for = 0;         // how long behind its TTL data may be used (RFC 8767)
  std::size_t max_records = 100;       // in a set; larger ones aren't kept
  std::size_t max_types = 100;         // at a name; what comes beyond isn't kept
  bool nxdomain_cut = true;  // what is below a name that doesn't exist doesn't either (RFC 8020)
  CacheSettings() = default;
};

// What a name server said about a question that has no records.
struct Negative {
  bool nxdomain = false;         // the name doesn't exist; otherwise the name has no such type
  std::vector<RrSet> authority;  // SOA, NSEC or NSEC3 with their signatures
  std::uint32_t ttl = 0;         // of RFC 2308 5: the lesser of SOA's TTL and minimum
  Security security = Security::insecure;
  Negative() = default;
};

// Why a question could not be answered.
struct Failure {
  ExtendedError why;
  bool bogus = false;  // validation failed; otherwise nobody answered usefully
  Failure() = default;
  Failure(ExtendedError error, bool is_bogus) : why(std::move(error)), bogus(is_bogus) {}
};

// The name servers of a zone as its parent names them: the only place where the way to a zone comes
// from, so a child can't stretch its own life (ghost domains).
struct Delegation {
  struct Host {
    Name name;
    std::vector<A> v4;  // glue, for finding the zone and never for answers
    std::vector<Aaaa> v6;
    Host() = default;
    explicit Host(Name n) : name(std::move(n)) {}
  };
  Name zone;
  std::vector<Host> hosts;
  CacheTime expires = 0;  // put(): set by the caller to at most that of the parent's delegation
  Delegation() = default;
};

struct CacheStats {
  std::uint64_t hits = 0;
  std::uint64_t stale_hits = 0;
  std::uint64_t inserted = 0;
  std::uint64_t refused = 0;  // over a cap, or a better one is there
  std::uint64_t evicted = 0;  // lived, and had to make room
  std::size_t entries = 0;
  std::size_t octets = 0;
};

// One line of `cache show`.
struct CacheLine {
  Name name;
  EntryKind kind = EntryKind::positive;
  Type type = Type::a;        // nothing (0) for NXDOMAIN
  std::string data;           // one record's data in presentation form, or why there is none
  std::int64_t ttl_left = 0;  // below 0: stale
  Rank rank = Rank::additional;
  Security security = Security::insecure;
  std::string source;  // the server that said it; "" if that isn't known any more
};

class CacheTable;

class Cache {
 public:
  explicit Cache(CacheSettings settings = {});
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // What is known about the records of a name. A view into the cache that lives until the next
  // call that isn't const or a find. Kinds: positive, nodata, nxdomain.
  // With `allow_stale` also what expired less than stale_for ago.
  enum class Stale : bool { no, yes };
  [[nodiscard]] std::optional<EntryView> find(const Name& name, Type type, CacheTime now,
                                              Stale allow_stale = Stale::no);
  // The same of data that validation refused, for clients that set CD. positive only.
  [[nodiscard]] std::optional<EntryView> find_bogus(const Name& name, Type type, CacheTime now);
  // Addresses of a name server that weren't validated, for finding the way and nothing else.
  [[nodiscard]] std::optional<EntryView> find_address(const Name& host, Type type, CacheTime now);
  [[nodiscard]] std::optional<Failure> find_failure(const Name& name, Type type, CacheTime now);
  // The deepest delegation at or above `name` that lives.
  [[nodiscard]] std::optional<Delegation> find_delegation(const Name& name, CacheTime now);

  // The number of a server, for the puts. 65535 of them have one until flush_all().
  [[nodiscard]] SourceId source_of(const std::string& server);

  // False if it isn't kept: a better rank lives there, or a cap. Of equal rank the later one wins,
  // except that what is secure gives way only to what is secure.
  // `proof`: what showed that a wildcard might be expanded; it comes back as authority().
  bool put(const RrSet& set, Rank rank, Security security, CacheTime now,
           std::span<const RrSet> proof = {}, SourceId source = no_source);
  bool put_negative(const Name& name, Type type, const Negative& negative, Rank rank, CacheTime now,
                    SourceId source = no_source);
  bool put_bogus(const RrSet& set, std::uint32_t ttl, CacheTime now, SourceId source = no_source);
  bool put_address(const RrSet& set, CacheTime now, SourceId source = no_source);
  bool put_failure(const Name& name, Type type, const Failure& failure, std::uint32_t ttl,
                   CacheTime now);
  bool put_delegation(const Delegation& delegation, CacheTime now, SourceId source = no_source);

  // How many entries went.
  std::size_t flush(const Name& name);
  std::size_t flush_below(const Name& name);  // the name itself included
  std::size_t flush_all();
  std::size_t flush_bogus();     // failures of validation and the data that failed
  std::size_t flush_negative();  // NXDOMAIN, NODATA, failures
  // In no order; one line a record. The callback must not call the cache; false ends it.
  void for_each(CacheTime now, const std::function<bool(const CacheLine&)>& show) const;
  // False: no DNAME was ever put, so none need be looked for above a name.
  [[nodiscard]] bool has_dnames() const { return has_dnames_; }
  [[nodiscard]] CacheStats stats() const;
  [[nodiscard]] const CacheSettings& settings() const { return settings_; }

 private:
  struct Draft;
  [[nodiscard]] CacheEntry* find_nxdomain(std::string_view folded, CacheTime now) const;
  std::optional<EntryView> usable(CacheEntry* entry, CacheTime now, Stale allow_stale);
  bool insert(const Draft& draft, CacheTime now);

  CacheSettings settings_;
  std::unique_ptr<CacheTable> table_;
  CacheStats stats_;
  std::vector<std::string> sources_;  // by their number, less one
  std::unordered_map<std::string, SourceId> source_ids_;
  bool has_dnames_ = false;
};

}  // namespace posthorn::dns
