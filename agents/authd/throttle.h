// Guessing made slow: after a few wrong passwords, attempts from one client and attempts at one user are let through one at
// a time, ever further apart. No clock of its own: the caller says what time it is.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libmail/base/clock.h"

namespace posthorn::authd {

struct ThrottleLimits {
  unsigned free = 3;                         // failures that cost nothing: people mistype
  Duration first = std::chrono::seconds(1);  // the gap after those; doubles with each failure
  Duration most = std::chrono::seconds(15);  // the longest gap
  Duration most_wait =
      std::chrono::seconds(30);                // who would have to wait longer is refused at once
  Duration forget = std::chrono::minutes(15);  // without a failure for this long: a clean slate
  std::size_t entries = 20'000;  // clients, users and good pairs together; the oldest goes

  ThrottleLimits() = default;
};

// A client is an IPv4 address or an IPv6 /64; "" (a local client) is not slowed down as a client. A client that has
// logged in as a user before is not slowed down for that user by what others try: nobody can lock somebody out.
class Throttle {
 public:
  explicit Throttle(ThrottleLimits limits = ThrottleLimits()) : limits_(limits) {}

  // When an attempt that came in at `now` may be looked at; nothing if it is refused. The time is reserved for it.
  [[nodiscard]] std::optional<MonoTime> admit(std::string_view client, std::string_view user,
                                              MonoTime now);
  void failed(std::string_view client, std::string_view user, MonoTime now);
  void succeeded(std::string_view client, std::string_view user, MonoTime now);

  void set_limits(const ThrottleLimits& limits) { limits_ = limits; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    unsigned failures = 0;
    MonoTime last{};  // failure or, for a pair, success
    MonoTime next{};  // no attempt before this
  };
  using Place = std::list<Entry>::iterator;

  Entry* find(const std::string& key, MonoTime now);
  Entry& find_or_make(const std::string& key, MonoTime now);
  void erase(const std::string& key);
  [[nodiscard]] Duration gap(const Entry& entry) const;

  ThrottleLimits limits_;
  std::list<Entry> entries_;  // least recently used first
  std::unordered_map<std::string_view, Place> index_;
};

}  // namespace posthorn::authd
