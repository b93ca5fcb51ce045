// mbox files: delivery into one. Reading is mbox_mailbox.cc's, the format mbox_format.h's.
#pragma once

#include <span>

#include "libmail/store/content.h"
#include "libmail/store/dotlock.h"
#include "libmail/store/files.h"
#include "libmail/store/location.h"

namespace posthorn::store {

// An mbox that is open and locked, by fcntl(2) first and FILE.lock then, Debian's order.
class LockedMbox {
 public:
  // Opens, or makes with mode 0600, the file at `location`. `locked`: come again. A file that is no
  // plain file, or has a second name, is refused: a stranger may have linked it to somebody else's.
  static StoreResult<std::unique_ptr<LockedMbox>> open(Files& files, const MailLocation& location);

  [[nodiscard]] File& file() { return *file_; }
  [[nodiscard]] Directory& directory() { return *directory_; }
  // Its octets and its place when it was locked.
  [[nodiscard]] std::uint64_t size() const { return status_.size; }
  [[nodiscard]] const FileStatus& status() const { return status_; }
  StoreResult<void> keep() { return lock_->keep(); }
  // For reading on after the dot lock is gone; the fcntl lock goes with the file.
  std::unique_ptr<File> release_file() { return std::move(file_); }

 private:
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<File> file_;
  std::unique_ptr<DotLock> lock_;
  FileStatus status_;
};

// Appends one message and syncs it. After an error the file has its old length. Returns where the
// message begins. Blocking; `locked`: come again.
StoreResult<std::uint64_t> append_to_mbox(Files& files, const MailLocation& location,
                                          std::string_view sender, std::string_view head,
                                          const Content& body);

struct MboxLetter {
  std::string_view head;  // in front of the body
  const Content* body = nullptr;
};
// The same for several: all of them or none.
StoreResult<std::uint64_t> append_to_mbox(Files& files, const MailLocation& location,
                                          std::string_view sender,
                                          std::span<const MboxLetter> messages);

}  // namespace posthorn::store
