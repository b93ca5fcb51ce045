// What commands made of messages on its way into the index: a commit waits for the disk, and no client waits for a commit.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

// Values of one kind, ascending UIDs.
struct MadeValues {
  store::CachedValue kind = store::CachedValue::envelope;
  std::vector<std::pair<std::uint32_t, std::string>> values;
  std::size_t octets = 0;

  explicit MadeValues(store::CachedValue what) : kind(what) {}
  void add(std::uint32_t uid, std::string value) {
    octets += value.size();
    values.emplace_back(uid, std::move(value));
  }
};

class ValueKeeper {
 public:
  // Soon; a cache that can't be written costs time, nothing else. They are dropped when far too many wait.
  void keep(const std::shared_ptr<store::OpenMailbox>& mailbox, MadeValues made);
  // Once, before it goes away: waits until all is written.
  async::Task<void> end();

 private:
  struct Job {
    std::shared_ptr<store::OpenMailbox> mailbox;
    MadeValues made;
    Job(std::shared_ptr<store::OpenMailbox> where, MadeValues what)
        : mailbox(std::move(where)), made(std::move(what)) {}
  };
  async::Task<void> write();

  std::deque<Job> jobs_;
  std::size_t octets_ = 0;
  bool writes_ = false;
  async::Scope scope_;
};

}  // namespace posthorn::imapd
