// pop3d: lets users fetch their mail (RFC 1939). One program, two roles: the front, and with --worker the mail worker.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agents/pop3d/front_session.h"
#include "agents/pop3d/options.h"
#include "agents/pop3d/own_worker.h"
#include "agents/pop3d/worker_session.h"
#include "libmail/service/agent.h"
#include "libmail/session/auth_client.h"

namespace posthorn::pop3d {

class Pop3d final : public service::Agent {
 public:
  // The command line, for the worker that is started from it.
  explicit Pop3d(std::vector<std::string> command_line) : command_line_(std::move(command_line)) {}

  [[nodiscard]] std::string_view name() const override { return "pop3d"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "lets users fetch their mail by POP3";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  [[nodiscard]] bool listens_on(std::string_view listener) const override;
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  service::Confinement confinement(const service::Site& site) override;
  Result<void, std::string> before_lockdown(const service::Site& site,
                                            std::vector<service::OpenListeners>& open) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  // The front.
  async::Task<Result<void, std::string>> start_front(service::Daemon& daemon);
  async::Task<bool> worker_answers();
  Result<void, std::string> load_front(service::Daemon& daemon);
  async::Task<void> serve_client(service::Connection connection, bool implicit_tls);
  // The worker.
  Result<void, std::string> start_worker(service::Daemon& daemon);
  void load_worker(service::Daemon& daemon);
  async::Task<void> serve_front(service::Connection connection);

  async::Task<void> end_sessions_when_stopping();

  std::vector<std::string> command_line_;
  Options options_;
  service::Daemon* daemon_ = nullptr;

  std::optional<OwnWorker> own_worker_;
  Fd front_pipe_;  // of a worker that a front has started
  std::unique_ptr<async::FdWatch> front_watch_;
  std::unique_ptr<session::AuthClient> auth_;
  FrontSettings front_;
  std::unique_ptr<FrontCounters> front_counters_;
  std::set<FrontSession*> fronts_;

  store::SystemFiles files_;
  std::unique_ptr<session::UserdbClient> userdb_;
  std::shared_ptr<const WorkerSettings> worker_;
  std::unique_ptr<WorkerCounters> worker_counters_;
  uid_t front_uid_ = 0;
  std::set<WorkerSession*> workers_;
};

}  // namespace posthorn::pop3d
