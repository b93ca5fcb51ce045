// A supervisor from its start to SIGTERM: what `run` and `sandbox` share.
#pragma once

#include <functional>
#include <vector>

#include "agents/posthorn/supervisor.h"
#include "libmail/service/tool.h"

namespace posthorn::operate {

// The programs of all entries with run = true, in the order of the file. An error if there is none, or one is missing.
Result<std::vector<AgentProgram>, service::ToolError> programs_of(const service::SiteFile& file,
                                                                  const service::Site& site);

struct RunPlan {
  std::vector<AgentProgram> programs;
  SupervisorOptions options;
  Duration start_time = std::chrono::seconds(30);
  // A start that fails ends it all; otherwise the agents that failed are tried again and again.
  bool must_start = false;
  // Called when all are ready.
  std::function<void(const Supervisor&)> on_ready;
  RunPlan() = default;
};

// Until SIGTERM or SIGINT; SIGHUP is passed on. The exit code.
Result<int, service::ToolError> run_supervised(const service::Site& site, RunPlan plan);

}  // namespace posthorn::operate
