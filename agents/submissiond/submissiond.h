// submissiond: the message submission agent (RFC 6409). Takes mail from users and writes it into the queue, or passes
// it on while it arrives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/submissiond/policy.h"
#include "agents/submissiond/session.h"
#include "libmail/queue/files.h"
#include "libmail/queue/layout.h"
#include "libmail/route/site_routes.h"
#include "libmail/route/user_lookup.h"
#include "libmail/service/agent.h"
#include "libmail/session/auth_client.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_server.h"
#include "libmail/session/userdb_client.h"
#include "libmail/tls/tls.h"

namespace posthorn::submissiond {

struct Options {
  std::vector<std::string> listen = {"inet:*:587", "unix:run/submission.sock"};
  std::vector<std::string> listen_tls;
  service::SocketAccess access;
  service::HostOptions host;
  service::TlsOptions tls;
  route::RouteOptions routes;
  std::string auth = "unix:run/auth.sock";
  bool allow_plaintext_auth = false;
  std::string userdb = "unix:run/userdb.sock";
  std::vector<std::string> trusted_users;
  std::vector<std::string> local_networks;
  bool hide_client = false;
  std::string queue = "queue";
  std::string next_hop;
  smtp::ServerLimits limits;
  std::size_t max_received = Policy().max_received;
  std::size_t max_header = message::HeaderLimits().header_bytes;
  std::uint64_t spool_above = queue::Limits().inline_body;
  std::uint64_t memory = queue::Limits().buffered_total;
  session::SmtpTimeouts timeouts;
  service::ServeLimits serve;

  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
};

class Submissiond final : public service::Agent {
 public:
  Submissiond() = default;
  [[nodiscard]] std::string_view name() const override { return "submissiond"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "takes mail from users into the queue";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  service::Confinement confinement(const service::Site& site) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  Result<void, std::string> load(service::Daemon& daemon);
  void open_clients(service::Daemon& daemon);
  std::unique_ptr<session::Intake> make_intake(service::Daemon& daemon);
  async::Task<void> session(service::Connection connection, bool implicit_tls);
  async::Task<void> stop_sessions(async::Event& stopping);

  Options options_;
  queue::RealFiles files_;
  std::unique_ptr<session::AuthClient> auth_;  // null: AUTH is not offered
  std::unique_ptr<session::UserdbClient> userdb_;
  std::unique_ptr<route::UserLookup> users_;
  std::unique_ptr<route::SiteRoutes> routes_;
  std::unique_ptr<session::Intake> intake_;
  std::unique_ptr<Counters> counters_;
  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<tls::ServerContext> tls_;  // null: no certificate, no TLS
  session::SmtpSessions sessions_;
  service::Log* log_ = nullptr;
  bool own_site_ = false;
};

}  // namespace posthorn::submissiond
