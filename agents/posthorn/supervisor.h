// Starts a site's agents and keeps them running. It opens every socket itself and passes them on, so that no agent needs to be
// root and a restarted agent misses no client.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agents/posthorn/supervised.h"
#include "libmail/async/poll.h"
#include "libmail/async/scope.h"
#include "libmail/service/listeners.h"

namespace posthorn::operate {

struct SupervisorOptions {
  bool log_to_files = true;  // DIR/log/AGENT.log; else our standard error
  // Where an agent's endpoint really is opened; the sandbox moves ports. Empty: where it says.
  std::function<async::Endpoint(const async::Endpoint&)> place;
  Supervised::Pauses pauses;
  SupervisorOptions() = default;
};

class Supervisor {
 public:
  Supervisor(service::Site site, SupervisorOptions options, service::Log& log);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Takes the site's lock, asks the programs for their listeners, opens those, starts all. The error is the first one met; agents
  // that were started run on, so stop() all the same.
  async::Task<Result<void, std::string>> start(std::vector<AgentProgram> programs,
                                               async::Deadline deadline);
  // Until every agent has said that it is ready; the error tells which one could not start, and its last words.
  async::Task<Result<void, std::string>> wait_until_ready(async::Deadline deadline);
  // SIGTERM to all, SIGKILL to those that have not ended after `grace`; returns when all have.
  async::Task<void> stop(Duration grace = std::chrono::seconds(9));
  void signal_all(int number);

  [[nodiscard]] const std::vector<std::unique_ptr<Supervised>>& agents() const { return agents_; }
  // {"agents":[{"name","pid","state","starts","listeners":[...]}]}
  [[nodiscard]] std::string status_json() const;

 private:
  Result<void, std::string> take_lock();
  Result<void, std::string> open_notify_socket();
  async::Task<Result<void, std::string>> add(AgentProgram program, async::Deadline deadline);
  Result<std::vector<HeldSocket>, std::string> open_sockets(
      const std::string& agent, const std::vector<AgentListener>& listeners);
  Result<void, std::string> open_ops_socket();
  async::Task<void> collect(AgentProgram program, async::Deadline deadline, std::string* error);
  void read_notifications();
  async::Task<service::OpsReply> show_agents();
  async::Task<service::OpsReply> show_health();
  async::Task<service::OpsReply> show_metrics();
  void declare_metrics(const Supervised& agent);
  async::Task<void> serve_ops(service::Connection connection);

  service::Site site_;
  SupervisorOptions options_;
  service::Log& log_;
  Fd lock_;
  Fd notify_;
  std::string notify_path_;
  std::unique_ptr<async::FdWatch> notify_watch_;
  async::Event stopping_;
  std::vector<std::unique_ptr<Supervised>> agents_;
  async::Scope scope_;
  service::Metrics metrics_;
  service::OpsServer ops_;
  service::ServeLimits ops_limits_;
  std::unique_ptr<service::Acceptor> ops_acceptor_;
};

}  // namespace posthorn::operate
