// What mua sync remembers between two runs, as a text file beside the Maildir. Sans I/O.
//
//   mua-sync 1
//   folder<TAB>INBOX<TAB>1700000000<TAB>4711<TAB>1700000001      name here, UIDVALIDITY and HIGHESTMODSEQ there, UIDVALIDITY here
//   17<TAB>3<TAB>\Seen $Work                                      UID there, UID here, flags as they were on both sides
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/mail_store.h"
#include "libmail/base/result.h"
#include "libmail/imap/flags.h"

namespace posthorn::mua {

struct SyncedMessage {
  std::uint32_t local = 0;
  imap::Flags flags;
  bool operator==(const SyncedMessage&) const = default;
};

struct SyncedFolder {
  std::uint32_t remote_validity = 0;
  std::uint64_t modseq = 0;
  std::uint32_t local_validity = 0;
  std::map<std::uint32_t, SyncedMessage> messages;  // by UID there
  bool operator==(const SyncedFolder&) const = default;
};

using SyncState = std::map<std::string, SyncedFolder>;  // by name here

[[nodiscard]] std::string format_sync_state(const SyncState& state);
// The error names the line.
[[nodiscard]] Result<SyncState, std::string> parse_sync_state(std::string_view text);

// Who changed what since both sides were the same: what the server says now against what is remembered and what is here.
struct SyncPlan {
  std::map<std::uint32_t, imap::Flags> flags_here;   // UID here -> all its flags now
  std::map<std::uint32_t, imap::Flags> flags_there;  // UID there -> all its flags now
  std::vector<std::uint32_t> fetch;                  // UIDs there, ascending
  std::vector<std::uint32_t> remove_here;            // UIDs here
};
// `there`: flags of what the server reported; with `complete` of every message, else of the changed ones, and `vanished`
// says what is gone. `here`: flags of every message here. A flag that changed on both sides is the server's. What was
// deleted here stays on the server and does not come back.
[[nodiscard]] SyncPlan plan_sync(const SyncedFolder& known,
                                 const std::map<std::uint32_t, imap::Flags>& there, bool complete,
                                 const std::vector<std::uint32_t>& vanished,
                                 const std::map<std::uint32_t, imap::Flags>& here);

// What makes `now` out of `before`.
[[nodiscard]] FlagEdit flag_edit(const imap::Flags& before, const imap::Flags& now);

}  // namespace posthorn::mua
