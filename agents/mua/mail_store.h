// MailStore: an account's mail as a client sees it, wherever it lies. IMAP servers, Maildirs and mboxes stand behind it
// (imap_store.h, local_store.h); the verbs and the full-screen mode know nothing else.
//
// Everything is a task on the loop; none of them keeps the loop busy or waits longer than the deadline the store was
// opened with (set_deadline() moves it). One call at a time on one store; be parallel with several stores. A folder is
// opened once and then worked with; UIDs (RFC 9051 2.3.1.1) name messages in it and stay good as long as
// FolderState::uid_validity does. UIDs are given and taken in ascending order.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/accounts.h"
#include "agents/mua/error.h"
#include "agents/mua/octets.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/imap/flags.h"
#include "libmail/imap/search.h"
#include "libmail/imap/sequence_set.h"
#include "libmail/message/address_list.h"

namespace posthorn::mua {

using async::Deadline;
using async::Task;
using Uids = std::vector<std::uint32_t>;

struct Folder {
  std::string name;  // UTF-8, as the store says it: "INBOX", "Lists/C++"
  char separator = '/';
  std::string
      role;  // "inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged", "important" or ""
  bool selectable = true;
  bool subscribed = false;
  std::optional<std::uint64_t> messages;  // if asked for
  std::optional<std::uint64_t> unseen;
};

// The folder that is open.
struct FolderState {
  std::string name;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
  std::uint32_t messages = 0;
  std::uint64_t highest_modseq = 0;  // 0: the store counts no changes
  bool read_only = false;
};

// A message as a list shows it. Texts are decoded UTF-8 without controls, but not yet fit for a terminal: output.h.
struct Summary {
  std::uint32_t uid = 0;
  imap::Flags flags;
  std::uint64_t size = 0;                                // octets with CRLF
  std::chrono::sys_seconds received{};                   // INTERNALDATE
  std::optional<std::chrono::sys_seconds> date;          // the Date field
  std::vector<message::Address> from, to, cc, reply_to;  // display names decoded
  std::string subject;
  std::string message_id;               // with brackets, "" if there is none
  std::vector<std::string> references;  // References, else In-Reply-To
  bool has_attachment = false;
  std::uint64_t modseq = 0;
};

// One part of a message, in depth-first order.
struct PartInfo {
  std::string number;  // RFC 9051's section: "1.2"; "" = the message itself if it is a multipart
  std::uint32_t depth = 0;
  std::string type;  // "text/plain", lower case
  std::string charset;
  std::string encoding;     // "base64"
  std::string filename;     // as the sender chose it, decoded; filename.h before using it
  std::string disposition;  // "attachment", "inline" or ""
  std::string content_id;
  std::uint64_t octets = 0;  // still encoded
  bool attachment = false;   // a reader lists it as one
};

struct NewMessage {
  Octets octets;  // a whole message, any line ends
  imap::Flags flags;
  std::optional<std::chrono::sys_seconds> received;  // nothing: now
};

struct FlagEdit {
  imap::Flags add;
  imap::Flags remove;
};

// What happened in the folder since the last look.
struct FolderNews {
  Uids arrived;
  Uids vanished;
  Uids changed;  // flags
  [[nodiscard]] bool empty() const {
    return arrived.empty() && vanished.empty() && changed.empty();
  }
};

class MailStore {
 public:
  virtual ~MailStore() = default;
  MailStore() = default;
  MailStore(const MailStore&) = delete;
  MailStore& operator=(const MailStore&) = delete;

  virtual void set_deadline(Deadline deadline) = 0;

  // INBOX first, then by name. `counts` costs a STATUS each.
  virtual Task<Mail<std::vector<Folder>>> folders(bool counts) = 0;
  virtual Task<Mail<void>> create_folder(std::string name) = 0;
  virtual Task<Mail<void>> rename_folder(std::string from, std::string to) = 0;
  virtual Task<Mail<void>> delete_folder(std::string name) = 0;

  // The folder that the calls below are about. `for_reading`: changes nothing, not even \Recent.
  virtual Task<Mail<FolderState>> open(std::string folder, bool for_reading) = 0;
  virtual Task<Mail<Uids>> search(imap::SearchKey key) = 0;
  // Flags of every message in the folder: cheaper than summaries.
  virtual Task<Mail<std::map<std::uint32_t, imap::Flags>>> flags() = 0;
  // Those of `uids` that are still there.
  virtual Task<Mail<std::vector<Summary>>> summaries(Uids uids) = 0;
  // The message as it is, in pieces. Sets no \Seen.
  virtual Task<Mail<void>> read(std::uint32_t uid, Sink sink) = 0;
  virtual Task<Mail<std::vector<PartInfo>>> parts(std::uint32_t uid) = 0;
  // The body of a part, still encoded, in pieces.
  virtual Task<Mail<void>> read_part(std::uint32_t uid, std::string number, Sink sink) = 0;
  virtual Task<Mail<void>> edit_flags(Uids uids, FlagEdit edit) = 0;
  virtual Task<Mail<void>> copy(Uids uids, std::string folder) = 0;
  virtual Task<Mail<void>> move(Uids uids, std::string folder) = 0;
  virtual Task<Mail<void>> remove(Uids uids) = 0;  // for good: no trash
  // Into any folder, open or not. Its UID if the store says it, else 0.
  virtual Task<Mail<std::uint32_t>> append(std::string folder, NewMessage message) = 0;
  // Waits until something changed in the open folder, or the deadline passed (then it is empty).
  virtual Task<Mail<FolderNews>> wait(Deadline deadline) = 0;

  // From other tasks, while a call waits. wake(): wait() returns soon, with nothing. interrupt(): any call that waits for a
  // server ends with an error; only close() may follow.
  virtual void wake() {}
  virtual void interrupt() {}
  // False: the connection has ended, and no call will work any more.
  [[nodiscard]] virtual bool usable() const { return true; }

  // Log-out, and the connection's end. The store can't be used after that.
  virtual Task<void> close() = 0;
};

// Connects and logs in, or opens the directory. Reads secrets; `deadline` bounds it and what follows.
Task<Mail<std::unique_ptr<MailStore>>> open_store(const Account& account, Deadline deadline);

// The folder a word means: a role ("sent", "trash") by the account's own list, special-use and common names; else the
// word itself. The error says which folders there are, or that none has the role.
Task<Mail<std::string>> find_folder(MailStore& store, const Account& account, std::string word);
// The same among folders that are known.
[[nodiscard]] Mail<std::string> choose_folder(const std::vector<Folder>& folders,
                                              const Account& account, std::string word);
// The whole message, however large.
Task<Mail<Octets>> read_octets(MailStore& store, std::uint32_t uid);
// The whole message in memory; bad_data above `limit` octets.
Task<Mail<std::string>> read_whole(MailStore& store, std::uint32_t uid, std::size_t limit);

}  // namespace posthorn::mua
