// Handing a message over to be delivered: to a submission server (RFC 6409) or a sendmail command.
#pragma once

#include <string>
#include <vector>

#include "agents/mua/accounts.h"
#include "agents/mua/error.h"
#include "agents/mua/octets.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::mua {

// A message and its envelope.
struct Letter {
  std::string from;                     // addr-spec
  std::vector<std::string> recipients;  // addr-specs, none twice
  Octets message;                       // CRLF lines, no Bcc
  std::string message_id;
  std::string notify;  // NOTIFY= of every recipient (RFC 3461): "SUCCESS,FAILURE", "NEVER", ""
  std::string ret;     // "FULL", "HDRS" or ""
};

// All recipients or none: if one is refused for good, nobody gets it. Kinds: unavailable and try_again mean "later";
// everything else won't get better by waiting.
async::Task<Mail<void>> submit(const Account& account, const Letter& letter,
                               async::Deadline deadline);
[[nodiscard]] bool is_worth_another_try(const MailError& error);

}  // namespace posthorn::mua
