// Large mailboxes stay open for a while when their last session has left, index at rest: clients come back, and whoever opens one
// then reads no index. Of all accounts of the process; on the loop's thread.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

struct WarmLimits {
  std::size_t least_rows = 10'000;    // below that opening costs less than a millisecond
  std::size_t most_rows = 2'000'000;  // of all together: 80 MB; the oldest go
  Duration stay = std::chrono::minutes(2);

  WarmLimits() = default;
};

class WarmMailboxes {
 public:
  explicit WarmMailboxes(WarmLimits limits = WarmLimits()) : limits_(limits) {}

  // A session lets go of it. Kept if nobody else has it and it is large enough; if not, it is given back.
  std::shared_ptr<store::OpenMailbox> keep(std::shared_ptr<store::OpenMailbox> mailbox);
  // Once, before it goes away: closes them.
  async::Task<void> end();

 private:
  struct Kept {
    std::shared_ptr<store::OpenMailbox> mailbox;
    async::Deadline until;
    Kept(std::shared_ptr<store::OpenMailbox> what, async::Deadline when)
        : mailbox(std::move(what)), until(when) {}
  };
  async::Task<void> look_after();
  async::Task<void> rest(std::shared_ptr<store::OpenMailbox> mailbox);
  [[nodiscard]] std::size_t rows() const;

  WarmLimits limits_;
  std::deque<Kept> kept_;  // the oldest first
  bool looks_ = false;
  bool ending_ = false;
  async::Event wake_;
  async::Scope scope_;
};

}  // namespace posthorn::imapd
