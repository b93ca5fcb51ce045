// The agents as programs: where they are, how they are called, what they listen on.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/service/listeners.h"
#include "libmail/service/settings.h"

namespace posthorn::operate {

// The daemons of ours, in the order they are started and shown.
[[nodiscard]] const std::vector<std::string>& known_agents();

struct AgentProgram {
  std::string name;               // of [agents.NAME]
  std::vector<std::string> argv;  // argv[0] is a path, or a foreign program looked up in PATH
  bool is_ours = false;           // takes --print-listeners, LISTEN_FDS and NOTIFY_SOCKET
};

// The program behind an entry of posthorn.toml. Ours are found beside our own executable and told their site and name.
// The error says where it was looked for.
Result<AgentProgram, std::string> find_program(const service::AgentEntry& entry,
                                               const service::Site& site);

// The environment agents get: ours, without what belongs to our own start.
[[nodiscard]] std::map<std::string, std::string> agent_environment();

struct ProgramOutput {
  int exit = 0;      // 128 + signal if one ended it
  std::string text;  // standard output and standard error
};
// Runs it to its end; at the deadline it is killed, and the error says so.
async::Task<Result<ProgramOutput, IoError>> run_program(std::vector<std::string> argv,
                                                        async::Deadline deadline);

// One listener of an agent, as its --print-listeners tells.
struct AgentListener {
  std::string option;
  async::Endpoint endpoint;
  service::SocketAccess access;
};
// The error is the agent's own words about its configuration.
async::Task<Result<std::vector<AgentListener>, std::string>> ask_listeners(
    AgentProgram program, async::Deadline deadline);

}  // namespace posthorn::operate
