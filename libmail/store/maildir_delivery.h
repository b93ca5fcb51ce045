// Delivery into Maildirs, many messages a commit. What was delivered is on disk, named and whole,
// before deliver() returns: all files of a batch are written in tmp/ and synced, then all are
// renamed into new/, then every new/ that was touched is synced, and only then is anybody answered.
// A batch is whatever came while the one before was busy, so a lone message waits for nobody.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/store/maildir.h"
#include "libmail/store/maildir_name.h"

namespace posthorn::store {

// The octets of a message, LF line ends, shared by its recipients.
class Content;

enum class CommitMode {
  automatic,    // file by file until 16 wait on one file system, then whichever was faster of late
  file,         // fdatasync(2) of each file, fsync(2) of each new/, in the pool side by side
  file_system,  // one syncfs(2) for each step
};

struct Delivered {
  std::string path;  // DIR/new/NAME
  std::uint64_t size = 0;
};

struct DeliveryLimits {
  CommitMode commit = CommitMode::automatic;
  std::size_t file_system_sync_from = 16;  // messages in a batch
  std::size_t batch = 256;                 // messages in a batch at most
  std::size_t open_maildirs = 512;         // descriptors are three times that
};

class MaildirDelivery {
 public:
  MaildirDelivery(Files& files, std::string_view host, int pid, DeliveryLimits limits = {});
  MaildirDelivery(const MaildirDelivery&) = delete;
  MaildirDelivery& operator=(const MaildirDelivery&) = delete;
  ~MaildirDelivery();

  // Writes `head` (this recipient's trace header, LF line ends) and `body` as one message. After an
  // error nothing of the message is left, in tmp/ or in new/, but for a failed sync of new/: then
  // the message may be there as well.
  async::Task<StoreResult<Delivered>> deliver(MailLocation location, std::string folder,
                                              std::string head,
                                              std::shared_ptr<const Content> body);
  // Returns when nothing is under way.
  async::Task<void> join();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::store
