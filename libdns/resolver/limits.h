// What one question may cost, in one place. The whole question of one client shares one budget:
// restarts, aliases, name servers' addresses and validation all draw on it, and nothing refills it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace posthorn::dns {

struct ResolveLimits {
  // Messages sent to others, tries again included (NXNSAttack, CAMP).
  std::size_t upstream_queries = 50;
  std::size_t referrals = 16;  // from one zone to the next, in one descent
  std::size_t aliases = 11;    // CNAMEs and DNAMEs followed
  std::size_t nested = 6;      // looking up a name server to look up a name server ...
  // Of one delegation: hosts kept, hosts whose addresses are looked up because there is no glue,
  // addresses of one host that are used, addresses tried in one step.
  std::size_t hosts = 13;
  std::size_t hosts_looked_up = 5;
  std::size_t addresses_each = 4;
  std::size_t addresses_tried = 13;
  // RFC 9156 2.3: steps in all; so many of them by one label, the rest share what is left.
  std::size_t minimise_steps = 10;
  std::size_t minimise_one_label = 4;
  std::chrono::milliseconds wall_clock{8000};

  // Of one zone's servers, waiting at a time, for all clients together (random subdomains).
  std::size_t waiting_each_zone = 200;
  // Questions being worked on, and clients waiting for one of them.
  std::size_t questions = 4000;
  std::size_t waiting_each_question = 1000;
  std::size_t refreshing = 100;  // questions asked ahead of their time (prefetch)

  // One server, one try.
  std::chrono::milliseconds first_try{400};  // of a server about which nothing is known
  std::chrono::milliseconds least_try{100};
  std::chrono::milliseconds longest_try{3000};
  std::chrono::milliseconds tcp_try{3000};
  std::size_t servers_remembered = 10000;
  // A server that was silent this often in a row rests for a while, which doubles up to the second.
  std::size_t silences = 3;
  std::chrono::seconds rest{10};
  std::chrono::seconds longest_rest{300};
  std::chrono::seconds plain_for{900};  // asked without EDNS, once it didn't understand it
  std::chrono::seconds lame_for{300};   // told us nothing useful about a zone that it should serve

  // RFC 8767 5: a client gets stale data after this time, with this TTL.
  std::chrono::milliseconds stale_after{1800};
  std::uint32_t stale_ttl = 30;
  // RFC 9520: how long a failure is remembered, in seconds.
  std::uint32_t failure_ttl = 5;
  std::uint32_t bogus_ttl = 60;

  ResolveLimits() = default;
};

}  // namespace posthorn::dns
