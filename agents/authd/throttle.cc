#include "agents/authd/throttle.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/service/networks.h"

namespace posthorn::authd {
namespace {

// "" for a client that is none.
std::string client_key(std::string_view client) {
  const auto address = service::parse_ip(client);
  if (!address) return {};
  const std::string octets(address->octets.begin(), address->octets.end());
  return "c" + (address->is_v4() ? octets : octets.substr(0, 8));
}

// "" where no name was said.
std::string user_key(std::string_view user) {
  return user.empty() ? std::string() : "u" + lower(user);
}

std::string pair_key(const std::string& client, std::string_view user) {
  return "p" + client + std::string(1, '\0') + lower(user);
}

}  // namespace

Throttle::Entry* Throttle::find(const std::string& key, MonoTime now) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  if (now - found->second->last > limits_.forget) {
    erase(key);
    return nullptr;
  }
  entries_.splice(entries_.end(), entries_, found->second);
  return &*found->second;
}

Throttle::Entry& Throttle::find_or_make(const std::string& key, MonoTime now) {
  if (Entry* entry = find(key, now)) return *entry;
  while (!entries_.empty() && entries_.size() >= limits_.entries) {
    index_.erase(entries_.front().key);
    entries_.pop_front();
  }
  entries_.emplace_back();
  entries_.back().key = key;
  entries_.back().last = now;
  index_[entries_.back().key] = std::prev(entries_.end());
  return entries_.back();
}

void Throttle::erase(const std::string& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  const Place place = found->second;
  index_.erase(found);
  entries_.erase(place);
}

Duration Throttle::gap(const Entry& entry) const {
  if (entry.failures <= limits_.free) return Duration::zero();
  const unsigned doublings = std::min(entry.failures - limits_.free - 1, 20u);
  return std::min<Duration>(limits_.most, limits_.first * (1u << doublings));
}

std::optional<MonoTime> Throttle::admit(std::string_view client, std::string_view user,
                                        MonoTime now) {
  const std::string client_name = client_key(client);
  Entry* from = client_name.empty() ? nullptr : find(client_name, now);
  const bool trusted = !client_name.empty() && find(pair_key(client_name, user), now) != nullptr;
  Entry* at = trusted || user.empty() ? nullptr : find(user_key(user), now);
  MonoTime start = now;
  for (const Entry* entry : {from, at}) {
    if (entry != nullptr) start = std::max(start, entry->next);
  }
  if (start - now > limits_.most_wait) return std::nullopt;
  for (Entry* entry : {from, at}) {
    if (entry != nullptr) entry->next = start + gap(*entry);
  }
  return start;
}

void Throttle::failed(std::string_view client, std::string_view user, MonoTime now) {
  const std::string client_name = client_key(client);
  for (const std::string& key : {client_name, user_key(user)}) {
    if (key.empty()) continue;
    Entry& entry = find_or_make(key, now);
    ++entry.failures;
    entry.last = now;
    entry.next = std::max(entry.next, now + gap(entry));
  }
}

void Throttle::succeeded(std::string_view client, std::string_view user, MonoTime now) {
  const std::string client_name = client_key(client);
  if (client_name.empty()) {
    erase(user_key(user));
    return;
  }
  find_or_make(pair_key(client_name, user), now).last = now;
  // One good log-in takes one failure back, not all: who owns one account shall not guess at others with it.
  Entry* entry = find(client_name, now);
  if (entry == nullptr) return;
  if (entry->failures <= 1) {
    erase(client_name);
  } else {
    --entry->failures;
  }
}

}  // namespace posthorn::authd
