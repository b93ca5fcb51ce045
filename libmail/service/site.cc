#include "libmail/service/site.h"

#include <cstdlib>
#include <filesystem>

namespace posthorn::service {

Site Site::find(const std::string& directory) {
  std::string found = directory;
  if (found.empty()) {
    const char* from_environment = std::getenv("POSTHORN_SITE");
    found = from_environment != nullptr && *from_environment != 0 ? from_environment
                                                                  : std::string(system_site);
  }
  std::error_code
      ignored;  // no current directory: the path stays as it is, and opening it will say so
  std::filesystem::path path = std::filesystem::absolute(found, ignored).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return Site(path.empty() ? found : path.string());
}

std::string Site::path(std::string_view name) const {
  if (name.starts_with('/')) return std::string(name);
  if (!is_system()) return directory_ + "/" + std::string(name);
  const std::string_view first = name.substr(0, name.find('/'));
  if (first == "run") return "/run/posthorn" + std::string(name.substr(first.size()));
  if (first == "log") return "/var/log/posthorn" + std::string(name.substr(first.size()));
  if (first == "queue" || first == "mail" || first == "zones")
    return "/var/lib/posthorn/" + std::string(name);
  return directory_ + "/" + std::string(name);
}

const std::vector<std::string>& site_keys() {
  static const std::vector<std::string> keys = {
      "hostname",
      "domains",
      "local_networks",
      "recipient_delimiter",
      "message_size_limit",
      "postmaster",
      "local_transport",
      "remote_transport",
      "users",
      "aliases",
      "lists",
      "virtual",
      "transports",
      "auth",
      "userdb",
      "queue",
      "mail",
      "tls_cert",
      "tls_key",
      "tls_ca",
      "user",
      "log_level",
      "log_format",
      "drain_time",
      "lockdown",
  };
  return keys;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace posthorn::service
