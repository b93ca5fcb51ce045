#include "agents/posthorn/users_file.h"

#include "libmail/base/text.h"
#include "libmail/service/settings.h"

namespace posthorn::operate {

Result<std::string, service::ToolError> users_file(const service::Site& site) {
  const auto file = service::read_site_file(site);
  if (!file) {
    return fail(service::ToolError(service::exit_code::config, "configuration",
                                   file.error().front(), "posthorn check looks at all of it"));
  }
  const auto users = file->values.find("users");
  if (users == file->values.end() || users->second.texts.empty()) return site.path("conf/users");
  return site.path(users->second.texts.front());
}

std::string home_of(const service::Site& site, const sasl::PasswdEntry& entry) {
  if (!entry.home.empty()) return site.path(entry.home);
  const std::string user = lower(entry.user);
  const auto at = user.rfind('@');
  if (at == std::string::npos) return site.path("mail/" + user);
  return site.path("mail/" + user.substr(at + 1) + "/" + user.substr(0, at));
}

}  // namespace posthorn::operate
