// mbox behind the Mailbox interface. An mbox knows no UIDs, so each scan gives new ones under a new UIDVALIDITY: legal
// (RFC 9051 2.3.1.1), and clients that leave mail on the server read it again. Those who want more take a Maildir.
#pragma once

#include "libmail/store/mailbox.h"
#include "libmail/store/mbox.h"
#include "libmail/store/mbox_format.h"

namespace posthorn::store {

class MboxMailbox final : public Mailbox {
 public:
  MboxMailbox(Files& files, MailLocation location);

  StoreResult<MailboxScan> scan() override;
  StoreResult<std::unique_ptr<MessageSource>> open(const MailboxEntry& entry) override;
  // Removing writes what stays over the file, under both locks; mark_seen is kept nowhere.
  StoreResult<MailboxChanged> apply(const MailboxScan& scan,
                                    const MailboxChanges& changes) override;
  StoreResult<bool> take_exclusively() override;
  // The file as the last scan() found it.
  [[nodiscard]] const FileStatus& scanned() const { return scanned_; }

 private:
  StoreResult<void> read_messages(LockedMbox& mbox, MboxScanner& scanner);
  Files& files_;
  MailLocation location_;
  std::vector<MboxScanner::Message> messages_;
  FileStatus scanned_;  // the file as it was: appending is no change, anything else is
  std::unique_ptr<File> session_lock_;
};

}  // namespace posthorn::store
