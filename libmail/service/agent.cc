#include "libmail/service/agent.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "libmail/service/daemon.h"
#include "libmail/service/row.h"

namespace posthorn::service {

using async::Deadline;
using async::Task;

std::vector<std::string> Agent::check(const Site&) {
  return {};
}
Result<void, std::string> Agent::before_lockdown(const Site&, std::vector<OpenListeners>&) {
  return {};
}
Result<void, std::string> Agent::reload(Daemon&) {
  return {};
}
Task<void> Agent::drain(Daemon&, Deadline) {
  co_return;
}
Task<int> Agent::run_once(const Site&, Log&) {
  co_return exit_code::software;
}

namespace {

void say(std::string_view agent, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) fmt::print(stderr, "{}: {}\n", agent, line);
}

// The instance name has to be known before the table is made, for the defaults depend on it.
std::string instance_name(std::string_view agent, int argc, char** argv) {
  constexpr std::string_view flag = "--name";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == flag && i + 1 < argc) return argv[i + 1];
    if (word.starts_with("--name=")) return std::string(word.substr(flag.size() + 1));
  }
  return std::string(agent);
}

// One start of one agent.
struct Start {
  Agent& agent;
  std::string instance;
  OptionTable table;
  RunOptions options;
  std::string name = instance;  // the option --name, for --help

  Start(Agent& a, std::string i) : agent(a), instance(std::move(i)) {
    agent.describe(table);
    options.describe(table, instance);
    table
        .add("name", name,
             "what this instance is called: its file conf/NAME.toml, its log lines, run/NAME.ops")
        .flag_only()
        .at_start();
  }

  [[nodiscard]] static bool becomes_user(const Site& site) {
    return site.is_system() && ::geteuid() == 0;
  }

  [[nodiscard]] std::vector<ListenerRequest> requests(const Site& site) const {
    std::vector<ListenerRequest> all;
    for (const auto& option : table.rows()) {
      const Row row{*option};
      if (row.kind() != Option::Kind::listeners || !agent.listens_on(row.name())) continue;
      ListenerRequest& request = all.emplace_back();
      request.name = row.name();
      request.is_preset = row.is_preset();
      if (row.access() != nullptr) request.access = *row.access();
      if (row.name() == "ops") request.access.mode = "0600";
      // Root opens them, but those who may connect are we who run as `user`.
      if (request.access.owner.empty() && becomes_user(site)) request.access.owner = options.user;
      for (const std::string& text : resolved(row, site)) {
        const auto endpoint = async::parse_endpoint(text);
        if (endpoint) request.endpoints.push_back(*endpoint);
      }
    }
    return all;
  }

  // An ops socket that nobody asked for and that has no directory to stand in is done without: an
  // agent runs from flags alone.
  static void drop_homeless_ops(std::vector<ListenerRequest>& requests) {
    for (ListenerRequest& request : requests) {
      if (request.name != "ops" || !request.is_preset || request.endpoints.empty()) continue;
      const std::string& path = request.endpoints.front().path;
      if (::access(path.substr(0, path.rfind('/')).c_str(), W_OK | X_OK) != 0)
        request.endpoints.clear();
    }
  }

  int run_once(const Site& site, Log& log) {
    auto confined = confine_files(agent.confinement(site), options.how());
    if (!confined) {
      say(instance, {confined.error().text()});
      return exit_code::unavailable;
    }
    end(log, async::run(agent.run_once(site, log)));
  }

  int serve(Settings& settings, Log& log) {
    const bool switches = becomes_user(settings.site());
    if (auto known = switches ? check_user(options.user) : Result<void, std::string>(); !known) {
      say(instance, {settings.file() + ": " + known.error()});
      return exit_code::config;
    }
    auto wanted = requests(settings.site());
    drop_homeless_ops(wanted);
    auto open = open_listeners(wanted, take_passed_sockets());
    if (!open) {
      say(instance, {open.error()});
      return exit_code::unavailable;
    }
    if (switches) {
      if (auto switched = switch_user(options.user); !switched) {
        say(instance, {settings.file() + ": " + switched.error()});
        return exit_code::config;
      }
    }
    if (auto ready = agent.before_lockdown(settings.site(), *open); !ready) {
      say(instance, {ready.error()});
      return exit_code::unavailable;
    }
    auto confined = confine_files(agent.confinement(settings.site()), options.how());
    if (!confined) {
      say(instance, {confined.error().text()});
      return exit_code::unavailable;
    }
    RunningDaemon daemon(agent, settings, table, options, log, std::move(*open));
    log.flush_each_turn();
    const int code = async::run(daemon.run(std::move(*confined)));
    end(log, code);
  }

  // A pool thread may still look at a file, and a session that was given up may still hold on to the daemon: the process goes, with
  // nothing destroyed under their feet.
  [[noreturn]] static void end(Log& log, int code) {
    log.flush();
    std::fflush(stdout);
    ::_exit(code);
  }

 private:
  static std::vector<std::string> resolved(const Row& row, const Site& site) {
    std::vector<std::string> texts;
    for (const std::string& text : row.current()) {
      const bool is_unix = text.starts_with("unix:");
      texts.push_back(is_unix ? "unix:" + site.path(std::string_view(text).substr(5)) : text);
    }
    return texts;
  }
};

std::string listener_lines(const std::vector<ListenerRequest>& requests) {
  std::string out;
  for (const ListenerRequest& request : requests) {
    for (const async::Endpoint& endpoint : request.endpoints) {
      const SocketAccess& access = request.access;
      const std::string kind =
          access.datagrams == 0 ? "stream" : fmt::format("udp={}", access.datagrams);
      out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", request.name, endpoint.text(), access.mode,
                         access.owner, access.group, kind);
    }
  }
  return out;
}

}  // namespace

int run_agent(Agent& agent, int argc, char** argv) {
  using Ask = CommandLine::Ask;
  ::umask(027);
  Start start(agent, instance_name(agent.name(), argc, argv));
  const Program program{std::string(agent.name()), std::string(agent.purpose()), "", true};
  auto line = parse_command_line(start.table, program, {argv + 1, argv + argc});
  if (!line) {
    say(agent.name(), {line.error()});
    return exit_code::usage;
  }
  const Ask ask = line->ask;
  if (ask == Ask::help) fmt::print("{}", line->help);
  if (ask == Ask::print_version) fmt::print("posthorn {} {}\n", agent.name(), version);
  if (ask == Ask::help || ask == Ask::print_version) return exit_code::ok;

  Settings settings(start.table, start.instance, std::move(*line));
  if (const auto errors = settings.load(); !errors.empty()) {
    say(start.instance, errors);
    return exit_code::config;
  }
  if (ask == Ask::print_config)
    fmt::print("{}", print_config(start.table, agent.name(), agent.purpose()));
  if (ask == Ask::print_listeners)
    fmt::print("{}", listener_lines(start.requests(settings.site())));
  if (ask == Ask::print_config || ask == Ask::print_listeners) return exit_code::ok;
  if (const auto problems = agent.check(settings.site()); !problems.empty()) {
    say(start.instance, problems);
    return exit_code::config;
  }
  if (ask == Ask::check_config) return exit_code::ok;

  Log log(start.instance, Log::Format::kv, Level::info);
  start.options.apply(log);
  return agent.is_one_shot() ? start.run_once(settings.site(), log) : start.serve(settings, log);
}

}  // namespace posthorn::service
