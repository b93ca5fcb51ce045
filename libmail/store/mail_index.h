// MailIndex: what is kept of a mailbox so that opening it reads no message and, if nobody changed it, no directory. It is a
// cache: deleting it costs no message, UID, flag or keyword (DESIGN section 7). Behind it: lmdb_index.h, memory_index.h.
//
// Any function may be called from any thread; write() and clear() one at a time. All may sleep. An error of
// Kind::corrupt_index means that it has to be made anew: clear().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/store/error.h"
#include "libmail/store/snapshot.h"

namespace posthorn::store {

// A file or directory as it was when it was last read. All zero: never.
struct FileStamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;     // 0 for directories
  std::int64_t modified = 0;  // microseconds
  std::int64_t changed = 0;
  bool operator==(const FileStamp&) const = default;
};

struct IndexHeader {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint32_t recent_from = 1;  // messages from this UID on were announced as \Recent to nobody
  std::string guid;               // of the mailbox, 32 hex digits
  std::uint64_t highest_modseq = 1;
  // Expunges up to this modseq are not in the list: who asks from before it is told all UIDs that are not there.
  std::uint64_t vanished_from = 0;
  FileStamp cur;
  FileStamp fresh;
  FileStamp uidlist;
  std::uint64_t uidlist_lines = 0;
  std::uint32_t uidlist_sum = 0;
  MailboxCounts counts;
  bool operator==(const IndexHeader&) const = default;
};

// What the index keeps for readers of messages, ready to be sent or used. The store does not look inside.
enum class CachedValue : std::uint8_t {
  envelope,        // the value of ENVELOPE as it goes onto the wire
  body_structure,  // of BODYSTRUCTURE; BODY is made of it
  parts,           // where the parts lie in the message
  header,          // the whole header, or the fields clients ask for
  preview,         // RFC 8970
};
inline constexpr std::size_t cached_values = 5;

struct IndexBatch {
  std::optional<IndexHeader> header;
  std::vector<MessageRow> rows;                              // ascending UIDs; added or replaced
  std::vector<std::pair<std::uint32_t, std::string>> names;  // ascending; MaildirPlace's text
  std::vector<std::uint32_t> removed;                        // rows, names and values of these go
  // What vanished, and at which modseq.
  std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>> vanished;
  [[nodiscard]] bool empty() const {
    return !header && rows.empty() && names.empty() && removed.empty() && vanished.empty();
  }
};

class MailIndex {
 public:
  virtual ~MailIndex() = default;
  // Nothing: it is new.
  virtual StoreResult<std::optional<IndexHeader>> header() = 0;
  // All rows, ascending.
  virtual StoreResult<void> rows(const std::function<void(const MessageRow&)>& take) = 0;
  // All names, ascending UIDs; the text lives as long as the call.
  virtual StoreResult<void> names(
      const std::function<void(std::uint32_t, std::string_view)>& take) = 0;
  // The names of `uids`, in that order; "" for one that is not there.
  virtual StoreResult<std::vector<std::string>> names_of(std::span<const std::uint32_t> uids) = 0;
  // All of it or nothing. Gives the modseq up to which it has forgotten what vanished, 0 if nothing: the header's vanished_from
  // must not be less from now on.
  virtual StoreResult<std::uint64_t> write(const IndexBatch& batch) = 0;
  // UIDs that vanished after `modseq`, ascending.
  virtual StoreResult<std::vector<std::uint32_t>> vanished(std::uint64_t modseq) = 0;

  // Calls `take` for each of `uids` (ascending) that has a value; the octets live as long as the call.
  virtual StoreResult<void> values(
      CachedValue kind, std::span<const std::uint32_t> uids,
      const std::function<void(std::uint32_t, std::string_view)>& take) = 0;
  // Ascending UIDs. Values of messages that are gone meanwhile are dropped.
  virtual StoreResult<void> put_values(
      CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) = 0;

  // Behind some work, and when the mailbox is closed: kinds of values that nobody has asked for in `unused_for` go. Mostly it
  // costs nothing, and once a day a commit.
  static constexpr std::chrono::days unused_for{30};
  virtual void forget_unused(WallTime /*now*/) {}

  // Everything goes.
  virtual StoreResult<void> clear() = 0;
  // Nobody is going to use it soon: memory is given back. The next call takes it again; that the file was removed or changed
  // meanwhile is corrupt_index then.
  virtual void rest() {}
};

}  // namespace posthorn::store
