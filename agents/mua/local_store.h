// Maildirs and mboxes on this machine, over libmail/store.
#pragma once

#include "agents/mua/mail_store.h"
#include "libmail/store/content.h"
#include "libmail/store/error.h"

namespace posthorn::mua {

// A Maildir that is not there is made. An mbox has one folder, INBOX, and keeps no flags; its UIDs are places in the file.
Task<Mail<std::unique_ptr<MailStore>>> open_local_store(const Account& account, Deadline deadline);

[[nodiscard]] MailError mail_error(const store::StoreError& error);

// What a store takes: LF line ends. A large one waits in a file without a name in the directory `near`. Blocking.
[[nodiscard]] store::StoreResult<std::shared_ptr<const store::Content>> content_of(
    const Octets& octets, store::Files& files, const std::string& near);

}  // namespace posthorn::mua
