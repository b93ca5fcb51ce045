#include "agents/posthorn/supervised_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "libmail/async/loop.h"
#include "libmail/async/signals.h"
#include "libmail/service/daemon.h"

namespace posthorn::operate {

using async::Deadline;
using async::Task;
using service::ToolError;
namespace exit_code = service::exit_code;

namespace {

constexpr auto failed_start_grace = std::chrono::milliseconds(500);

// What happens while the loop runs. Everything it refers to outlives the loop's run.
struct SupervisedRun {
  RunPlan& plan;
  Supervisor& supervisor;
  service::Log& log;
  async::Event ended;
  std::string failure;

  Task<void> run() {
    const async::SignalWatch on_term(SIGTERM, [this] { ended.set(); });
    const async::SignalWatch on_int(SIGINT, [this] { ended.set(); });
    const async::SignalWatch on_hup(SIGHUP, [this] { supervisor.signal_all(SIGHUP); });
    const Deadline deadline = Deadline::in(plan.start_time);
    const auto started = co_await supervisor.start(std::move(plan.programs), deadline);
    if (!started) {
      failure = started.error();
      co_await supervisor.stop(failed_start_grace);
      co_return;
    }
    const auto ready = co_await supervisor.wait_until_ready(deadline);
    if (!ready) log.error("", "not-ready", {{"why", ready.error()}});
    if (!ready && plan.must_start) {
      failure = ready.error();
      co_await supervisor.stop(failed_start_grace);
      co_return;
    }
    if (ready) log.info("", "ready", {{"agents", supervisor.agents().size()}});
    log.flush();
    if (plan.on_ready) plan.on_ready(supervisor);
    service::notify_supervisor("READY=1");
    co_await ended.wait();
    service::notify_supervisor("STOPPING=1");
    log.info("", "stopping");
    co_await supervisor.stop();
    log.info("", "stopped");
  }
};

}  // namespace

Result<std::vector<AgentProgram>, ToolError> programs_of(const service::SiteFile& file,
                                                         const service::Site& site) {
  std::vector<AgentProgram> programs;
  for (const service::AgentEntry& entry : file.agents) {
    if (!entry.run) continue;
    auto program = find_program(entry, site);
    if (!program) return fail(ToolError(exit_code::config, "no-program", program.error()));
    programs.push_back(std::move(*program));
  }
  if (programs.empty()) {
    const std::string path = site.path("conf/posthorn.toml");
    const bool is_there = ::access(path.c_str(), F_OK) == 0;
    return fail(ToolError(exit_code::config, "nothing-to-run",
                          path + (is_there ? " names no agent to run" : ": no such file"),
                          is_there ? "write [agents.smtpd] and run = true below it"
                                   : "name the site by --site DIR, or write the file: site(5)"));
  }
  return programs;
}

Result<int, ToolError> run_supervised(const service::Site& site, RunPlan plan) {
  Fd log_file;
  if (plan.options.log_to_files) {
    const std::string path = site.path("log/posthorn.log");
    log_file.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!log_file)
      return fail(ToolError(exit_code::unavailable, "io", io_error("open", path).text()));
  }
  service::Log log("posthorn", service::Log::Format::kv, service::Level::info,
                   log_file ? log_file.get() : STDERR_FILENO);
  log.flush_each_turn();
  Supervisor supervisor(site, plan.options, log);
  SupervisedRun run{plan, supervisor, log, {}, {}};
  async::run(run.run());
  if (run.failure.empty()) return exit_code::ok;
  return fail(ToolError(exit_code::unavailable, "start-failed", run.failure,
                        "posthorn check looks at the whole site"));
}

}  // namespace posthorn::operate
