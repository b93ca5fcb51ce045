// The queue manager as a service: options, wiring, reload, drain.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/queued/drop_reader.h"
#include "agents/queued/ops.h"
#include "agents/queued/options.h"
#include "agents/queued/scheduler.h"
#include "libmail/async/socket.h"
#include "libmail/queue/store.h"
#include "libmail/route/userdb_users.h"
#include "libmail/service/agent.h"

namespace posthorn::queued {

class Queued final : public service::Agent {
 public:
  [[nodiscard]] std::string_view name() const override { return "queued"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "keeps the queue: hands messages to delivery agents, retries, reports";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override;
  service::Confinement confinement(const service::Site& site) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  async::Task<Result<void, std::string>> open_store(const service::Site& site);
  void declare_metrics(service::Metrics& metrics);
  async::Task<void> listen_to_nudges();
  async::Task<void> tick();
  async::Task<void> watch_drop();
  void log_notices(service::Log& log);

  Options options_;
  queue::RealFiles files_;
  std::unique_ptr<queue::Store> store_;
  std::unique_ptr<route::UserLookup> users_;
  std::unique_ptr<session::UserdbClient> userdb_;
  std::unique_ptr<route::SiteRoutes> routes_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<DropReader> drop_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<async::DatagramReceiver> nudges_;
  service::Log* log_ = nullptr;
  async::Scope scope_;
  async::Event stopping_;
};

}  // namespace posthorn::queued
