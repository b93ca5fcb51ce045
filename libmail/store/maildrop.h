// A mailbox as POP3 sees it (RFC 1939): opened once, under an exclusive lock, a fixed list of
// messages, changes at the end. All functions await: the file system's work happens in the pool.
//
//   auto drop = co_await open_maildrop(files, location, Deadline::in(30s));
//   if (!drop) ...                         drop.error().kind == locked is -ERR [IN-USE]
//   (*drop)->entries()[i].size / .uidl     LIST, STAT, UIDL
//   auto message = co_await (*drop)->open(i);
//   while (true) { auto chunk = co_await (*message)->next(); ... }      "" is the end
//   co_await (*drop)->finish(deleted, retrieved, deadline);             QUIT; without it nothing
//   changes
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/store/mailbox.h"

namespace posthorn::store {

// One message on its way to the client, in chunks with CRLF line ends; dot-stuffing is the
// protocol's.
class MaildropMessage {
 public:
  explicit MaildropMessage(std::shared_ptr<MessageSource> source) : source_(std::move(source)) {}
  // About 64 KiB, "" at the end. A CR that no LF follows and a last line without end are passed on
  // as they are, so the octets are exactly the entry's `size`.
  async::Task<StoreResult<std::string>> next();

 private:
  friend class Maildrop;
  std::shared_ptr<MessageSource> source_;
  std::string ready_;      // the first chunk, read when the message was opened
  bool after_cr_ = false;  // the last octet of the previous chunk was a CR
  bool at_end_ = false;
};

class Maildrop {
 public:
  Maildrop(std::shared_ptr<Mailbox> mailbox, MailboxScan scan);

  [[nodiscard]] const std::vector<MailboxEntry>& entries() const { return scan_->entries; }
  // What the log should know: repairs, names that were passed over.
  [[nodiscard]] const std::vector<std::string>& remarks() const { return scan_->remarks; }

  // `index` into entries(). not_found: another program has removed the message since.
  async::Task<StoreResult<std::unique_ptr<MaildropMessage>>> open(std::size_t index);
  // QUIT: removes the messages at `deleted`, and marks those at `seen` that stay. Waits for the
  // mailbox's lock until `deadline`. One failure does not keep the others from being done.
  async::Task<StoreResult<MailboxChanged>> finish(std::vector<std::size_t> deleted,
                                                  std::vector<std::size_t> seen,
                                                  async::Deadline deadline);

 private:
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<const MailboxScan> scan_;
};

// Waits until `deadline` while other programs hold the lock of the list of UIDs; fails at once with
// `locked` if another POP3 session has the maildrop. The exclusive lock ends with the Maildrop, or
// with the process. `files` outlives it.
async::Task<StoreResult<std::unique_ptr<Maildrop>>> open_maildrop(Files& files,
                                                                  MailLocation location,
                                                                  async::Deadline deadline);

}  // namespace posthorn::store
