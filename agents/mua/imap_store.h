// An IMAP server (RFC 9051, RFC 3501), over libmail/session's client.
#pragma once

#include "agents/mua/mail_store.h"
#include "libmail/imap/client/message.h"
#include "libmail/session/imap_client.h"

namespace posthorn::mua {

Task<Mail<std::unique_ptr<MailStore>>> open_imap_store(const Account& account, Deadline deadline);

// Connected and logged in, QRESYNC enabled where it is offered: for what goes beyond a MailStore (sync).
Task<Mail<std::unique_ptr<session::ImapClient>>> connect_imap(const Account& account,
                                                              Deadline deadline);
[[nodiscard]] MailError mail_error(const session::ImapError& error);

// A BODYSTRUCTURE as parts; file names decoded (RFC 2231, RFC 2047), attachments found as choose_bodies() would.
[[nodiscard]] std::vector<PartInfo> parts_of(const std::vector<imap::client::BodyPart>& structure);

}  // namespace posthorn::mua
