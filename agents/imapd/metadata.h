// Annotations for GETMETADATA and LIST (RFC 5464, RFC 9590).
#pragma once

#include "agents/imapd/session.h"
#include "libmail/imap/server/reply.h"

namespace posthorn::imapd {

// What the user may see of a mailbox's annotations, or of the server's (""). not_found: nothing of that mailbox.
async::Task<store::StoreResult<store::Annotations>> read_metadata(Session& session,
                                                                  std::string mailbox);
// Says those that were asked for; the size of the longest that MAXSIZE left out, 0 if there was none.
std::size_t say_metadata(Session& session, const std::string& mailbox,
                         const store::Annotations& all, const imap::GetMetadata& asked);
// For a literal that is not even taken.
[[nodiscard]] imap::Reply refuse_large_metadata();

}  // namespace posthorn::imapd
