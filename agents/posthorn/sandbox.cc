// posthorn sandbox: a whole site in one directory, in about a second.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/site_setup.h"
#include "agents/posthorn/supervised_run.h"
#include "agents/posthorn/users_file.h"
#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::operate {

namespace exit_code = service::exit_code;
using nlohmann::ordered_json;

namespace {

constexpr std::uint16_t greatest_base = 65535 - 4190;

// Ports and sockets of the JSON object, by the well-known port and by the path in the site.
constexpr std::pair<const char*, std::uint16_t> ports[] = {
    {"smtp", 25},  {"submission", 587}, {"submissions", 465}, {"pop3", 110}, {"pop3s", 995},
    {"imap", 143}, {"imaps", 993},      {"sieve", 4190},      {"dns", 53},   {"http", 80}};
constexpr std::pair<const char*, const char*> sockets[] = {
    {"smtp", "run/smtp.sock"}, {"submission", "run/submission.sock"},
    {"lmtp", "run/lmtp.sock"}, {"relay", "run/relay.sock"},
    {"auth", "run/auth.sock"}, {"userdb", "run/userdb.sock"},
    {"dns", "run/dns.sock"}};

ToolError usage(std::string message, std::string hint = {}) {
  return {exit_code::usage, "usage", std::move(message), std::move(hint)};
}

// "zones/beta.test.zone" -> "beta.test=/x/zones/beta.test.zone", as dnsd takes it.
Result<std::string, ToolError> zone_flag(const std::string& file) {
  constexpr std::string_view suffix = ".zone";
  const std::filesystem::path path(file);
  const std::string name = path.filename().string();
  if (!name.ends_with(suffix) || name == suffix) {
    return fail(usage("--zone expects a file DOMAIN.zone, not \"" + printable(file) + "\""));
  }
  std::error_code error;
  return name.substr(0, name.size() - suffix.size()) + "=" +
         std::filesystem::absolute(path, error).string();
}

// "beta.test=127.0.0.2:2525", "beta.test=unix:/x/smtp.sock" -> a line of conf/routes.
Result<std::string, ToolError> route_line(const std::string& text) {
  const auto equals = text.find('=');
  const std::string target = equals == std::string::npos ? "" : text.substr(equals + 1);
  const std::string expected =
      "--route expects DOMAIN=HOST:PORT or DOMAIN=unix:PATH, not \"" + printable(text) + "\"";
  if (target.empty() || equals == 0) return fail(usage(expected));
  const std::string domain = text.substr(0, equals);
  if (target.starts_with("unix:")) return domain + " " + target;
  const auto endpoint = async::parse_endpoint("inet:" + target);
  if (!endpoint) return fail(usage(expected, endpoint.error()));
  return fmt::format("{} [{}]:{}", domain, endpoint->host, endpoint->port);
}

class Sandbox final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "sandbox"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "start a whole site in one directory, for trying and for tests";
  }
  void describe(service::OptionTable& table) override {
    table.group("Sandbox");
    table.add("dir", dir_, "the directory of the site; it is made if it is missing").unit("dir");
    table.add("port-base", port_base_, "added to each well-known port; 0: the kernel chooses")
        .unit("number")
        .between(0, greatest_base);
    table.add("address", address_, "the address that everything listens on");
    table.add("domain", domains_, "a domain of the site; one flag for each").unit("domain");
    table.add("user", users_, "a user and the password; one flag for each")
        .unit("address:password");
    table.add("route", routes_, "where mail for a domain goes: HOST:PORT or unix:PATH")
        .unit("domain=target");
    table.add("forward", forwards_, "the name server that is asked about a domain (dnsd)")
        .unit("domain=host:port");
    table.add("start-time", start_time_, "a start that takes longer has failed");
    table.add("zone", zones_, "a zone file to serve (dnsd)").unit("file");
  }
  Result<int, ToolError> run(const ToolCall& call) override;

 private:
  [[nodiscard]] Result<NewSite, ToolError> wanted();
  void add_flags(AgentProgram& program) const;
  [[nodiscard]] async::Endpoint place(const async::Endpoint& asked) const;
  void print_facts(const service::Site& site, const NewSite& made,
                   const Supervisor& supervisor) const;

  std::string dir_;
  std::uint16_t port_base_ = 0;
  std::string address_ = "127.0.0.1";
  std::vector<std::string> domains_;
  std::vector<std::string> users_;
  std::vector<std::string> routes_;
  std::vector<std::string> forwards_;
  std::vector<std::string> zones_;
  std::vector<std::string> zone_flags_;
  Duration start_time_ = std::chrono::seconds(9);  // with the grace for those that started: 10 s
};

Result<NewSite, ToolError> Sandbox::wanted() {
  if (dir_.empty())
    return fail(usage("--dir is missing", "posthorn sandbox --dir DIR --port-base 20000"));
  NewSite site;
  site.address = address_;
  site.port_base = port_base_;
  if (domains_.empty()) domains_ = {"sandbox.test"};
  site.domains = domains_;
  for (const std::string& domain : site.domains) {
    if (!smtp::is_domain(domain, smtp::Utf8::allowed)) {
      return fail(usage("--domain expects a domain such as sandbox.test, not \"" +
                        printable(domain) + "\""));
    }
  }
  for (const std::string& user : users_) {
    const auto colon = user.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == user.size()) {
      return fail(usage("--user expects ADDRESS:PASSWORD, not \"" + printable(user) + "\""));
    }
    const std::string address = user.substr(0, colon);
    const auto at = address.rfind('@');
    const std::string domain = at == std::string::npos ? "" : address.substr(at + 1);
    if (std::ranges::find(site.domains, domain) == site.domains.end()) {
      return fail(usage("--user " + printable(address) + " is of no domain of this site",
                        domain.empty() ? "write USER@" + site.domains.front() + ":PASSWORD"
                                       : "add --domain " + printable(domain)));
    }
    site.users.push_back({address, user.substr(colon + 1)});
  }
  for (const std::string& file : zones_) {
    auto flag = zone_flag(file);
    if (!flag) return fail(flag.error());
    zone_flags_.push_back(std::move(*flag));
  }
  for (const std::string& route : routes_) {
    auto line = route_line(route);
    if (!line) return fail(line.error());
    site.routes.push_back(std::move(*line));
  }
  return site;
}

// What can't stand in a file, because it depends on how the sandbox was called, or because agents
// do without it where there is no certificate.
void Sandbox::add_flags(AgentProgram& program) const {
  if (!program.is_ours) return;
  auto& argv = program.argv;
  if (program.name == "dnsd") {
    for (const std::string& zone : zone_flags_) argv.insert(argv.end(), {"--zone", zone});
    for (const std::string& domain : domains_)
      argv.insert(argv.end(), {"--sign", smtp::canonical_domain(domain)});
    // Whoever is asked instead of the root has no chain of trust from there.
    for (const std::string& forward : forwards_) {
      argv.insert(argv.end(), {"--forward", forward, "--negative-trust-anchor",
                               forward.substr(0, forward.find('='))});
    }
  }
  if (program.name == "submissiond") argv.insert(argv.end(), {"--listen-tls", "inet:*:465"});
  if (program.name == "relayd" && port_base_ != 0) {
    argv.insert(argv.end(), {"--mx-port", std::to_string(port_base_ + 25)});
  }
}

// An endpoint on all addresses is moved to ours; one that names an address was meant.
async::Endpoint Sandbox::place(const async::Endpoint& asked) const {
  const bool is_any =
      asked.kind == async::Endpoint::Kind::inet && (asked.host.empty() || asked.host == "*");
  if (!is_any) return asked;
  return async::Endpoint::inet(
      address_, port_base_ == 0 ? 0 : static_cast<std::uint16_t>(port_base_ + asked.port));
}

void Sandbox::print_facts(const service::Site& site, const NewSite& made,
                          const Supervisor& supervisor) const {
  ordered_json facts = {{"version", 1}, {"dir", site.directory()}, {"address", address_}};
  for (const auto& [name, port] : ports) facts["ports"][name] = nullptr;
  for (const auto& [name, path] : sockets) facts["sockets"][name] = nullptr;
  facts["pids"] = ordered_json::object();
  for (const auto& agent : supervisor.agents()) {
    facts["pids"][agent->name()] = agent->pid();
    for (const HeldSocket& socket : agent->sockets()) {
      using Kind = async::Endpoint::Kind;
      for (const auto& [name, port] : ports) {
        if (socket.asked.kind == Kind::inet && socket.asked.port == port)
          facts["ports"][name] = socket.bound.port;
      }
      for (const auto& [name, path] : sockets) {
        if (socket.asked.kind == Kind::unix_socket && socket.asked.path == site.path(path)) {
          facts["sockets"][name] = socket.asked.path;
        }
      }
    }
  }
  facts["users"] = ordered_json::array();
  for (const NewSite::User& user : made.users) {
    sasl::PasswdEntry entry;
    entry.user = user.address;
    facts["users"].push_back({{"address", user.address},
                              {"password", user.password},
                              {"maildir", home_of(site, entry) + "/Maildir"}});
  }
  facts["ca"] = site.path("tls/ca.pem");
  fmt::print("{}\n", facts.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  std::fflush(stdout);
}

Result<int, ToolError> Sandbox::run(const ToolCall&) {
  const auto made = wanted();
  if (!made) return fail(made.error());
  const service::Site site = service::Site::find(dir_);
  if (auto done = make_site(site, *made); !done) return fail(done.error());
  const auto file = service::read_site_file(site);
  if (!file) return fail(ToolError(exit_code::config, "configuration", file.error().front()));
  auto programs = programs_of(*file, site);
  if (!programs) return fail(programs.error());
  for (AgentProgram& program : *programs) add_flags(program);
  RunPlan plan;
  plan.programs = std::move(*programs);
  plan.options.place = [this](const async::Endpoint& asked) { return place(asked); };
  plan.start_time = start_time_;
  plan.must_start = true;
  plan.on_ready = [&](const Supervisor& supervisor) { print_facts(site, *made, supervisor); };
  return run_supervised(site, std::move(plan));
}

}  // namespace

std::unique_ptr<Tool> make_sandbox() {
  return std::make_unique<Sandbox>();
}

}  // namespace posthorn::operate
