#include "libdns/server/answer_cache.h"

#include <cstring>
#include <new>

#include "libdns/dnssec/cookie.h"

namespace posthorn::dns {

// One block: this head, then key, message, error and the offsets of TTLs (two octets each, aligned).
struct AnswerCache::Entry {
  Entry* next;
  std::uint64_t hash;
  std::uint64_t generation;
  std::uint32_t stored;
  std::uint32_t expires;  // 0: never
  std::uint32_t message_octets;
  std::uint16_t error_octets;
  std::uint16_t ttl_count;
  std::uint16_t key_octets;
  bool used;  // since the hand came by

  [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] char* data() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::size_t ttl_octets() const { return ttl_count * sizeof(std::uint16_t); }
  [[nodiscard]] const std::uint16_t* ttls() const {
    return reinterpret_cast<const std::uint16_t*>(data());
  }
  [[nodiscard]] std::string_view key() const { return {data() + ttl_octets(), key_octets}; }
  [[nodiscard]] std::string_view message() const {
    return {data() + ttl_octets() + key_octets, message_octets};
  }
  [[nodiscard]] std::string_view error() const {
    return {data() + ttl_octets() + key_octets + message_octets, error_octets};
  }
  // With what malloc adds.
  [[nodiscard]] std::size_t octets() const {
    return sizeof(Entry) + 16 + ttl_octets() + key_octets + message_octets + error_octets;
  }
};

namespace {

// An answer of so many octets fills a bucket's share of the budget.
constexpr std::size_t typical_octets = 256;
constexpr std::size_t largest_answer = 16384;

std::size_t bucket_count(std::size_t budget) {
  std::size_t count = 64;
  while (count * typical_octets < budget) count *= 2;
  return count;
}

}  // namespace

std::uint8_t AnswerClass::octet() const {
  return static_cast<std::uint8_t>(recursion_desired | checking_disabled << 1 | dnssec_ok << 2 |
                                   wants_ad << 3 | small << 4 | may_recurse << 5 | trusted << 6);
}

AnswerCache::AnswerCache(std::size_t budget, std::string key)
    : budget_(budget), hash_key_(std::move(key)), buckets_(bucket_count(budget)) {}

AnswerCache::~AnswerCache() {
  clear();
}

AnswerCache::Key AnswerCache::key_of(const Query& query, AnswerClass asker) {
  std::memcpy(key_.data(), query.folded.data(), query.name_octets);
  char* end = key_.data() + query.name_octets;
  const auto type = static_cast<std::uint16_t>(query.type);
  const auto klass = static_cast<std::uint16_t>(query.klass);
  *end++ = static_cast<char>(type >> 8);
  *end++ = static_cast<char>(type);
  *end++ = static_cast<char>(klass >> 8);
  *end++ = static_cast<char>(klass);
  *end++ = static_cast<char>(asker.octet());
  return {key_.data(), static_cast<std::size_t>(end - key_.data())};
}

std::uint64_t AnswerCache::hash_of(Key key) const {
  return siphash24(key, hash_key_);
}

bool AnswerCache::find(const Query& query, AnswerClass asker, std::uint32_t now,
                       std::uint64_t generation, ReadyAnswer& into) {
  const Key key = key_of(query, asker);
  const std::uint64_t hash = hash_of(key);
  Entry** link = &buckets_[hash & (buckets_.size() - 1)];
  for (; *link != nullptr; link = &(*link)->next) {
    if ((*link)->hash != hash || (*link)->key() != key) continue;
    Entry& entry = **link;
    if (entry.generation != generation || (entry.expires != 0 && entry.expires <= now)) {
      remove(link);
      return false;
    }
    entry.used = true;
    into.message = entry.message();
    into.error = entry.error();
    into.ttls = entry.ttls();
    into.ttl_count = entry.ttl_count;
    into.age = now - entry.stored;
    return true;
  }
  return false;
}

void AnswerCache::put(const Query& query, AnswerClass asker, const NewAnswer& answer,
                      std::uint32_t now, std::uint64_t generation) {
  if (answer.message.size() > largest_answer || answer.error.size() > 1024) return;
  const Key key = key_of(query, asker);
  const std::uint64_t hash = hash_of(key);
  for (Entry** link = &buckets_[hash & (buckets_.size() - 1)]; *link != nullptr;) {
    if ((*link)->hash == hash && (*link)->key() == key) {
      remove(link);
    } else {
      link = &(*link)->next;
    }
  }
  Entry head{};
  head.hash = hash;
  head.generation = generation;
  head.stored = now;
  head.expires = answer.lifetime == 0 ? 0 : now + answer.lifetime;
  head.message_octets = static_cast<std::uint32_t>(answer.message.size());
  head.error_octets = static_cast<std::uint16_t>(answer.error.size());
  head.ttl_count = static_cast<std::uint16_t>(answer.ttls.size());
  head.key_octets = static_cast<std::uint16_t>(key.size());
  if (head.octets() > budget_) return;
  make_room(head.octets());
  auto* entry = new (::operator new(head.octets())) Entry(head);
  char* out = entry->data();
  const auto append = [&out](const void* octets, std::size_t count) {
    if (count != 0) std::memcpy(out, octets, count);
    out += count;
  };
  append(answer.ttls.data(), head.ttl_octets());
  append(key.data(), key.size());
  append(answer.message.data(), answer.message.size());
  append(answer.error.data(), answer.error.size());
  Entry*& bucket = buckets_[hash & (buckets_.size() - 1)];
  entry->next = bucket;
  bucket = entry;
  ++entries_;
  octets_ += entry->octets();
}

void AnswerCache::remove(Entry** link) {
  Entry* entry = *link;
  *link = entry->next;
  --entries_;
  octets_ -= entry->octets();
  ::operator delete(entry);
}

void AnswerCache::make_room(std::size_t wanted) {
  while (entries_ != 0 && octets_ + wanted > budget_) {
    hand_ = (hand_ + 1) & (buckets_.size() - 1);
    for (Entry** link = &buckets_[hand_]; *link != nullptr;) {
      if (!(*link)->used) {
        remove(link);
        continue;
      }
      (*link)->used = false;
      link = &(*link)->next;
    }
  }
}

void AnswerCache::clear() {
  for (Entry*& bucket : buckets_) {
    while (bucket != nullptr) remove(&bucket);
  }
}

}  // namespace posthorn::dns
