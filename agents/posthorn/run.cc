// posthorn run: the supervisor of a site.
#include <csignal>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/site_setup.h"
#include "agents/posthorn/supervised_run.h"

namespace posthorn::operate {

namespace {

class Run final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "run"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "start the site's agents and keep them running";
  }
  void describe(service::OptionTable& table) override {
    table.group("Supervisor");
    table.add("log-to", log_to_, "where agents' lines go: DIR/log/AGENT.log, or our standard error")
        .one_of({"files", "stderr"});
    table.add("start-time", start_time_,
              "an agent that isn't ready in this time is reported; it is not given up");
  }

  Result<int, ToolError> run(const ToolCall& call) override {
    const auto file = service::read_site_file(call.site);
    if (!file)
      return fail(ToolError(service::exit_code::config, "configuration", file.error().front()));
    auto programs = programs_of(*file, call.site);
    if (!programs) return fail(programs.error());
    const auto user = file->values.find("user");
    const std::string owner = user != file->values.end() ? user->second.texts.front() : "posthorn";
    if (auto made = make_directories(call.site, owner); !made) return fail(made.error());
    RunPlan plan;
    plan.programs = std::move(*programs);
    plan.options.log_to_files = log_to_ == "files";
    plan.start_time = start_time_;
    return run_supervised(call.site, std::move(plan));
  }

 private:
  std::string log_to_ = "files";
  Duration start_time_ = std::chrono::seconds(30);
};

}  // namespace

std::unique_ptr<Tool> make_run() {
  return std::make_unique<Run>();
}

}  // namespace posthorn::operate
