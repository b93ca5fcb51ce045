// An IMAP server (RFC 9051, RFC 3501), over libmail/session's client.
#pragma once

#include "agents/mua/mail_store.h"
#include "libmail/imap/client/message.h"
#include "libmail/session/imap_client.h"

namespace posthorn::mua {

Task<Mail<std::unique_ptr<MailStore>>> open_imap_store(const Account& account, Deadline deadline);

// Connected and logged in, QRESYNC enabled where it is offered: for what goes beyond a MailStore (sync).
// `deadline`: as with find_log_in().
Task<Mail<std::unique_ptr<session::ImapClient>>> connect_imap(const Account& account,
                                                              Deadline& deadline);
// All folders, with their special uses if the server knows them, and what it says of one.
[[nodiscard]] imap::List list_of_folders(const session::ImapClient& client);
[[nodiscard]] Folder folder_of(const imap::ListEntry& entry);
// The UID it got, 0 if the server doesn't say.
Task<Mail<std::uint32_t>> append_message(session::ImapClient& client, std::string folder,
                                         NewMessage message, Deadline deadline);
[[nodiscard]] MailError mail_error(const session::ImapError& error);

// A BODYSTRUCTURE as parts; file names decoded (RFC 2231, RFC 2047), attachments found by choose_bodies().
[[nodiscard]] std::vector<PartInfo> parts_of(const std::vector<imap::client::BodyPart>& structure);

}  // namespace posthorn::mua
