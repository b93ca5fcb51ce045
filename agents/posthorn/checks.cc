#include "agents/posthorn/checks.h"

#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agents/posthorn/users_file.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"
#include "libmail/service/ops.h"
#include "libmail/tls/certificate.h"

namespace posthorn::operate {

using async::Deadline;
using async::Task;
using Grade = Finding::Grade;

namespace {

constexpr long days_before_warning = 21;
constexpr mode_t others = S_IRWXO;

// Whether a port or path could be listened on now. What a running agent of ours holds is its own.
Finding check_listener(const std::string& agent, const AgentListener& listener, bool is_running) {
  const std::string what = listener.option + " " + listener.endpoint.text();
  using Kind = async::Endpoint::Kind;
  if (listener.endpoint.kind == Kind::fd || listener.endpoint.kind == Kind::stdio) {
    return {Grade::ok, agent, what + ": passed by who starts it"};
  }
  if (is_running) return {Grade::ok, agent, what + ": the agent runs"};
  if (listener.endpoint.kind == Kind::unix_socket) {
    const std::string& path = listener.endpoint.path;
    const std::string directory = path.substr(0, path.rfind('/'));
    if (::access(directory.c_str(), W_OK | X_OK) == 0) return {Grade::ok, agent, what};
    return {Grade::error, agent,
            what + ": " + io_error("write to", directory).text() + "; make the directory"};
  }
  const auto opened = async::open_listening_socket(listener.endpoint, 0600);
  if (opened) return {Grade::ok, agent, what};
  std::string text = opened.error().text();
  if (opened.error().code == EADDRINUSE)
    text += "; stop the program that has it, or choose another port";
  if (opened.error().code == EACCES)
    text += "; start as root, or let posthorn run or systemd pass the socket";
  return {Grade::error, agent, what + ": " + text};
}

Task<Findings> check_agent(service::AgentEntry entry, service::Site site, Deadline deadline) {
  Findings found;
  const auto program = find_program(entry, site);
  if (!program) {
    found.push_back({Grade::error, entry.name, program.error()});
    co_return std::move(found);
  }
  if (!program->is_ours) {
    found.push_back({Grade::ok, entry.name, "a program of others: " + program->argv.front()});
    co_return std::move(found);
  }
  std::vector<std::string> argv = program->argv;
  argv.emplace_back("--check-config");
  const auto output = co_await run_program(std::move(argv), deadline);
  if (!output) {
    found.push_back({Grade::error, entry.name, output.error().text()});
    co_return std::move(found);
  }
  for (const std::string_view line : split(trim(output->text), '\n')) {
    if (!line.empty())
      found.push_back(
          {output->exit == 0 ? Grade::warning : Grade::error, entry.name, std::string(line)});
  }
  if (output->exit != 0) {
    if (found.empty()) {
      found.push_back(
          {Grade::error, entry.name, "--check-config ends with " + std::to_string(output->exit)});
    }
    co_return std::move(found);
  }
  found.push_back({Grade::ok, entry.name, "configuration"});
  const auto listeners = co_await ask_listeners(*program, deadline);
  if (!listeners) co_return std::move(found);
  const std::string ops = site.path("run/" + entry.name + ".ops");
  const std::string no_body;
  const auto health = co_await service::ask_ops(ops, "GET", "/health", no_body, deadline);
  for (const AgentListener& listener : *listeners) {
    found.push_back(check_listener(entry.name, listener, health.has_value()));
  }
  co_return std::move(found);
}

Finding check_mode(const std::string& subject, const std::string& path, mode_t forbidden,
                   const char* advice) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0)
    return {Grade::error, subject, io_error("look at", path).text()};
  if ((facts.st_mode & forbidden) == 0)
    return {Grade::ok, subject, "there, and not open to others"};
  return {Grade::error, subject, path + " is open to everybody: " + advice + " " + path};
}

}  // namespace

std::string site_value(const service::SiteFile& file, const std::string& key,
                       const std::string& preset) {
  const auto found = file.values.find(key);
  return found == file.values.end() || found->second.texts.empty() ? preset
                                                                   : found->second.texts.front();
}

Task<Findings> check_agents(const service::SiteFile& file, const service::Site& site,
                            Deadline deadline) {
  Findings all;
  for (const service::AgentEntry& entry : file.agents) {
    if (!entry.run) {
      all.push_back({Grade::ok, entry.name, "run = false"});
      continue;
    }
    auto found = co_await check_agent(entry, site, deadline);
    all.insert(all.end(), found.begin(), found.end());
  }
  if (all.empty()) {
    all.push_back({Grade::warning, "posthorn.toml",
                   "it names no agent: write [agents.smtpd] and run = true below it"});
  }
  co_return std::move(all);
}

Findings check_files(const service::SiteFile& file, const service::Site& site) {
  Findings found;
  const std::string queue = site.path(site_value(file, "queue", "queue"));
  const std::string mail = site.path(site_value(file, "mail", "mail"));
  for (const std::string& path : {site.path("conf"), site.path("run"), queue, mail}) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      found.push_back(
          {Grade::warning, path, "it is missing; posthorn run makes run/, queue/ and mail/"});
    } else if (!std::filesystem::is_directory(path, error)) {
      found.push_back({Grade::error, path, "it is no directory"});
    } else {
      found.push_back(check_mode(path, path, S_IWOTH, "chmod o-w"));
    }
  }
  return found;
}

Findings check_certificate(const service::SiteFile& file, const service::Site& site) {
  const std::string cert = site.path(site_value(file, "tls_cert", "tls/cert.pem"));
  const std::string key = site.path(site_value(file, "tls_key", "tls/key.pem"));
  Findings found;
  const auto days = tls::days_left(cert);
  if (!days) {
    found.push_back({Grade::error, cert, days.error()});
  } else if (*days < 0) {
    found.push_back({Grade::error, cert, "it expired " + std::to_string(-*days) + " days ago"});
  } else {
    const std::string text = "it expires in " + std::to_string(*days) + " days";
    found.push_back({*days < days_before_warning ? Grade::warning : Grade::ok, cert, text});
  }
  found.push_back(check_mode(key, key, others, "chmod o-rwx"));
  return found;
}

Findings check_users(const service::SiteFile& file, const service::Site& site) {
  const std::string path = site.path(site_value(file, "users", "conf/users"));
  Findings found;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    found.push_back({Grade::warning, path, "there are no users yet: posthorn user add"});
    return found;
  }
  found.push_back(check_mode(path, path, others, "chmod o-rwx"));
  const auto users = sasl::read_users(path);
  if (!users) {
    found.push_back({Grade::error, path, users.error().text});
    return found;
  }
  for (const sasl::PasswdProblem& problem : users->problems) {
    found.push_back({Grade::error, path + ":" + std::to_string(problem.line), problem.text});
  }
  const auto given = file.values.find("domains");
  const std::vector<std::string> domains =
      given == file.values.end() ? std::vector<std::string>() : given->second.texts;
  for (const sasl::PasswdEntry& entry : users->entries) {
    const auto at = entry.user.rfind('@');
    if (at == std::string::npos) continue;
    const std::string domain = entry.user.substr(at + 1);
    const bool is_ours =
        std::ranges::any_of(domains, [&](const std::string& one) { return iequals(one, domain); });
    if (!is_ours) {
      found.push_back({Grade::warning, path,
                       entry.user + ": " + domain + " is not in `domains`, so no mail comes in"});
    }
  }
  const std::size_t count = users->entries.size();
  found.push_back({Grade::ok, path, std::to_string(count) + (count == 1 ? " user" : " users")});
  return found;
}

Findings check_machine(const service::SiteFile& file, const service::Site& site) {
  Findings found;
  const std::string user = site_value(file, "user", "posthorn");
  if (site.is_system() && ::getpwnam(user.c_str()) == nullptr) {
    found.push_back(
        {Grade::error, "user", "there is no user " + user + ": adduser --system --group " + user});
  }
  const std::string host = site_value(file, "hostname", "");
  if (host.empty()) {
    found.push_back(
        {Grade::warning, "hostname", "it is not set; greetings will show the machine's name"});
    return found;
  }
  addrinfo* addresses = nullptr;
  const int result = ::getaddrinfo(host.c_str(), nullptr, nullptr, &addresses);
  if (addresses != nullptr) ::freeaddrinfo(addresses);
  if (result == 0) {
    found.push_back({Grade::ok, "hostname", host});
  } else {
    found.push_back(
        {Grade::warning, "hostname",
         host + " has no address (" + ::gai_strerror(result) + "): others may refuse our mail"});
  }
  return found;
}

}  // namespace posthorn::operate
