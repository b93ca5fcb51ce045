// What a connection needs besides an address: passwords and tokens, got when they are needed and from where the account
// says, and the rules for certificates.
#pragma once

#include <memory>
#include <string>

#include "agents/mua/accounts.h"
#include "agents/mua/error.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/tls/tls.h"

namespace posthorn::mua {

// A server without `user` needs none: both empty. On a terminal, if the account names no source, the user is asked: that
// time is not the server's, `deadline` is so much later afterwards.
async::Task<Mail<session::MailLogin>> find_log_in(Server server, std::string account,
                                                  async::Deadline& deadline);

// Asks the person on the terminal, without echo; waits as long as it takes, one question at a time, while everything else
// goes on. A signal that ends the process finds the terminal as it was.
async::Task<Mail<std::string>> ask_password(std::string user, std::string account);

// The rules for its certificate; nothing where no TLS is spoken.
[[nodiscard]] Mail<std::shared_ptr<tls::ClientContext>> tls_context(const Server& server);

}  // namespace posthorn::mua
