// Maildirs and mboxes on this machine, over libmail/store.
#pragma once

#include "agents/mua/mail_store.h"

namespace posthorn::mua {

// `account.store` is maildir or mbox. A Maildir that is not there is made.
Task<Mail<std::unique_ptr<MailStore>>> open_local_store(const Account& account, Deadline deadline);

}  // namespace posthorn::mua
