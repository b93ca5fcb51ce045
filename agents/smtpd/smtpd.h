// smtpd: takes mail from other hosts (RFC 5321) and writes it into the queue, or passes it on while it arrives.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/smtpd/policy.h"
#include "agents/smtpd/session.h"
#include "libmail/queue/files.h"
#include "libmail/queue/intake.h"
#include "libmail/route/site_routes.h"
#include "libmail/route/user_lookup.h"
#include "libmail/service/agent.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_server.h"
#include "libmail/session/userdb_client.h"
#include "libmail/tls/tls.h"

namespace posthorn::smtpd {

struct Options {
  std::vector<std::string> listen = {"inet:*:25", "unix:run/smtp.sock"};
  std::vector<std::string> listen_tls;
  service::SocketAccess access;
  service::HostOptions host;
  service::TlsOptions tls;
  route::RouteOptions routes;
  std::string userdb = "unix:run/userdb.sock";
  std::string queue = "queue";
  std::string next_hop;
  std::vector<std::string> relay_networks;
  std::vector<std::string> local_networks;
  smtp::ServerLimits limits;
  std::size_t max_received = Policy().max_received;
  std::size_t max_header = Policy().max_header;
  std::uint64_t spool_above = queue::Limits().inline_body;
  std::uint64_t memory = queue::Limits().buffered_total;
  session::SmtpTimeouts timeouts;
  service::ServeLimits serve;

  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
};

class Smtpd final : public service::Agent {
 public:
  Smtpd() = default;
  [[nodiscard]] std::string_view name() const override { return "smtpd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "takes mail from other hosts into the queue";
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
  std::unique_ptr<session::Intake> make_intake(service::Daemon& daemon);
  async::Task<void> session(service::Connection connection, bool implicit_tls);
  async::Task<void> stop_sessions(async::Event& stopping);
  void declare_metrics(service::Metrics& metrics, const queue::Intake& intake);

  Options options_;
  queue::RealFiles files_;
  std::unique_ptr<session::UserdbClient> userdb_;
  std::unique_ptr<route::UserLookup> users_;
  std::unique_ptr<route::SiteRoutes> routes_;
  std::unique_ptr<session::Intake> intake_;
  std::unique_ptr<Counters> counters_;
  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<tls::ServerContext> tls_;
  session::SmtpSessions sessions_;
  service::Log* log_ = nullptr;
};

}  // namespace posthorn::smtpd
