// The part of smtpd and submissiond that is not about whom they trust.
//
//   load()   in Agent::start, and again in Agent::reload behind reload()
//   open()   in Agent::start
//   serve()  last in Agent::start; settings(), resolver() and intake() are for the sessions
//   stop()   in Agent::drain
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libmail/queue/files.h"
#include "libmail/reception/gates.h"
#include "libmail/reception/options.h"
#include "libmail/route/site_routes.h"
#include "libmail/route/user_lookup.h"
#include "libmail/service/agent.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_server.h"
#include "libmail/session/userdb_client.h"
#include "libmail/tls/tls.h"

namespace posthorn::reception {

class Reception {
 public:
  // `options` outlives it.
  explicit Reception(ReceptionOptions& options) : options_(options) {}

  // What the agent has to reach: conf, certificate, tables, the queue.
  [[nodiscard]] service::Confinement confinement(const service::Site& site) const;
  // The certificate. Without one TLS is not offered and a warning is logged; one that can't be read is an error.
  Result<void, std::string> load(service::Daemon& daemon);
  // Users, tables, and the way on. Errors name the file or the option.
  async::Task<Result<void, std::string>> open(service::Daemon& daemon);
  using Session = std::function<async::Task<void>(service::Connection, bool implicit_tls)>;
  void serve(service::Daemon& daemon, const Session& session);
  // The tables' options as they are now; no session notices.
  void reload();
  // After the last session: whoever was asked is let go, what was begun is finished.
  async::Task<void> stop();

  // Of a session that begins now.
  [[nodiscard]] session::SmtpSessionSettings settings(bool implicit_tls);
  [[nodiscard]] route::Resolver& resolver() { return routes_->resolver(); }
  [[nodiscard]] session::Intake& intake() { return *intake_; }
  // For a session that begins now; no policy server is asked about clients from the networks `spared`.
  [[nodiscard]] std::unique_ptr<Gates> make_gates(const service::Networks& spared = {}) {
    return std::make_unique<Gates>(*policy_, spared, *filters_, *intake_, *log_);
  }

 private:
  [[nodiscard]] std::string holding_directory() const;
  std::unique_ptr<session::Intake> make_intake(service::Daemon& daemon);
  async::Task<void> stop_sessions(async::Event& stopping);

  ReceptionOptions& options_;
  queue::RealFiles files_;
  std::unique_ptr<session::UserdbClient> userdb_;
  std::unique_ptr<route::UserLookup> users_;
  std::unique_ptr<route::SiteRoutes> routes_;
  std::unique_ptr<session::Intake> intake_;
  std::unique_ptr<PolicyServers> policy_;
  std::unique_ptr<filter::Filters> filters_;
  std::shared_ptr<tls::ServerContext> tls_;  // null: no certificate, no TLS
  service::ServeLimits serve_tls_;
  service::Networks xclient_networks_;
  service::Networks xforward_networks_;
  session::SmtpSessions sessions_;
  service::Log* log_ = nullptr;
};

}  // namespace posthorn::reception
