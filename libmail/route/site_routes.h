// The tables of a site, open and kept fresh: what an agent's main makes.
//
//   RouteOptions options;  options.describe(table);                        in Agent::describe
//   options.check(site)                                                    in Agent::check
//   routes_ = std::make_unique<SiteRoutes>(site, options, host.domains, users, daemon.log());
//   auto read = co_await routes_->start();                                 in Agent::start
//   routes_->resolver().resolve(mailbox)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/route/expansion.h"
#include "libmail/route/resolver.h"
#include "libmail/service/lockdown.h"
#include "libmail/service/log.h"
#include "libmail/service/options.h"
#include "libmail/service/site.h"

namespace posthorn::route {

// Options that smtpd, submissiond and queued share. Table options take a file ("conf/aliases"),
// "socketmap:unix:PATH:NAME", "socketmap:inet:HOST:PORT:NAME", "tcp:inet:HOST:PORT" or
// "tcp:unix:PATH"; "" = no such table.
struct RouteOptions {
  std::string aliases = "conf/aliases";
  std::string lists = "conf/lists";
  std::string virtuals = "conf/virtual";  // the option is named "virtual"
  std::string transports = "conf/transports";
  std::string recipient_delimiter = "+";
  std::string postmaster;
  std::string local_transport = "lmtp:unix:run/lmtp.sock";
  std::string remote_transport = "lmtp:unix:run/relay.sock";

  RouteOptions() = default;
  void describe(service::OptionTable& table);
  // Reads every table that is a file. Each problem: "PATH:LINE: what is wrong".
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
  // Adds the directories that the tables lie in.
  void confine(service::Confinement& confinement, const service::Site& site) const;
};

class SiteRoutes {
 public:
  // `users`, `log` and `site` outlive it.
  SiteRoutes(const service::Site& site, const RouteOptions& options,
             std::vector<std::string> domains, UserLookup& users, service::Log& log);
  ~SiteRoutes();
  SiteRoutes(const SiteRoutes&) = delete;
  SiteRoutes& operator=(const SiteRoutes&) = delete;

  // Reads the files and begins to look at them every half second. A file that became worse is
  // logged
  // (`table-error`) and its old version stays; a fresh one is logged too (`table-read`).
  async::Task<Result<void, std::string>> start();
  // After a reload of the options: domains, delimiter, postmaster and default transports. The names
  // of tables are read at start only.
  void reload(const RouteOptions& options, std::vector<std::string> domains);
  // Before the loop ends: waits for a read that is under way.
  async::Task<void> stop();

  [[nodiscard]] Resolver& resolver();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::route
