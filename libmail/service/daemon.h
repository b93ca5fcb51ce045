// The inside of run_agent: the options every agent has, and the Daemon it is given.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/signals.h"
#include "libmail/service/agent.h"
#include "libmail/service/exit_code.h"
#include "libmail/service/listeners.h"
#include "libmail/service/settings.h"

namespace posthorn::service {

// Declared for every agent.
struct RunOptions {
  std::string user = "posthorn";
  std::vector<std::string> ops;
  std::string log_level = "info";
  std::string log_format = "kv";
  Duration drain_time = std::chrono::seconds(8);
  std::string lockdown = "full";

  void describe(OptionTable& table, std::string_view instance);
  [[nodiscard]] Lockdown how() const;
  void apply(Log& log) const;
};

class RunningDaemon final : public Daemon {
 public:
  RunningDaemon(Agent& agent, Settings& settings, OptionTable& table, RunOptions& options, Log& log,
                std::vector<OpenListeners> open);
  ~RunningDaemon() override;

  [[nodiscard]] const Site& site() const override { return settings_.site(); }
  Log& log() override { return log_; }
  Metrics& metrics() override { return metrics_; }
  OpsServer& ops() override { return ops_; }
  async::Scope& scope() override { return scope_; }
  void serve(std::string_view name, Session session, const ServeLimits& limits) override;
  [[nodiscard]] std::vector<std::string> listening(std::string_view name) const override;
  [[nodiscard]] std::vector<int> datagram_sockets(std::string_view name) const override;
  [[nodiscard]] async::Event& stopping() override { return stopping_; }
  void stop(std::string_view why, int code) override;

  // From start() to the last session. The exit code.
  async::Task<int> run(LockdownReport report);

 private:
  async::Task<int> start_and_serve(LockdownReport report);
  async::Task<void> finish();
  async::Task<bool> join_tasks(async::Deadline deadline);
  bool accept_all();
  void reload();
  void add_own_verbs();
  async::Task<OpsReply> show_metrics();
  async::Task<OpsReply> show_health();
  async::Task<OpsReply> show_options();
  async::Task<void> serve_ops(Connection connection);

  Agent& agent_;
  Settings& settings_;
  OptionTable& table_;
  RunOptions& options_;
  Log& log_;
  Metrics metrics_;
  OpsServer ops_;
  async::Scope scope_;
  async::Event stopping_;
  std::vector<OpenListeners> open_;
  std::map<std::string, std::vector<std::string>, std::less<>> bound_;
  std::map<std::string, std::vector<Fd>, std::less<>> datagrams_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  ServeLimits ops_limits_;
  std::unique_ptr<async::SignalWatch> on_term_, on_int_, on_hup_;
  int exit_code_ = 0;
};

// Tells whoever asked by NOTIFY_SOCKET ("READY=1"); nothing happens without it. The variable is
// taken out of the environment at the first call.
void notify_supervisor(const std::string& state);

}  // namespace posthorn::service
