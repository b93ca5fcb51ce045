// Maildirs and mboxes on this machine, over libmail/store.
#pragma once

#include "agents/mua/mail_store.h"
#include "libmail/store/error.h"

namespace posthorn::mua {

// A Maildir that is not there is made.
Task<Mail<std::unique_ptr<MailStore>>> open_local_store(const Account& account, Deadline deadline);
// mbox_store.cc: INBOX is all it has; no flags.
Task<Mail<std::unique_ptr<MailStore>>> open_mbox_store(const Account& account, Deadline deadline);

[[nodiscard]] MailError mail_error(const store::StoreError& error);

}  // namespace posthorn::mua
