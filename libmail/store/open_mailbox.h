// OpenMailbox: one mailbox as IMAP sees it, shared by all its sessions in this process. Maildir and mbox stand behind it; other
// programs may change the mailbox at any moment.
//
// How a command flows through (all but snapshot() is blocking, for async::blocking(); when_unlocked() in retry.h comes again
// when a call says `locked`):
//
//   SELECT   store.open(name) -> sync({.take_new = true}) -> MailboxView(*snapshot()), take_recent()
//   FETCH    rows of snapshot() by the view's UIDs; values(envelope, ...) and put_values() for what had to be made; text(uid)
//   STORE    store_flags(change) -> the modseq that all changed rows got; view.update() lists them with those of others
//   EXPUNGE  expunge(uids, {.only_deleted = true}) -> view.update(..., true) gives the sequence numbers
//   APPEND   append(messages) -> UIDs for APPENDUID; COPY and MOVE: copy_to(), move_to()
//   IDLE     Listening(mailbox->bell(), callback): something may have changed; then sync() and view.update()
//   rest     rest(): what can be read again from the index leaves memory
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libmail/store/content.h"
#include "libmail/store/mail_index.h"
#include "libmail/store/mailbox.h"
#include "libmail/store/mailbox_view.h"
#include "libmail/store/snapshot.h"
#include "libmail/store/watcher.h"

namespace posthorn::store {

struct SyncRules {
  // Messages of new/ go to cur/, as a session that may write has them (SELECT, not EXAMINE).
  bool take_new = false;
  // Look at the directories even if nothing says that they changed.
  bool full_scan = false;
};

struct FlagChange {
  enum class Kind { add, remove, replace };
  Kind kind = Kind::add;
  std::uint16_t flags = 0;            // of flag::system_flags
  std::vector<std::string> keywords;  // as the client wrote them; case is ignored
  // CONDSTORE's UNCHANGEDSINCE: messages with a higher modseq are left alone.
  std::optional<std::uint64_t> unchanged_since;
  // What may be changed at all (RFC 4314): the rest stays as it is.
  std::uint16_t changeable = flag::system_flags;
  bool keywords_changeable = true;
};

// What copies keep of their flags (RFC 4314 4).
struct CopyRules {
  std::uint16_t flags = flag::system_flags;
  bool keywords = true;
};

struct FlagsStored {
  std::uint64_t modseq = 0;            // of every message that was changed; 0: none was
  std::vector<std::uint32_t> changed;  // ascending UIDs
  std::vector<std::uint32_t>
      modified;  // RFC 7162 MODIFIED: changed by others after unchanged_since
  std::vector<StoreError> failed;
};

struct ExpungeRules {
  // Spares what has lost \Deleted by now: EXPUNGE, UID EXPUNGE and CLOSE want it, MOVE and REPLACE do not.
  bool only_deleted = false;
};

struct Expunged {
  std::uint64_t modseq = 0;
  std::vector<std::uint32_t> uids;  // ascending; those others removed first are among them
  std::vector<StoreError> failed;
};

struct AppendMessage {
  std::string head;                     // in front of the body, LF line ends; mostly empty
  std::shared_ptr<const Content> body;  // content.h
  std::uint16_t flags = 0;
  std::vector<std::string> keywords;
  std::optional<WallTime> date;  // INTERNALDATE; nothing: now
};

struct Appended {
  std::uint32_t uid_validity = 0;
  std::uint64_t modseq = 0;
  std::vector<std::uint32_t> uids;  // in the order of the messages
};

// COPYUID: source[i] became target[i].
struct Copied {
  std::uint32_t uid_validity = 0;  // of the target
  std::vector<std::uint32_t> source;
  std::vector<std::uint32_t> target;
};

struct Vanished {
  std::vector<std::uint32_t> uids;  // ascending
  // False: the list goes back less far. All UIDs below UIDNEXT that are not in the snapshot have to be reported.
  bool complete = true;
};

// What a row may lack because it costs a system call or reading the message.
enum class Need : std::uint8_t { date = 1, size = 2 };

class OpenMailbox {
 public:
  virtual ~OpenMailbox() = default;

  // From any thread, without waiting. Before the first sync() it is empty.
  [[nodiscard]] virtual std::shared_ptr<const Snapshot> snapshot() const = 0;
  // Rings when the mailbox may have changed, whoever did it; put a Listening (watcher.h) on it. nullptr: there is no watcher.
  [[nodiscard]] virtual std::shared_ptr<Bell> bell() const = 0;
  // 32 hex digits; MAILBOXID is "F" and this (RFC 8474).
  [[nodiscard]] virtual std::string guid() const = 0;
  // Where others may keep what they make of its messages, beside them, so that it is renamed and removed with the mailbox: a
  // path without links, good for now. "": nowhere.
  [[nodiscard]] virtual std::string directory() const { return {}; }

  // Its rows say when each message was put here (RFC 8514); one that doesn't was at its INTERNALDATE.
  [[nodiscard]] virtual bool keeps_save_dates() const { return false; }

  // Finds out what others changed, gives UIDs to new messages, makes the next snapshot. Cheap when nothing happened: three
  // stat(2) calls, one while a watch is on it.
  virtual StoreResult<void> sync(SyncRules rules) = 0;
  // The UIDs from the first of the result on are \Recent in this session and in no other (RFC 3501 2.3.2).
  virtual std::uint32_t take_recent(bool read_only) = 0;

  // Ascending UIDs everywhere; those that are not there are passed over.
  virtual StoreResult<FlagsStored> store_flags(std::span<const std::uint32_t> uids,
                                               const FlagChange& change) = 0;
  virtual StoreResult<Expunged> expunge(std::span<const std::uint32_t> uids,
                                        ExpungeRules rules = {}) = 0;
  // Messages of an append that are on disk already, under no name that anybody reads; they go with this.
  class Written {
   public:
    virtual ~Written() = default;
  };
  // All messages or none. After `locked` come again with the same `written`: writing them once more would cost most. It dies
  // before the mailbox, and not in the loop.
  virtual StoreResult<Appended> append(const std::vector<AppendMessage>& messages,
                                       std::unique_ptr<Written>& written) = 0;
  // The same, waiting for locks itself for some seconds: not for the pool of an agent.
  StoreResult<Appended> append(const std::vector<AppendMessage>& messages);
  // Hard links, or copies where the file system has none; flags, keywords and INTERNALDATE go along. `target` may be this
  // mailbox. All or none.
  virtual StoreResult<Copied> copy_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                      CopyRules rules = {}) = 0;
  // By rename(2): no message is ever in both mailboxes or in none (RFC 6851 3.3 asks for this).
  virtual StoreResult<Copied> move_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                      CopyRules rules = {}) = 0;

  // Fills in what rows of `uids` lack; the next snapshot has it.
  virtual StoreResult<void> measure(std::span<const std::uint32_t> uids, Need need) = 0;
  // not_found: it is gone.
  virtual StoreResult<std::unique_ptr<MessageSource>> open(std::uint32_t uid) = 0;
  // The whole message with CRLF line ends, as FETCH sends it. For messages that fit into memory; others through open().
  virtual StoreResult<std::string> text(std::uint32_t uid) = 0;
  // EMAILID of `uids`, in that order: of the base names, so that a renamed file keeps its own (RFC 8474). "" = gone.
  virtual StoreResult<std::vector<std::string>> email_ids(std::span<const std::uint32_t> uids) = 0;

  // Values that were made of messages; see CachedValue and MailIndex.
  virtual StoreResult<void> values(
      CachedValue kind, std::span<const std::uint32_t> uids,
      const std::function<void(std::uint32_t, std::string_view)>& take) = 0;
  virtual StoreResult<void> put_values(
      CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) = 0;
  // QRESYNC: what was expunged after `modseq`.
  virtual StoreResult<Vanished> vanished(std::uint64_t modseq) = 0;

  // Something waits that only memory has, and the index should have: write_index() soon. From any thread, without waiting.
  [[nodiscard]] virtual bool index_waits() const { return false; }
  // Waits for the disk, which no answer needs: behind it, in a quiet moment.
  virtual StoreResult<void> write_index() { return {}; }
  // Nobody is going to use it soon: writes what is not written, and gives memory back. It goes on working.
  virtual StoreResult<void> rest() = 0;
  // For the log: damage that was repaired, names that were passed over. The list is empty afterwards.
  virtual std::vector<std::string> take_remarks() = 0;
};

}  // namespace posthorn::store
