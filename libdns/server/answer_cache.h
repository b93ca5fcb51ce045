// Whole answers, ready to be sent again: what is asked most costs a look-up and a copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/server/query.h"

namespace posthorn::dns {

// Of the question and the asker, all that an answer depends on besides the name, type and class.
struct AnswerClass {
  bool recursion_desired = false;
  bool checking_disabled = false;
  bool dnssec_ok = false;
  bool wants_ad = false;     // DO or AD: may be told that it is secure (RFC 6840 5.7)
  bool small = false;        // no more than 512 octets by UDP
  bool may_recurse = false;  // by the access lists
  bool trusted = false;      // AD on answers of our own zones
  [[nodiscard]] std::uint8_t octet() const;
};

// A message without OPT. Views last until the next put().
struct ReadyAnswer {
  std::string_view message;             // TTLs as they were when it was put
  std::string_view error;               // an EDNS option of RFC 8914, "" if there is none
  const std::uint16_t* ttls = nullptr;  // offsets of the TTLs that count down
  std::size_t ttl_count = 0;
  std::uint32_t age = 0;  // seconds: what is to be taken off them
};

struct NewAnswer {
  std::string message;
  std::string error;
  std::vector<std::uint16_t> ttls;  // none: the answer is true until the zones change
  std::uint32_t lifetime = 0;       // seconds; 0: the same
};

class AnswerCache {
 public:
  // Keyed hashing: strangers choose the names. `budget` in octets, overhead included; 0: keeps nothing.
  AnswerCache(std::size_t budget, std::string key);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  // `now` in seconds of a clock that never goes back; `generation`: answers of another one are gone.
  [[nodiscard]] bool find(const Query& query, AnswerClass asker, std::uint32_t now,
                          std::uint64_t generation, ReadyAnswer& into);
  void put(const Query& query, AnswerClass asker, const NewAnswer& answer, std::uint32_t now,
           std::uint64_t generation);
  void clear();
  [[nodiscard]] std::size_t size() const { return entries_; }
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  struct Entry;
  using Key = std::string_view;
  [[nodiscard]] std::uint64_t hash_of(Key key) const;
  [[nodiscard]] Key key_of(const Query& query, AnswerClass asker);
  void remove(Entry** link);
  void make_room(std::size_t wanted);

  std::size_t budget_;
  std::string hash_key_;
  std::vector<Entry*> buckets_;
  std::size_t entries_ = 0;
  std::size_t octets_ = 0;
  std::size_t hand_ = 0;  // CLOCK: where the search for room goes on
  std::array<char, max_name_octets + 5> key_{};
};

}  // namespace posthorn::dns
