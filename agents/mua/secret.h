// Passwords and tokens, got when they are needed and from where the account says.
#pragma once

#include <string>

#include "agents/mua/accounts.h"
#include "agents/mua/error.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::mua {

struct LogIn {
  std::string user;
  std::string password;
  std::string token;  // OAuth 2; then there is no password
};

// A server without `user` needs none: both empty. On a terminal, if the account names no source, the user is asked.
async::Task<Mail<LogIn>> find_log_in(Server server, std::string account, async::Deadline deadline);

// Asks the person on the terminal, without echo; waits as long as it takes.
[[nodiscard]] Mail<std::string> ask_password(const std::string& user, const std::string& account);

}  // namespace posthorn::mua
