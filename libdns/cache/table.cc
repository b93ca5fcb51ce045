#include "libdns/cache/table.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "libmail/base/random.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t least_buckets = 1024;

// What malloc keeps in front of each piece.
constexpr std::size_t malloc_overhead = sizeof(std::size_t);

// Multiplies to 128 bits and folds the halves: every bit of both moves every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

CacheTable::CacheTable() : buckets_(least_buckets), key_{random_u64() | 1, random_u64() | 1} {}

CacheTable::~CacheTable() {
  for (CacheEntry*& bucket : buckets_) {
    while (bucket != nullptr) remove(&bucket);
  }
}

std::uint32_t CacheTable::hash(std::string_view folded) const {
  std::uint64_t state = key_[0] ^ folded.size();
  while (!folded.empty()) {
    std::uint64_t word = 0;
    const std::size_t count = std::min(folded.size(), sizeof word);
    std::memcpy(&word, folded.data(), count);
    state = mix(state ^ word, key_[1]);
    folded.remove_prefix(count);
  }
  state = mix(state ^ key_[1], key_[0]);
  return static_cast<std::uint32_t>(state ^ state >> 32);
}

CacheEntry* CacheTable::find(std::string_view folded, Type type, Space space) const {
  const std::uint32_t hashed = hash(folded);
  for (CacheEntry* entry = buckets_[place(hashed)]; entry != nullptr; entry = entry->next) {
    if (entry->hash == hashed && entry->type == type && entry->space == space &&
        entry->name() == folded)
      return entry;
  }
  return nullptr;
}

CacheEntry** CacheTable::link(std::string_view folded, Type type, Space space) {
  const std::uint32_t hashed = hash(folded);
  CacheEntry** at = &buckets_[place(hashed)];
  for (; *at != nullptr; at = &(*at)->next) {
    const CacheEntry& entry = **at;
    if (entry.hash == hashed && entry.type == type && entry.space == space &&
        entry.name() == folded)
      break;
  }
  return at;
}

std::size_t CacheTable::types_at(std::string_view folded, Space space) const {
  const std::uint32_t hashed = hash(folded);
  std::size_t types = 0;
  for (const CacheEntry* entry = buckets_[place(hashed)]; entry != nullptr; entry = entry->next) {
    if (entry->hash == hashed && entry->space == space && entry->name() == folded) ++types;
  }
  return types;
}

CacheEntry* CacheTable::insert(std::string_view folded, std::string_view body) {
  if (entries_ >= buckets_.size()) grow();
  const std::size_t size = folded.size() + body.size();
  void* memory = std::malloc(sizeof(CacheEntry) + size);
  check(memory != nullptr, "memory for a cache entry");
  auto* entry = new (memory) CacheEntry();
  entry->hash = hash(folded);
  entry->size = static_cast<std::uint32_t>(size);
  entry->name_octets = static_cast<std::uint8_t>(folded.size());
  char* octets = reinterpret_cast<char*>(entry + 1);
  std::memcpy(octets, folded.data(), folded.size());
  std::memcpy(octets + folded.size(), body.data(), body.size());
  CacheEntry*& bucket = buckets_[place(entry->hash)];
  entry->next = bucket;
  bucket = entry;
  ++entries_;
  entry_octets_ += ::malloc_usable_size(memory) + malloc_overhead;
  return entry;
}

void CacheTable::remove(CacheEntry** link) {
  CacheEntry* entry = *link;
  *link = entry->next;
  --entries_;
  --by_space_[static_cast<std::size_t>(entry->space)];
  entry_octets_ -= ::malloc_usable_size(entry) + malloc_overhead;
  std::free(entry);
}

std::size_t CacheTable::visit(std::size_t bucket, CacheTime now, std::uint32_t stale_for) {
  std::size_t evicted = 0;
  CacheEntry** at = &buckets_[bucket];
  while (*at != nullptr) {
    CacheEntry& entry = **at;
    const bool over = now >= entry.expires && now - entry.expires >= stale_for;
    if (!over && entry.referenced) {
      entry.referenced = false;
      at = &entry.next;
      continue;
    }
    evicted += over ? 0 : 1;
    remove(at);
  }
  return evicted;
}

std::size_t CacheTable::make_room(std::size_t budget, CacheTime now, std::uint32_t stale_for) {
  std::size_t evicted = 0;
  // Two rounds empty it, so it ends even if the chains alone are over the budget.
  for (std::size_t visited = 0; octets() > budget && visited < 2 * buckets_.size(); ++visited) {
    evicted += visit(hand_, now, stale_for);
    hand_ = (hand_ + 1) & (buckets_.size() - 1);
  }
  return evicted;
}

void CacheTable::grow() {
  std::vector<CacheEntry*> old(buckets_.size() * 2);
  old.swap(buckets_);
  for (CacheEntry* entry : old) {
    while (entry != nullptr) {
      CacheEntry* next = entry->next;
      CacheEntry*& bucket = buckets_[place(entry->hash)];
      entry->next = bucket;
      bucket = entry;
      entry = next;
    }
  }
}

}  // namespace posthorn::dns
