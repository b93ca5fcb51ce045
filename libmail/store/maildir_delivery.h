// Delivery into Maildirs, many messages a commit. What deliver() says was delivered is on disk, named and whole: all files
// of a batch are written in tmp/ and synced, then all are renamed into new/, then every new/ that was touched is synced,
// and only then is anybody answered. A batch is whatever came while the one before was busy, so that a lone message
// waits for nobody; each file system has its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/task.h"
#include "libmail/store/maildir_batch.h"

namespace posthorn::store {

struct Delivered {
  std::string path;        // DIR/new/NAME
  std::uint64_t size = 0;  // octets of the file
};

struct DeliveryLimits {
  CommitMode commit = CommitMode::automatic;
  std::size_t file_system_sync_from = 4;  // messages in a batch
  std::size_t batch = 256;                // messages in a batch at most
  std::size_t open_maildirs = 256;        // each holds two descriptors
  // For so long the descriptors of a Maildir are trusted to be what its path leads to.
  Duration trust_open_maildir = std::chrono::seconds(1);

  DeliveryLimits() = default;
};

class MaildirDelivery {
 public:
  // `files` outlives it. `host` and `pid` go into the names.
  MaildirDelivery(Files& files, std::string_view host, int pid, DeliveryLimits limits = {});
  MaildirDelivery(const MaildirDelivery&) = delete;
  MaildirDelivery& operator=(const MaildirDelivery&) = delete;
  ~MaildirDelivery();  // nothing may be under way: join()

  // Writes `head` (this recipient's trace fields, LF line ends) and `body` as one message into the Maildir at
  // `location`, or its folder (a name of maildir_folder_directory()); both are made on demand. After an error nothing of
  // the message is left, unless the last sync failed: then it may be in new/ all the same.
  async::Task<StoreResult<Delivered>> deliver(MailLocation location, std::string folder,
                                              std::string head,
                                              std::shared_ptr<const Content> body);
  // Returns when nothing is under way.
  async::Task<void> join();

  struct Counters {
    std::uint64_t messages = 0;
    std::uint64_t batches = 0;
    std::uint64_t file_system_syncs = 0;  // batches that were synced by syncfs(2)
  };
  [[nodiscard]] const Counters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::store
