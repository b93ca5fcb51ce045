// From a domain to the hosts to try, in order: the `routes` table, else MX records (RFC 5321 5.1, RFC 7505).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agents/relayd/route.h"
#include "libdns/stub/mail.h"
#include "libmail/route/table.h"
#include "libmail/service/log.h"
#include "libmail/session/smtp_client.h"
#include "libmail/smtp/status.h"

namespace posthorn::relayd {

// One address of one host.
struct Target {
  session::NextHop hop;  // a literal address or a Unix socket
  std::string name;      // the host's: for SNI, certificates, words
  std::string address;   // for words; "unix" for a socket
  std::uint16_t preference = 0;
  bool by_mx = false;  // a host found by MX that calls itself as we do is a loop

  Target() = default;
};

struct Destination {
  std::string key;              // equal keys are one destination
  std::vector<Target> targets;  // at least one
  std::optional<Security> security;
  bool implicit_tls = false;
  bool xforward = false;
  std::optional<smtp::Credentials> login;

  Destination() = default;
};

// DNS as this file needs it: libdns/stub, and a test's map.
class MailDns {
 public:
  virtual ~MailDns() = default;
  virtual async::Task<dns::MailRoute> mail_hosts(dns::Name domain, async::Deadline deadline) = 0;
  virtual async::Task<dns::MailHost> host(dns::Name name, async::Deadline deadline) = 0;
};

struct DestinationOptions {
  std::string hostname;  // ours: an MX host of this name is us
  std::uint16_t default_port = 25;
  std::string socket_directory;  // of relative Unix paths in `routes`

  DestinationOptions() = default;
};

class Destinations {
 public:
  // All outlive it. `logins` maps Route::place() to "USER:PASSWORD".
  Destinations(route::Table& routes, route::Table& logins, MailDns& dns, service::Log& log)
      : routes_(routes), logins_(logins), dns_(dns), log_(log) {}

  void configure(DestinationOptions options) { options_ = std::move(options); }

  // `domain` is canonical: A-labels or a literal, lower case. Without an entry the route is "mx" or, for a literal,
  // that address. The error is 4.3.0: the table can't be read.
  async::Task<Result<Route, smtp::Status>> route_for(std::string domain);
  // What two recipients must share to share a transaction.
  [[nodiscard]] static std::string key_of(const Route& route, const std::string& domain);
  // Errors: 5.1.2 no such domain, 5.1.10 null MX, 5.4.4 no address, 5.4.6 we are its best MX host, 4.4.3 no answer.
  async::Task<Result<Destination, smtp::Status>> find(Route route, std::string domain,
                                                      std::string trace_id,
                                                      async::Deadline deadline);

 private:
  async::Task<Result<void, smtp::Status>> add_mx(Destination& into, std::string domain,
                                                 std::uint16_t port, std::string trace_id,
                                                 async::Deadline deadline);
  async::Task<Result<void, smtp::Status>> add_host(Destination& into, const Route& route,
                                                   std::string trace_id, async::Deadline deadline);
  async::Task<Result<void, smtp::Status>> add_login(Destination& into, std::string place);
  void add_addresses(Destination& into, const dns::MailHost& host, std::uint16_t port, bool by_mx,
                     const std::string& trace_id);

  route::Table& routes_;
  route::Table& logins_;
  MailDns& dns_;
  service::Log& log_;
  DestinationOptions options_;
};

}  // namespace posthorn::relayd
