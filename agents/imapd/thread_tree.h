// Messages as threads (RFC 5256 section 3, and REFS as in draft-ietf-morg-inthread). Without I/O; nothing recurses.
#pragma once

#include <vector>

#include "agents/imapd/message_keys.h"
#include "libmail/imap/sort.h"

namespace posthorn::imapd {

// Numbers are UIDs; depth-first, siblings by their sent date.
[[nodiscard]] std::vector<imap::ThreadEntry> thread_messages(std::vector<MessageKeys> keys,
                                                             imap::ThreadAlgorithm algorithm);

}  // namespace posthorn::imapd
