// Where a site's users are written down.
#pragma once

#include <string>

#include "libmail/sasl/passwd_file.h"
#include "libmail/service/tool.h"

namespace posthorn::operate {

// The key `users` of posthorn.toml, else conf/users. The error is one in that file.
Result<std::string, service::ToolError> users_file(const service::Site& site);
// A user's directory: the entry's, else mail/DOMAIN/LOCAL-PART of the site (mail/LOCAL-PART without a domain).
[[nodiscard]] std::string home_of(const service::Site& site, const sasl::PasswdEntry& entry);

}  // namespace posthorn::operate
