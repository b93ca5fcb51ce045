#include "agents/posthorn/site_setup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agents/posthorn/programs.h"
#include "agents/posthorn/site_zone.h"
#include "libmail/base/fd.h"
#include "libmail/queue/files.h"
#include "libmail/queue/recycle.h"
#include "libmail/sasl/passwd_edit.h"
#include "libmail/smtp/address.h"
#include "libmail/tls/certificate.h"

namespace posthorn::operate {

using service::Site;
using service::ToolError;
namespace exit_code = service::exit_code;

namespace {

constexpr std::string_view marker =
    "# Written by posthorn sandbox. Without this line the file is yours and stays.\n";
constexpr std::string_view zone_marker =
    "; Written by posthorn sandbox. Without this line the file is yours and stays.\n";
constexpr std::string_view tables[] = {"aliases", "lists", "virtual", "transports", "routes"};

ToolError io_failure(const IoError& error) {
  return {error.code == EACCES || error.code == EPERM ? exit_code::refused : exit_code::unavailable,
          "io", error.text()};
}

Result<void, ToolError> make_directory(const std::string& path, mode_t mode) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  std::filesystem::create_directories(path, error);
  if (error) return fail(io_failure(IoError(error.value(), "make the directory", path)));
  if (::chmod(path.c_str(), mode) != 0) return fail(io_failure(io_error("set the mode of", path)));
  return {};
}

Result<void, ToolError> give(const std::string& path, const passwd& owner) {
  if (::chown(path.c_str(), owner.pw_uid, owner.pw_gid) == 0) return {};
  return fail(io_failure(io_error("change the owner of", path)));
}

// In one step, so that nobody reads half of it.
Result<void, ToolError> write_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string fresh = path + ".new";
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file) return fail(io_failure(io_error("write", fresh)));
  if (!write_all(file.get(), text)) return fail(io_failure(io_error("write", fresh)));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(io_failure(io_error("write", path)));
  return {};
}

bool is_ours_to_write(const std::string& path, std::string_view mark) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return true;
  std::string first;
  std::getline(in, first);
  return first + "\n" == mark;
}

Result<void, ToolError> write_unless_kept(const std::string& path, const std::string& text,
                                          std::string_view mark = marker) {
  if (!is_ours_to_write(path, mark)) return {};
  return write_file(path, std::string(mark) + text, 0640);
}

std::string site_file(const NewSite& wanted) {
  std::string domains;
  for (const std::string& domain : wanted.domains)
    domains += (domains.empty() ? "" : ", ") + ("\"" + domain + "\"");
  std::string text =
      fmt::format("\nhostname = \"mail.{}\"\ndomains = [{}]\n", wanted.domains.front(), domains);
  if (!wanted.users.empty())
    text += fmt::format("postmaster = \"{}\"\n", wanted.users.front().address);
  for (const std::string& name : known_agents()) {
    service::AgentEntry entry;
    entry.name = name;
    const bool exists = find_program(entry, Site::find("/")).has_value();
    text += fmt::format("\n[agents.{}]\nrun = {}\n", name, exists ? "true" : "false");
  }
  return text;
}

Result<void, ToolError> write_certificates(const Site& site, const NewSite& wanted) {
  const std::string cert = site.path("tls/cert.pem");
  if (std::filesystem::exists(cert)) return {};
  const auto ca = tls::make_ca("Posthorn sandbox of " + wanted.domains.front());
  if (!ca) return fail(ToolError(exit_code::software, "certificate", ca.error()));
  std::vector<std::string> names = {"mail." + wanted.domains.front(), "localhost", wanted.address};
  names.insert(names.end(), wanted.domains.begin(), wanted.domains.end());
  const auto issued = tls::issue(*ca, names);
  if (!issued) return fail(ToolError(exit_code::software, "certificate", issued.error()));
  // The certificate comes last: where it is, the others are.
  const struct {
    const char* name;
    const std::string& text;
    mode_t mode;
  } files[] = {{"tls/ca-key.pem", ca->key_pem, 0600},
               {"tls/ca.pem", ca->certificate_pem, 0644},
               {"tls/key.pem", issued->key_pem, 0640},
               {"tls/cert.pem", issued->certificate_pem, 0644}};
  for (const auto& file : files) {
    if (auto done = write_file(site.path(file.name), file.text, file.mode); !done) return done;
  }
  return {};
}

// A zone for each domain, and relayd shall find its way by them.
Result<void, ToolError> write_zones(const Site& site, const NewSite& wanted) {
  for (const std::string& domain : wanted.domains) {
    const std::string path = site.path("zones/" + smtp::canonical_domain(domain) + ".zone");
    auto done = write_unless_kept(path, site_zone(wanted, domain), zone_marker);
    if (!done) return done;
  }
  return write_unless_kept(site.path("conf/relayd.toml"),
                           "\ndns_server = [\"unix:run/dns.sock\"]\n");
}

Result<void, ToolError> write_users(const Site& site, const std::vector<NewSite::User>& users) {
  const std::string file = site.path("conf/users");
  for (const NewSite::User& user : users) {
    sasl::PasswdEntry entry;
    entry.user = user.address;
    auto done = sasl::add_user(file, entry, user.password);
    if (!done && done.error().kind == sasl::PasswdError::Kind::user_exists) {
      done = sasl::change_password(file, user.address, user.password);
    }
    if (!done) return fail(ToolError(exit_code::data, "user", done.error().text));
  }
  return {};
}

}  // namespace

Result<void, ToolError> make_directories(const Site& site, const std::string& user) {
  const bool is_machines = site.is_system() && ::geteuid() == 0;
  const passwd* owner = is_machines ? ::getpwnam(user.c_str()) : nullptr;
  for (const char* name : {"run", "log", "queue", "mail", "zones"}) {
    const std::string path = site.path(name);
    const bool is_new = !std::filesystem::exists(path);
    if (auto done = make_directory(path, name == std::string_view("run") ? 0755 : 0750); !done) {
      return done;
    }
    // /run is empty after each boot, and systemd may have made our part of it for its sockets.
    if (owner != nullptr && (is_new || name == std::string_view("run"))) {
      if (auto given = give(path, *owner); !given) return given;
    }
  }
  // Agents are confined to directories that exist when they start, so queued can't make these for them.
  queue::RealFiles files;
  const queue::Layout layout(site.path("queue"));
  const bool is_new = !std::filesystem::exists(layout.segments());
  if (auto made = queue::make_directories(files, layout, is_machines ? 03733 : 0700); !made) {
    return fail(io_failure(made.error()));
  }
  if (!is_new || owner == nullptr) return {};
  for (const std::string& path :
       {layout.segments(), layout.free(), layout.spool(), layout.drop()}) {
    if (auto given = give(path, *owner); !given) return given;
  }
  return {};
}

Result<void, ToolError> make_site(const Site& site, const NewSite& wanted) {
  for (const char* name : {"conf", "tls"}) {
    if (auto done = make_directory(site.path(name), 0750); !done) return done;
  }
  if (auto done = make_directories(site, {}); !done) return done;
  if (auto done = write_unless_kept(site.path("conf/posthorn.toml"), site_file(wanted)); !done)
    return done;
  std::string routes;
  for (const std::string& route : wanted.routes) routes += route + "\n";
  if (auto done = write_unless_kept(site.path("conf/routes"), routes); !done) return done;
  for (const std::string_view table : tables) {
    const std::string path = site.path("conf/" + std::string(table));
    if (std::filesystem::exists(path)) continue;
    if (auto done = write_file(path, marker, 0640); !done) return done;
  }
  if (auto done = write_zones(site, wanted); !done) return done;
  if (auto done = write_certificates(site, wanted); !done) return done;
  return write_users(site, wanted.users);
}

}  // namespace posthorn::operate
