// One entry of the cache: a header and, right behind it, its octets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libdns/wire/rrset.h"
#include "libdns/wire/security.h"

namespace posthorn::dns {

// Seconds on a clock that never goes back.
using CacheTime = std::uint32_t;

// How far a source may be believed (RFC 2181 5.4.1), the least first.
enum class Rank : std::uint8_t {
  additional,     // came along unasked
  answer,         // the answer of somebody who isn't the authority: a forwarder
  authority,      // the authority's word about itself
  authoritative,  // the authority's answer
};
[[nodiscard]] std::string_view to_string(Rank rank);

enum class EntryKind : std::uint8_t {
  positive,
  nodata,
  nxdomain,
  failure,
  bogus,
  delegation,
  address
};
[[nodiscard]] std::string_view to_string(EntryKind kind);

// Questions that never meet: a delegation isn't an answer, a refused set isn't data, a name server's
// address that nobody has validated leads to the server and nowhere else.
enum class Space : std::uint8_t { data, nxdomain, failure, bogus, delegation, address };

// The server that said it, as Cache::source_of() numbers them.
using SourceId = std::uint16_t;
inline constexpr SourceId no_source = 0;

struct CacheEntry {
  CacheEntry* next = nullptr;  // in the bucket; all entries of a name are in one
  std::uint32_t hash = 0;
  std::uint32_t size = 0;  // of the octets behind the header
  CacheTime expires = 0;
  std::uint32_t ttl = 0;  // what it had to live
  Type type = Type::a;
  SourceId source = no_source;
  // Together two octets: there are many entries.
  Space space : 4 = Space::data;
  EntryKind kind : 4 = EntryKind::positive;
  Rank rank : 3 = Rank::additional;
  Security security : 4 = Security::insecure;
  std::uint8_t referenced : 1 = 0;  // CLOCK: used since the hand passed
  std::uint8_t name_octets = 0;     // the octets begin with the name in lower case

  [[nodiscard]] std::string_view octets() const;
  [[nodiscard]] std::string_view name() const { return octets().substr(0, name_octets); }
  [[nodiscard]] std::string_view body() const { return octets().substr(name_octets); }
};

static_assert(sizeof(CacheEntry) == 32);

// Looks at an entry in place and takes no memory, for answering from it.
class EntryView {
 public:
  EntryView(const CacheEntry& entry, CacheTime now) : entry_(&entry), now_(now) {}

  [[nodiscard]] EntryKind kind() const { return entry_->kind; }
  [[nodiscard]] Type type() const { return entry_->type; }
  [[nodiscard]] Rank rank() const { return entry_->rank; }
  [[nodiscard]] Security security() const { return entry_->security; }
  [[nodiscard]] bool is_stale() const { return now_ >= entry_->expires; }
  // Seconds; 0 if stale.
  [[nodiscard]] std::uint32_t ttl() const { return is_stale() ? 0 : entry_->expires - now_; }
  // The last tenth of its life: ask again while it still answers.
  [[nodiscard]] bool wants_refresh() const { return ttl() <= entry_->ttl / 10; }

  // positive: RDATA as octets that are their own context, in order.
  template <class F>
  void for_each_rdata(F&& each) const {
    walk(true, each);
  }
  // positive: the RDATA of the RRSIGs.
  template <class F>
  void for_each_signature(F&& each) const {
    walk(false, each);
  }
  // positive: a copy, the owner written as in `owner`; behind the records the sets that prove a
  // wildcard's right, which are authority().
  [[nodiscard]] RrSet rrset(const Name& owner) const;
  // nodata, nxdomain: SOA and proofs; positive: what proves that a wildcard could be expanded.
  // TTLs have run down.
  [[nodiscard]] std::vector<RrSet> authority() const;

 private:
  template <class F>
  void walk(bool records, F&& each) const {
    std::string_view in = entry_->body();
    if (in.size() < 4) return;
    const std::size_t first = number(in), second = number(in.substr(2));
    in.remove_prefix(4);
    for (std::size_t i = 0; i < first + second && in.size() >= 2; ++i) {
      const std::size_t length = number(in);
      if ((i < first) == records) each(in.substr(2, length));
      in.remove_prefix(2 + length);
    }
  }
  [[nodiscard]] static std::size_t number(std::string_view in) {
    return static_cast<std::size_t>(static_cast<unsigned char>(in[0])) << 8 |
           static_cast<unsigned char>(in[1]);
  }
  const CacheEntry* entry_;
  CacheTime now_;
};

}  // namespace posthorn::dns
