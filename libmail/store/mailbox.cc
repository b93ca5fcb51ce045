#include "libmail/store/mailbox.h"

#include "libmail/store/maildir_mailbox.h"
#include "libmail/store/mbox_mailbox.h"

namespace posthorn::store {

StoreResult<std::unique_ptr<Mailbox>> open_mailbox(Files& files, const MailLocation& location) {
  if (location.format == MailFormat::mbox) return std::make_unique<MboxMailbox>(files, location);
  auto directories = open_maildir(files, location);
  if (!directories) return fail(std::move(directories.error()));
  return std::make_unique<MaildirMailbox>(files, std::move(*directories));
}

}  // namespace posthorn::store
