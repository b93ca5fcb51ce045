// queue/drop/: the shell's door. A program writes a batch (batch.h) under a name that begins with a dot and renames
// it to one that does not; queued takes it from there.
#pragma once

#include <string>
#include <vector>

#include "libmail/queue/batch.h"
#include "libmail/queue/envelope_codec.h"
#include "libmail/queue/files.h"
#include "libmail/queue/layout.h"

namespace posthorn::queue {

// For who writes into drop/ (sendmail, deliverd, relayd): puts `batch` there, file and directory
// synced, so that the message is as safe as behind a 250. Blocking. `name`: unique, no '/', no dot
// in front; a MessageId does well. Errors: no room, or no right to write there.
Result<void, IoError> drop_batch(Files& files, const std::string& drop_directory,
                                 const std::string& name, std::string_view batch);

// A file to be read: regular, one link, no dot in front of its name.
struct DropFile {
  std::string name;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  uid_t owner = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
};
// Blocking.
[[nodiscard]] Result<std::vector<DropFile>, IoError> list_drop(Files& files, const Layout& layout);

// What records say that they were read from drop/: after a crash, a file whose record exists is only
// unlinked. Looks at segments that changed since `since` (nanoseconds since 1970). Blocking.
[[nodiscard]] Result<std::vector<DropOrigin>, IoError> find_drop_records(Files& files,
                                                                         const Layout& layout,
                                                                         std::int64_t since);

}  // namespace posthorn::queue
