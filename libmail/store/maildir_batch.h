// One message of a batch, and the blocking steps that a batch consists of. MaildirDelivery puts them in order; README.md
// says what a power cut leaves between them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/store/content.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

enum class CommitMode {
  automatic,    // file by file; from a few messages on one file system whichever was faster of late
  file,         // fdatasync(2) of each file, fsync(2) of each new/, side by side in the pool
  file_system,  // one syncfs(2) for each step
};

// Where deliveries go; open as long as somebody holds it.
struct DeliveryTarget {
  std::string path;
  std::unique_ptr<Directory> tmp;
  std::unique_ptr<Directory> fresh;  // new/
  std::uint64_t device = 0;
};

struct BatchItem {
  std::shared_ptr<DeliveryTarget> target;
  std::string name;
  std::string head;
  std::shared_ptr<const Content> body;
  StoreResult<void> result;  // the first thing that went wrong

  std::unique_ptr<File> file;  // open between writing and syncing
};

// Creates the file in tmp/ and writes it. With an error nothing is left of it.
void write_item(BatchItem& item);
// Syncs and closes what was written.
void sync_item(BatchItem& item);
// Into new/.
void rename_item(BatchItem& item);
// Marks every item that went well so far as failed and removes it from tmp/.
void fail_items(const std::vector<BatchItem*>& items, const IoError& error);
// fsync(2) of the new/ that all `items` went to.
void sync_target(const std::vector<BatchItem*>& items);
// The items that went well so far, one group for each target.
std::vector<std::vector<BatchItem*>> by_target(const std::vector<BatchItem*>& items);

// The whole commit in one go, with one syncfs(2) for each step.
void commit_by_file_system(const std::vector<BatchItem*>& items);

// Decides file by file how a batch is synced.
class CommitChoice {
 public:
  CommitChoice(CommitMode mode, std::size_t file_system_from)
      : mode_(mode), file_system_from_(file_system_from) {}

  // How a batch of so many should be synced. In automatic mode the last syncfs(2) must have been faster than syncing
  // that many files would be; a measurement that spoke against it is forgotten after a while.
  [[nodiscard]] CommitMode choose(std::size_t messages);
  void report(CommitMode mode, std::size_t messages, Duration took);

 private:
  static constexpr unsigned forget_after = 64;  // batches
  static constexpr Duration slow_sync = std::chrono::milliseconds(20);
  CommitMode mode_;
  std::size_t file_system_from_;
  Duration per_file_{};      // a running mean; zero: not known
  bool first_hint_ = false;  // per_file_ comes from a lone file
  Duration file_system_{};   // the last one; zero: not known
  unsigned against_ = 0;     // batches since it was last tried
};

}  // namespace posthorn::store
