// An IMAP server (RFC 9051, RFC 3501), over libmail/session's client.
#pragma once

#include "agents/mua/mail_store.h"

namespace posthorn::mua {

Task<Mail<std::unique_ptr<MailStore>>> open_imap_store(const Account& account, Deadline deadline);

}  // namespace posthorn::mua
