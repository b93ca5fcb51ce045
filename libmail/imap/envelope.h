// ENVELOPE (RFC 9051 7.5.2): what a mail list shows, made from a header.
#pragma once

#include <string>

#include "libmail/message/header.h"

namespace posthorn::imap {

// "(date subject from sender reply-to to cc bcc in-reply-to message-id)", ready for the wire:
// 8-bit octets stand in literals, encoded-words as they are. Several To, Cc or
// Bcc fields are one; of all others the first counts.
// Sender and Reply-To that are absent or empty repeat From. An address without a domain has the
// host MISSING_DOMAIN, as Dovecot's, because NIL would begin a group; what is no address has
// MISSING_MAILBOX, too. Folds are undone; linear in the header.
[[nodiscard]] std::string envelope(const message::Header& header);

}  // namespace posthorn::imap
