// MESSAGELIMIT (RFC 9738): how many messages one command may be about, as the operator has set it; 0 is any number.
#pragma once

#include <string>
#include <vector>

#include "agents/imapd/session.h"
#include "libmail/imap/server/reply.h"

namespace posthorn::imapd {

// Keeps the highest UIDs, as many as there may be. The code says so and has the lowest that is left; it is empty if all were.
[[nodiscard]] imap::ResponseCode limit_messages(const Session& session,
                                                std::vector<std::uint32_t>& uids);
// For commands that do all or nothing: something if `count` messages are too many.
[[nodiscard]] std::optional<imap::Reply> refuse_many(const Session& session, std::size_t count);

}  // namespace posthorn::imapd
