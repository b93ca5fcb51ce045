// What the administrator sets.
#pragma once

#include <string>
#include <vector>

#include "agents/dnsd/keeper.h"
#include "libdns/resolver/recursor.h"
#include "libdns/server/responder.h"
#include "libdns/server/stream.h"
#include "libmail/service/agent.h"
#include "libmail/service/networks.h"

namespace posthorn::dnsd {

inline constexpr unsigned most_workers = 64;

struct Options {
  std::vector<std::string> listen = {"inet:*:53", "unix:run/dns.sock"};
  service::SocketAccess access;  // as many UDP sockets as there are workers
  service::ServeLimits serve;
  dns::StreamLimits streams;

  std::string zones = "zones";
  std::vector<std::string> zone_files;  // "NAME=FILE"
  std::vector<std::string> secondaries;
  std::vector<std::string> sign;
  std::string zone_keys = "zones/keys";
  std::string keys = "conf/dns.keys";
  std::vector<std::string> grants;
  std::string serial = "increment";
  std::vector<std::string> transfer_networks = {"127.0.0.0/8", "::1"};
  std::vector<std::string> transfer_keys;
  std::vector<std::string> notify;

  bool recursion = true;
  std::vector<std::string> recursion_networks = {"127.0.0.0/8", "::1"};
  std::vector<std::string> trusted_networks = {"127.0.0.0/8", "::1"};
  std::vector<std::string> forwards;  // "SUFFIX=HOST:PORT"
  std::string root_hints;
  std::string trust_anchors;
  std::vector<std::string> negative_trust_anchors;
  bool validate = true;
  bool ipv6 = true;
  bool minimise_names = true;
  bool randomise_case = true;
  bool ask_loopback = false;
  std::uint16_t authority_port = 53;
  std::vector<std::string> private_names;
  bool filter_private = false;

  dns::CacheSettings cache;
  std::uint64_t ready_octets = std::uint64_t{8} << 20;
  bool prefetch = true;
  Duration serve_stale = Duration::zero();
  std::vector<std::string> never_stale;

  std::uint16_t udp_octets = dns::edns_udp_octets;
  bool cookies = true;
  dns::RateSettings rate;

  Options();
  void describe(service::OptionTable& table);
  // Problems of what the options name, each a sentence; the files are read.
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;

  // None if there is no such file.
  [[nodiscard]] Result<std::vector<dns::TsigKey>, std::string> read_keys() const;

  // Only after check() found nothing.
  [[nodiscard]] KeeperSettings keeper_settings() const;
  [[nodiscard]] SigningSettings signing_settings() const;
  [[nodiscard]] dns::RecursorSettings recursor_settings() const;
  [[nodiscard]] dns::CacheSettings cache_settings() const;
  // Without cookie secrets, which live as long as the daemon.
  [[nodiscard]] dns::ResponderSettings responder_settings() const;

 private:
  void describe_sockets(service::OptionTable& table);
  void describe_zones(service::OptionTable& table);
  void describe_resolving(service::OptionTable& table);
  void describe_validation(service::OptionTable& table);
  void describe_cache(service::OptionTable& table);
  void describe_defence(service::OptionTable& table);
};

// "example.org=192.0.2.1:53", ".=192.0.2.1": a suffix and where its questions go.
[[nodiscard]] Result<dns::Forward, std::string> parse_forward(const std::string& text);

}  // namespace posthorn::dnsd
