// Asks others: the forwarders of a suffix, or the way down from the root (RFC 1034 5.3.3), with as
// little of the name as each zone needs to know (RFC 9156). Validates nothing and caches only the
// way: delegations and name servers' addresses.
#pragma once

#include <optional>
#include <vector>

#include "libdns/cache/cache.h"
#include "libdns/resolver/upstream.h"
#include "libdns/resolver/work.h"

namespace posthorn::dns {

// The reply to a question, scrubbed, or why there is none.
struct Found {
  Scrubbed scrubbed;
  bool useful = false;  // false: `why`
  bool forwarded = false;
  ExtendedError why;
};

class Iterator {
 public:
  // All outlive it.
  Iterator(Cache& cache, Upstream& upstream, const RecursorSettings& settings);
  async::Task<Found> find(Question question, Work& work);

 private:
  struct Way;  // where we are on the way down
  [[nodiscard]] const std::vector<async::Endpoint>* forwarders(const Name& name,
                                                               Name& suffix) const;
  async::Task<Found> iterate(Question question, Work& work);
  // One zone: shorter names first, until it refers or answers.
  async::Task<Told> ask_zone(Way& way, const Question& question, Work& work);
  async::Task<Told> ask_servers(const Delegation& zone, Question question, Work& work);
  async::Task<Delegation> prime(Work& work);
  async::Task<bool> look_up_host(Name host, Work& work);
  [[nodiscard]] std::vector<async::Endpoint> known_addresses(const Delegation::Host& host);
  [[nodiscard]] bool may_ask(const std::string& literal, bool askable) const;
  [[nodiscard]] Source source_of(const Name& zone, const Name& asked) const;
  void keep_delegation(Delegation& delegation, const Scrubbed& from, CacheTime parent_expires);

  Cache& cache_;
  Upstream& upstream_;
  const RecursorSettings& settings_;
};

// Seconds of the loop's clock: the time of the cache.
[[nodiscard]] CacheTime cache_now();

}  // namespace posthorn::dns
