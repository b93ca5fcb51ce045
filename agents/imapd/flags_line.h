// What is said of a message beyond FETCH's own answers: its flags, and that it is gone.
#pragma once

#include <optional>
#include <string>

#include "agents/imapd/session.h"
#include "libmail/imap/sequence_set.h"

namespace posthorn::imapd {

// "* 3 FETCH (", or "* 4711 UIDFETCH (" for a client that wants no message numbers (RFC 9586).
[[nodiscard]] std::string fetch_head(std::uint32_t number, std::uint32_t uid, bool uid_only);

struct FlagsLine {
  bool uid = false;  // said by the head anyway if there are no numbers
  bool flags = true;
  bool modseq = false;
};
// "* 3 FETCH (UID 4711 FLAGS (\Seen) MODSEQ (12))" CRLF of a message that the client knows; nothing for others.
void append_flags_line(Session& session, const store::Snapshot& snapshot,
                       const store::MessageRow& row, FlagsLine what);

// "VANISHED (EARLIER)" (RFC 7162 3.2.10) of what was expunged after `since`, as far as it is in `wanted`.
async::Task<void> say_vanished_since(Session& session, std::uint64_t since,
                                     std::optional<imap::NumberSet> wanted);

}  // namespace posthorn::imapd
