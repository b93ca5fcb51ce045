// Large messages: queue/spool/<message id>, the octets of the body alone. The file and its
// directory are synced before the record that refers to it is written; its writer holds an OFD lock
// until that record is committed, so a file without lock and without record is left over from a
// crash and is swept by queued.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "libmail/async/task.h"
#include "libmail/queue/files.h"
#include "libmail/queue/id.h"
#include "libmail/queue/layout.h"
#include "libmail/queue/record.h"

namespace posthorn::queue {

class SpoolWriter {
 public:
  // `files` outlives it.
  static async::Task<Result<std::unique_ptr<SpoolWriter>, IoError>> create(Files& files,
                                                                           Layout layout,
                                                                           MessageId id);
  ~SpoolWriter();  // removes the file unless keep() was called
  SpoolWriter(const SpoolWriter&) = delete;
  SpoolWriter& operator=(const SpoolWriter&) = delete;

  // Appends; one call at a time.
  async::Task<Result<void, IoError>> write(std::vector<std::string> chunks);
  // Syncs file and directory. What it gives goes into the record.
  async::Task<Result<SpooledBody, IoError>> finish();
  // The record is committed: the file stays, its lock ends with this object.
  void keep() { kept_ = true; }

 private:
  SpoolWriter(Files& files, Layout layout, MessageId id, std::unique_ptr<File> file);
  Files& files_;
  Layout layout_;
  MessageId id_;
  std::unique_ptr<File> file_;
  SpooledBody body_;
  bool kept_ = false;
};

// Removes files of the spool that nobody has locked and no live message refers to. Those younger
// than `older_than` stay: between its creation and its lock, and between its record's commit and
// queued's reading it, a file looks like one that was left over. Gives the names. Blocking: for
// async::blocking() or a tool.
[[nodiscard]] Result<std::vector<std::string>, IoError> sweep_spool(
    Files& files, const Layout& layout, const std::unordered_set<MessageId, MessageIdHash>& live,
    WallTime older_than);

}  // namespace posthorn::queue
