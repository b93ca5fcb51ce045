// "The cache, then ask others": forwarders or the way down from the root (RFC 1034 5.3.3), every
// answer validated (RFC 4035 5) and cached.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/cache/cache.h"
#include "libdns/resolver/exchange.h"
#include "libdns/resolver/limits.h"
#include "libdns/resolver/root_hints.h"
#include "libdns/resolver/trust_anchors.h"

namespace posthorn::dns {

// Questions for names at or below `suffix` go to these servers, with RD. The longest suffix wins;
// the root's forwards everything. No servers: iterate below that suffix.
struct Forward {
  Name suffix;
  std::vector<async::Endpoint> servers;  // literal addresses, or Unix sockets
  Forward() = default;
  Forward(Name name, std::vector<async::Endpoint> to)
      : suffix(std::move(name)), servers(std::move(to)) {}
};

struct RecursorSettings {
  std::vector<Forward> forwards;
  std::vector<RootHint> root_hints = built_in_root_hints();
  bool minimise_names = true;  // RFC 9156
  bool randomise_case = true;  // 0x20: letters of the question in random case
  bool use_ipv6 = true;        // ask servers by IPv6, too
  bool prefetch = true;
  bool serve_stale = false;             // RFC 8767; the cache's stale_for says how long
  std::vector<Name> never_stale;        // at and below: block lists
  bool filter_private_answers = false;  // no RFC 1918 and the like from others (rebinding) ...
  std::vector<Name> private_names;      // ... but at and below these
  // 127/8, 0/8, ::1, ... are no name servers; only tests and sandboxes have some there. Forwards
  // are exempt.
  bool ask_loopback = false;
  std::vector<std::string> own_addresses;  // nor are these
  std::uint16_t authority_port = 53;       // where zones' servers listen; another one in tests
  bool validate = true;
  TrustAnchors anchors = TrustAnchors::built_in();
  std::vector<Name> negative_anchors;  // RFC 7646: at and below, nothing is validated
  ResolveLimits limits;
  // Seconds since 1970, for signatures. Tests have their own.
  std::function<std::uint32_t()> wall_seconds;  // none: the system's clock
};

struct ResolveOptions {
  bool checking_disabled = false;  // CD: also data that validation refuses
  bool refresh = false;            // don't answer from the cache
  ResolveOptions() = default;
};

// What came of a question; the sets hold their signatures, which the sender includes or omits (DO).
struct Resolution {
  Rcode rcode = Rcode::servfail;
  Security security = Security::unavailable;  // secure: AD may be set
  std::vector<RrSet> answer;                  // aliases in order, then what was asked for
  std::vector<RrSet> authority;  // SOA and proofs of what isn't there; proofs of a wildcard
  std::optional<ExtendedError> why;
  bool from_cache = false;
  bool stale = false;
  Resolution() = default;
  Resolution(Rcode code, Security how, ExtendedError error)
      : rcode(code), security(how), why(std::move(error)) {}
};

struct RecursorStats {
  std::uint64_t questions = 0;
  std::uint64_t from_cache = 0;
  std::uint64_t joined = 0;    // waited for the same question of somebody else
  std::uint64_t upstream = 0;  // messages sent
  std::uint64_t tcp = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t mismatches = 0;  // wrong id or question: somebody guesses
  std::uint64_t failures = 0;
  std::uint64_t bogus = 0;
  std::uint64_t limited = 0;  // refused for a limit
  std::uint64_t prefetches = 0;
  std::uint64_t verifications = 0;  // of signatures
  std::uint64_t nsec3_hashes = 0;
};

// What is known about one server, for `posthorn dns stats`.
struct ServerLine {
  std::string server;
  std::int64_t round_trip_ms = 0;
  std::size_t silences = 0;
  bool resting = false;
  bool edns = true;
};

class Recursor {
 public:
  // `cache` and `exchange` outlive it.
  Recursor(Cache& cache, Exchange& exchange, RecursorSettings settings = {});
  ~Recursor();
  Recursor(const Recursor&) = delete;
  Recursor& operator=(const Recursor&) = delete;

  // Always gives something that can be sent; SERVFAIL when the deadline passes. Class IN only, no
  // metatypes other than ANY, which gets what HINFO of RFC 8482 says.
  async::Task<Resolution> resolve(Question question, ResolveOptions options,
                                  async::Deadline deadline);
  // The same if no other server need be asked, and at once: local names (RFC 6761), the cache,
  // failures remembered. May start a prefetch.
  [[nodiscard]] std::optional<Resolution> from_cache(const Question& question,
                                                     ResolveOptions options = {});

  // Questions that run end as SERVFAIL. The exchange's close() comes before, so that they do.
  async::Task<void> close();
  [[nodiscard]] RecursorStats stats() const;
  [[nodiscard]] std::vector<ServerLine> servers() const;
  [[nodiscard]] Cache& cache();
  // What was concluded about zones' keys; after a flush of the cache.
  void forget_trust();
  // On the clock of the cache, for showing it.
  [[nodiscard]] CacheTime now() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::dns
