// Writes the indexes of mailboxes that changed: a commit waits for the disk, and no client waits for a commit.
#pragma once

#include <deque>
#include <memory>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/async/timer.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

class IndexWriter {
 public:
  // A command is done here: an index that waits is written in a quiet moment, or within a second.
  void note(const std::shared_ptr<store::OpenMailbox>& mailbox);
  // A session is done with it: the last user of a mailbox writes its index, and not on the loop.
  void let_go(std::shared_ptr<store::OpenMailbox> mailbox);
  // Once, before it goes away: waits until all is written.
  async::Task<void> end();

 private:
  struct Job {
    std::shared_ptr<store::OpenMailbox> mailbox;
    async::Deadline quiet;
    async::Deadline latest;
    Job(std::shared_ptr<store::OpenMailbox> where, async::Deadline soon, async::Deadline last)
        : mailbox(std::move(where)), quiet(soon), latest(last) {}
  };
  async::Task<void> write();
  static async::Task<void> drop(std::shared_ptr<store::OpenMailbox> mailbox);

  std::deque<Job> jobs_;  // the oldest first
  bool writes_ = false;
  bool ending_ = false;
  async::Event wake_;
  async::Scope scope_;
};

}  // namespace posthorn::imapd
