// Fills the search indexes of mailboxes in which somebody searched: one batch after the other in one thread of the pool, mailboxes
// in turns. Sessions only say what happened.
#pragma once

#include <deque>
#include <memory>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/search/filling.h"
#include "libmail/service/log.h"

namespace posthorn::imapd {

class SearchFiller {
 public:
  // `log` outlives it.
  explicit SearchFiller(service::Log& log) : log_(log) {}

  // Somebody has searched texts here: an index is made, or goes on.
  void searched(std::shared_ptr<store::OpenMailbox> mailbox);
  // Messages came: an index that is there follows, soon.
  void grown(std::shared_ptr<store::OpenMailbox> mailbox);
  // A command has work to do: the next batch waits until no command came for a moment, but not for ever.
  void make_way();
  // Once, before it goes away: waits for the batch under way.
  async::Task<void> end();

 private:
  struct Job {
    search::Filling filling;
    async::Deadline due;
    unsigned refusals = 0;
    Job(search::Filling what, async::Deadline when) : filling(std::move(what)), due(when) {}
  };
  void take(std::shared_ptr<store::OpenMailbox> mailbox, search::Filling::Need need,
            async::Deadline due);
  async::Task<void> fill();
  async::Task<bool> step(Job& job);
  async::Task<void> wait_for_quiet();

  service::Log& log_;
  std::deque<std::unique_ptr<Job>> jobs_;
  Job* under_way_ = nullptr;
  bool fills_ = false;
  bool ending_ = false;
  async::Deadline quiet_ = async::Deadline::at(MonoTime());  // a moment behind the last command
  async::Event wake_;
  async::Scope scope_;
};

}  // namespace posthorn::imapd
