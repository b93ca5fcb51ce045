// What mua sync remembers between two runs, as a text file beside the Maildir. Sans I/O.
//
//   mua-sync 1
//   folder<TAB>INBOX<TAB>1700000000<TAB>4711<TAB>1700000001      name here, UIDVALIDITY and HIGHESTMODSEQ there, UIDVALIDITY here
//   17<TAB>3<TAB>\Seen $Work                                      UID there, UID here, flags as they were on both sides
//   outdated<TAB>4                                                UID here, of a UIDVALIDITY there that is over: to be removed
#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  // UIDs here that stand for nothing there any more; they go once everything that is there has come.
  std::set<std::uint32_t> outdated;
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
  std::vector<std::uint32_t> remove_there;           // UIDs there of what was deleted here
  std::vector<std::uint32_t> append_there;           // UIDs here of what is new here
};
// `there`: flags of what the server reported; with `complete` of every message, else of the changed ones, and `vanished`
// says what is gone. `here`: flags of every message here. A flag that changed on both sides is the server's. What was
// deleted on either side does not come back.
[[nodiscard]] SyncPlan plan_sync(const SyncedFolder& known,
                                 const std::map<std::uint32_t, imap::Flags>& there, bool complete,
                                 const std::set<std::uint32_t>& vanished,
                                 const std::map<std::uint32_t, imap::Flags>& here);
// Somebody emptied the folder here, or it is another one: so many deletions at once are not believed.
[[nodiscard]] bool deletes_too_much(const SyncedFolder& known, const SyncPlan& plan);

// A folder's name here: its levels parted by '/', in a Maildir's names no '.' and no '/'; both, and the '%' itself, are
// written as %2E, %2F, %25, so that no two names become one.
[[nodiscard]] std::string local_folder_name(std::string_view name, char separator);

// What makes `now` out of `before`.
[[nodiscard]] FlagEdit flag_edit(const imap::Flags& before, const imap::Flags& now);

}  // namespace posthorn::mua
