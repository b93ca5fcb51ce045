#include "agents/nslook/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "agents/nslook/dialogue.h"
#include "agents/nslook/modes.h"
#include "agents/nslook/options.h"
#include "agents/nslook/report.h"
#include "libdns/resolver/root_hints.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/read_file.h"
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

// What the command line said.
struct Work {
  Flags flags;
  OldWords old;
  std::vector<std::string> words;
  service::Site site = service::Site::find("");
  bool has_site = false;
  Settings settings;
  ModeOptions modes;
};

// The servers when none is named: dnsd of the site, if one is meant; else those of the machine.
void add_default_servers(Work& work) {
  const ResolvConf conf = parse_resolv_conf(read_file("/etc/resolv.conf").value_or(""));
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
  NetworkZoneSource zones;
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

async::Task<Outcome> run_mode(Tools& tools, ModeOptions options, Settings settings,
                              std::string mode, std::string name) {
  if (mode == "trace") {
    co_return co_await run_trace(tools.asker, std::move(settings), std::move(options),
                                 std::move(name));
  }
  if (mode == "dnssec") {
    co_return co_await run_chain(tools.asker, std::move(settings), std::move(options),
                                 std::move(name));
  }
  co_return co_await run_mail(tools.asker, std::move(settings), std::move(options),
                              std::move(name));
}

// The mode that the flags ask for, "" for look-ups.
std::string mode_of(const Flags& flags) {
  if (!flags.mail.empty()) return "mail";
  if (flags.trace) return "trace";
  return flags.dnssec ? "dnssec" : "";
}

async::Task<Result<int, ToolError>> run_modes(Tools& tools, const Work& work) {
  const std::string mode = mode_of(work.flags);
  const std::string name = mode == "mail" ? work.flags.mail : work.words[0];
  const Outcome outcome = co_await run_mode(tools, work.modes, work.settings, mode, name);
  if (!outcome.fault.empty()) co_return fail(usage(outcome.fault));
  if (work.flags.json) fmt::print("{}\n", dump(outcome.json));
  if (!work.flags.json) fmt::print("{}", outcome.text);
  co_return outcome.exit;
}

async::Task<std::string> run_extra(Tools& tools, const Work& work, Settings settings,
                                   std::string command, std::string argument) {
  const Outcome outcome = co_await run_mode(tools, work.modes, std::move(settings),
                                            std::move(command), std::move(argument));
  co_return outcome.text;
}

async::Task<Result<int, ToolError>> converse(Tools& tools, const Work& work) {
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  const Output output = [](std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  };
  const Extra extra = [&tools, &work](const Settings& settings, std::string command,
                                      std::string argument) {
    return run_extra(tools, work, settings, std::move(command), std::move(argument));
  };
  Dialogue dialogue(tools.asker, tools.zones, work.settings, output, extra);
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
  if (!mode_of(work.flags).empty()) co_return co_await run_modes(tools, work);
  const bool talks = work.old.interactive || work.flags.interactive || work.words.empty();
  if (talks) co_return co_await converse(tools, work);
  co_return co_await look_up_all(tools, work);
}

async::Task<Result<int, ToolError>> work_and_close(Tools& tools, Work& work) {
  auto result = co_await work_on(tools, work);
  co_await tools.exchange.close();
  co_return result;
}

// Roots, anchors and what --mail looks at.
Result<void, ToolError> complete_modes(Work& work) {
  const Flags& flags = work.flags;
  const std::string mode = mode_of(flags);
  const std::size_t modes =
      (flags.trace ? 1 : 0) + (flags.dnssec ? 1 : 0) + (flags.mail.empty() ? 0 : 1);
  if (modes > 1) return fail(usage("only one of --trace, --dnssec and --mail"));
  if (modes == 1 && work.words.size() != (mode == "mail" ? 0 : 1)) {
    return fail(usage("--" + mode + " takes one name"));
  }
  work.modes.authority_port = flags.authority_port;
  work.modes.selectors = flags.selectors;
  work.modes.block_lists = flags.block_lists;
  work.modes.addresses = flags.addresses;
  work.modes.https_port = flags.https_port;
  work.modes.web_authorities = flags.web_authorities;
  for (const std::string& address : flags.addresses) {
    if (!is_address(address)) return fail(usage("--address: " + printable(address) + " is none"));
  }
  work.modes.anchors = dns::TrustAnchors::built_in();
  if (!flags.trust_anchor.empty()) {
    const auto text = read_file(flags.trust_anchor);
    if (!text) return fail(ToolError(exit_code::data, "bad-anchor", text.error().text()));
    auto anchors = dns::TrustAnchors::parse(*text);
    if (!anchors || anchors->empty()) {
      const std::string why = anchors ? "no DS or DNSKEY in it" : anchors.error();
      return fail(ToolError(exit_code::data, "bad-anchor", flags.trust_anchor + ": " + why));
    }
    work.modes.anchors = std::move(*anchors);
  }
  if (!flags.root.empty()) {
    auto place = parse_place(flags.root, flags.authority_port);
    if (!place) return fail(usage("--root: " + place.error()));
    if (!place->has_address()) return fail(usage("--root takes an address"));
    work.settings.roots = {std::move(*place)};
  }
  if (work.settings.roots.empty()) {
    for (const dns::RootHint& hint : dns::built_in_root_hints()) {
      for (const std::string& address : hint.addresses) {
        if (address.find(':') != std::string::npos) continue;
        work.settings.roots.emplace_back(hint.host.text(),
                                         async::Endpoint::inet(address, dns_port));
      }
    }
  }
  return {};
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
  return complete_modes(work);
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
