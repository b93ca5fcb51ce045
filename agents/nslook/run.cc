#include "agents/nslook/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include "agents/nslook/dialogue.h"
#include "agents/nslook/options.h"
#include "agents/nslook/report.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "libmail/service/agent.h"
#include "libmail/service/settings.h"

namespace posthorn::nslook {

namespace exit_code = service::exit_code;
using service::ToolError;

namespace {

constexpr std::string_view program = "nslook";

int report(const ToolError& error, bool json) {
  if (json) {
    fmt::print(stderr, "{}",
               service::OpsReply::error(0, error.code, error.message, error.hint).body);
  } else {
    fmt::print(stderr, "{}: {}\n", program, error.message);
    if (!error.hint.empty()) fmt::print(stderr, "{}: {}\n", program, error.hint);
  }
  return error.exit;
}

ToolError usage(std::string message) {
  return {exit_code::usage, "usage", std::move(message), "nslook --help lists the options"};
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What the command line said.
struct Work {
  Flags flags;
  OldWords old;
  std::vector<std::string> words;
  service::Site site = service::Site::find("");
  bool has_site = false;
  Settings settings;
};

// The servers when none is named: dnsd of the site, if one is meant; else those of the machine.
void add_default_servers(Work& work) {
  const ResolvConf conf = parse_resolv_conf(read_file("/etc/resolv.conf"));
  Settings& settings = work.settings;
  if (settings.search.empty()) settings.search = conf.search;
  settings.ndots = conf.ndots;
  if (!settings.servers.empty()) return;
  const std::string socket = work.site.path("run/dns.sock");
  if (work.has_site || ::access(socket.c_str(), F_OK) == 0) {
    settings.servers.emplace_back("unix:" + socket, async::Endpoint::unix_path(socket));
    return;
  }
  settings.servers = conf.servers;
  for (Place& place : settings.servers) place.at.port = settings.port;
  if (settings.servers.empty()) {
    settings.servers.emplace_back("127.0.0.1", async::Endpoint::inet("127.0.0.1", settings.port));
  }
}

// Everything that asks, in one place; closed before the loop ends.
struct Tools {
  dns::NetworkExchange exchange;
  Asker asker{exchange, wall_seconds};
  StreamZoneSource zones{async::connect, wall_seconds};
};

async::Task<Result<void, ToolError>> find_servers(Tools& tools, Work& work) {
  std::string given = work.flags.server.empty() ? work.old.server : work.flags.server;
  add_default_servers(work);
  if (given.empty()) co_return Result<void, ToolError>();
  const auto place = parse_place(given, work.settings.port);
  if (!place) co_return fail(usage("--server: " + place.error()));
  auto places = co_await find_place(tools.asker, work.settings, *place);
  if (!places) co_return fail(ToolError(exit_code::unavailable, "no-server", places.error()));
  work.settings.servers = std::move(*places);
  co_return Result<void, ToolError>();
}

async::Task<Result<int, ToolError>> look_up_all(Tools& tools, const Work& work) {
  Json results = Json::array();
  bool all_found = true;
  bool all_answered = true;
  for (const std::string& word : work.words) {
    const LookUp found = co_await look_up(tools.asker, work.settings, word);
    if (!found.fault.empty()) co_return fail(usage(found.fault));
    all_found = all_found && found.is_found();
    all_answered = all_answered && found.is_answered();
    if (work.flags.json) results.push_back(to_json(found));
    if (!work.flags.json) fmt::print("{}", show(found, work.settings));
  }
  if (work.flags.json) fmt::print("{}\n", dump(Json({{"version", 1}, {"results", results}})));
  if (!all_answered) co_return exit_code::unavailable;
  co_return all_found ? exit_code::ok : exit_code::failed;
}

std::optional<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

async::Task<std::string> run_extra(const Settings&, std::string, std::string) {
  co_return std::string();
}

async::Task<Result<int, ToolError>> converse(Tools& tools, const Work& work) {
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  const Output output = [](std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  };
  Dialogue dialogue(tools.asker, tools.zones, work.settings, output, run_extra);
  for (bool going = true; going;) {
    if (is_terminal) output("> ");
    auto line = co_await async::blocking(read_line);
    if (!line) break;
    going = co_await dialogue.take(std::move(*line));
  }
  co_return dialogue.exit_code();
}

async::Task<Result<int, ToolError>> work_on(Tools& tools, Work& work) {
  auto ready = co_await find_servers(tools, work);
  if (!ready) co_return fail(ready.error());
  const bool talks = work.old.interactive || work.flags.interactive || work.words.empty();
  if (talks) co_return co_await converse(tools, work);
  co_return co_await look_up_all(tools, work);
}

async::Task<Result<int, ToolError>> work_and_close(Tools& tools, Work& work) {
  auto result = co_await work_on(tools, work);
  co_await tools.exchange.close();
  co_return result;
}

Result<void, ToolError> complete(Work& work) {
  // nslookup's "- SERVER".
  if (work.old.interactive && work.words.size() == 1) {
    work.old.server = work.words[0];
    work.words.clear();
  }
  auto settings = make_settings(work.flags, work.old.sets);
  if (!settings) return fail(usage(settings.error()));
  work.settings = std::move(*settings);
  return {};
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  Work work;
  work.old = take_old_words(arguments);
  service::OptionTable table;
  work.flags.describe(table);
  const bool json = std::ranges::find(arguments, "--json") != arguments.end();
  const service::Program shown{std::string(program), "asks DNS, and says what the answers mean",
                               "[NAME|ADDRESS...]", false};
  auto line = service::parse_command_line(table, shown, work.old.rest);
  if (!line) return report(usage(line.error()), json);
  using Ask = service::CommandLine::Ask;
  if (line->ask == Ask::help) fmt::print("{}", line->help);
  if (line->ask == Ask::print_version) fmt::print("posthorn {}\n", service::version);
  if (line->ask != Ask::run) return exit_code::ok;
  work.words = line->words;
  work.has_site = !line->site.empty() || std::getenv("POSTHORN_SITE") != nullptr;
  work.site = service::Site::find(line->site);
  service::Settings settings(table, std::string(program), std::move(*line));
  const auto errors = settings.load_flags();
  if (!errors.empty()) return report(usage(errors.front()), json);
  if (auto done = complete(work); !done) return report(done.error(), json);
  Tools tools;
  const auto result = async::run(work_and_close(tools, work));
  return result ? *result : report(result.error(), json);
}

}  // namespace posthorn::nslook
