// Mailbox: one mailbox of one user, whatever its format. Maildir and mbox stand behind it today.
//
// Its functions are blocking; the awaiting forms that agents use are in maildrop.h. IMAP will add
// flags, keywords and a watch to this interface.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libmail/store/error.h"
#include "libmail/store/files.h"
#include "libmail/store/location.h"

namespace posthorn::store {

struct MailboxEntry {
  std::uint32_t uid = 0;
  std::uint64_t size = 0;  // octets with every line end as CRLF: RFC822.SIZE, and POP3's
  std::string uidl;        // RFC 1939 7
  std::string path;        // as it was at the scan, for logs
  std::string file;        // Maildir: "cur/BASE:2,S" or "new/BASE"
  bool seen = false;
};

struct MailboxScan {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::vector<MailboxEntry> entries;  // ascending UIDs
  std::vector<std::string>
      remarks;  // for the log: damage that was repaired, names that were passed over
};

// The octets of one message as they are stored (LF line ends, or what a foreign program wrote).
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  // The next octets, fewer than `limit` only at the end and hardly more; "" is the end.
  virtual StoreResult<std::string> read(std::size_t limit) = 0;
};

// What to do with messages at the end of a POP3 session, or at an EXPUNGE.
struct MailboxChanges {
  std::vector<std::uint32_t> remove;  // UIDs
  std::vector<std::uint32_t> mark_seen;
};
struct MailboxChanged {
  std::size_t removed = 0;  // those that somebody else had removed before count as well
  std::vector<StoreError> failed;
};

class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // Lists all messages and gives UIDs to those that have none; the UIDs are on disk when it
  // returns. locked: tries once; the caller waits and comes again.
  virtual StoreResult<MailboxScan> scan() = 0;
  // Finds the message even if another program has renamed its file since the scan. not_found: it is
  // gone.
  virtual StoreResult<std::unique_ptr<MessageSource>> open(const MailboxEntry& entry) = 0;
  // Under the lock of the mailbox, in one go. Like scan(), fails at once with `locked`.
  virtual StoreResult<MailboxChanged> apply(const MailboxScan& scan,
                                            const MailboxChanges& changes) = 0;
  // True if nobody else has it in a session of exclusive use (POP3, RFC 1939 3); until this Mailbox
  // dies.
  virtual StoreResult<bool> take_exclusively() = 0;
};

// Opens, and makes on demand, the mailbox at `location`. `files` outlives it.
StoreResult<std::unique_ptr<Mailbox>> open_mailbox(Files& files, const MailLocation& location);

}  // namespace posthorn::store
