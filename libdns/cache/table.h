// The hash table under the cache: chains of entries, counted in octets. Inside libdns/cache only.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "libdns/cache/entry.h"

namespace posthorn::dns {

// Keyed by the folded name alone, so that all entries of a name are in one chain. The hash has a
// random key: strangers choose the names.
class CacheTable {
 public:
  CacheTable();
  ~CacheTable();
  CacheTable(const CacheTable&) = delete;
  CacheTable& operator=(const CacheTable&) = delete;

  [[nodiscard]] CacheEntry* find(std::string_view folded, Type type, Space space) const;
  // Where the entry hangs, or where it would: a link to nothing.
  [[nodiscard]] CacheEntry** link(std::string_view folded, Type type, Space space);
  [[nodiscard]] std::size_t types_at(std::string_view folded, Space space) const;
  // A new entry of this name with these octets behind it. The caller fills the header and then says
  // counted().
  CacheEntry* insert(std::string_view folded, std::string_view body);
  void counted(const CacheEntry& entry) { ++by_space_[static_cast<std::size_t>(entry.space)]; }
  void remove(CacheEntry** link);
  // A hand goes round until no more than `budget` octets are left: what has expired goes, what was
  // used since it came by stays once. Gives how many went that still lived.
  std::size_t make_room(std::size_t budget, CacheTime now, std::uint32_t stale_for);

  template <class F>
  std::size_t remove_if(F&& doomed) {
    std::size_t removed = 0;
    for (CacheEntry*& bucket : buckets_) {
      CacheEntry** at = &bucket;
      while (*at != nullptr) {
        if (doomed(std::as_const(**at))) {
          remove(at), ++removed;
        } else {
          at = &(*at)->next;
        }
      }
    }
    return removed;
  }
  // False of `each` ends it.
  template <class F>
  void for_each(F&& each) const {
    for (const CacheEntry* entry : buckets_) {
      for (; entry != nullptr; entry = entry->next) {
        if (!each(*entry)) return;
      }
    }
  }
  [[nodiscard]] std::size_t count(Space space) const {
    return by_space_[static_cast<std::size_t>(space)];
  }
  [[nodiscard]] std::size_t entries() const { return entries_; }
  // What malloc takes for the entries, and the table of chains.
  [[nodiscard]] std::size_t octets() const {
    return entry_octets_ + buckets_.capacity() * sizeof(CacheEntry*);
  }

 private:
  [[nodiscard]] std::uint32_t hash(std::string_view folded) const;
  [[nodiscard]] std::size_t place(std::uint32_t hash) const { return hash & (buckets_.size() - 1); }
  void grow();
  std::size_t visit(std::size_t bucket, CacheTime now, std::uint32_t stale_for);

  std::vector<CacheEntry*> buckets_;
  std::size_t hand_ = 0;
  std::size_t entries_ = 0;
  std::size_t entry_octets_ = 0;
  std::array<std::size_t, 6> by_space_{};
  std::array<std::uint64_t, 2> key_;
};

}  // namespace posthorn::dns
