// What we have learned about other name servers: how fast, how reliable, what they can't do.
#pragma once

#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "libdns/resolver/limits.h"
#include "libdns/wire/name.h"
#include "libmail/async/endpoint.h"
#include "libmail/base/clock.h"

namespace posthorn::dns {

struct KnownServer {
  async::Endpoint endpoint;
  // RFC 6298, in milliseconds; 0 until it has answered.
  double round_trip = 0;
  double variation = 0;
  std::size_t silences = 0;  // in a row
  MonoTime rests_until{};
  Duration rest{};
  MonoTime no_edns_until{};                     // answered FORMERR to it
  std::string client_cookie;                    // 8 octets, of ours for it
  std::string server_cookie;                    // its own, once it gave one
  std::vector<std::pair<Name, MonoTime>> lame;  // zone, until when

  explicit KnownServer(async::Endpoint at);
  [[nodiscard]] bool rests(MonoTime now) const { return now < rests_until; }
  [[nodiscard]] bool is_lame(const Name& zone, MonoTime now) const;
};

class Servers {
 public:
  explicit Servers(const ResolveLimits& limits) : limits_(limits) {}

  // References live until the next call of of().
  KnownServer& of(const async::Endpoint& endpoint);
  // The best first: quick ones, then unknown ones, those that rest or are lame at the end. Of
  // equals a random one. Whoever isn't asked gets a little better, so that he is tried again.
  [[nodiscard]] std::vector<async::Endpoint> in_order(std::vector<async::Endpoint> endpoints,
                                                      const Name& zone, MonoTime now);
  // How long to wait for it.
  [[nodiscard]] Duration patience(const async::Endpoint& endpoint);
  void answered(const async::Endpoint& endpoint, Duration took);
  void silent(const async::Endpoint& endpoint, MonoTime now);
  // The network, not the server, was in the way. A host without IPv6 must not spend its questions on
  // that: for a while IPv6 comes last.
  void unreachable(const async::Endpoint& endpoint, MonoTime now);
  void lame(const async::Endpoint& endpoint, const Name& zone, MonoTime now);

  template <class F>
  void for_each(F&& each) const {
    for (const KnownServer& server : used_) each(server);
  }

 private:
  const ResolveLimits& limits_;
  MonoTime no_ipv6_until_{};
  std::list<KnownServer> used_;  // the latest first
  std::unordered_map<std::string, std::list<KnownServer>::iterator> places_;
};

}  // namespace posthorn::dns
