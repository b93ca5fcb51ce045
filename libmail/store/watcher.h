// What happens in the directories of open mailboxes, told by the kernel: one inotify instance for the whole process. And the bell
// that wakes the sessions of a mailbox, whoever changed it.
//
// A Watcher lives on the loop's thread; everything else here may be used from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libmail/async/timer.h"
#include "libmail/base/function.h"

namespace posthorn::store {

struct DirectoryEvent {
  bool appeared = false;  // else: gone
  bool fresh = false;     // in new/, else in cur/
  std::string name;
};

// What others did to the directories of one mailbox since the last take().
class DirectoryWatch {
 public:
  struct News {
    std::vector<DirectoryEvent> events;  // in the kernel's order
    bool lost = false;  // the kernel's queue ran over, or a directory is gone: only a scan helps
  };
  // Reads what the kernel has, for all mailboxes, and gives this one's.
  News take();
  // What could not be dealt with now comes first the next time.
  void give_back(std::vector<DirectoryEvent> events);
  // Announces a change of our own, so that its echo is dropped. Before the change is made.
  void expect(bool appeared, bool fresh, std::string_view name);
  // Reads the echoes of our changes before the kernel's queue runs over; to be called every thousand changes, and after the last
  // with `last`: what did not come back then never will.
  void absorb(bool last);

 private:
  friend class OwnChanges;
  friend class Watcher;
  friend struct WatcherState;

  std::weak_ptr<struct WatcherState> watcher_;
  std::mutex mutex_;
  News news_;
  std::unordered_multiset<std::uint64_t> expected_;
  std::weak_ptr<class Bell> bell_;
};

// While it lives, on the thread that changes many files and calls absorb(): the kernel does not wake the loop, of any mailbox's
// news, for each of them. Waking another thread costs as much as a rename.
class OwnChanges {
 public:
  explicit OwnChanges(DirectoryWatch* watch);  // nullptr: nothing is watched
  ~OwnChanges();
  OwnChanges(const OwnChanges&) = delete;
  OwnChanges& operator=(const OwnChanges&) = delete;

 private:
  std::shared_ptr<struct WatcherState> watcher_;
};

// Calls the listeners of one mailbox, on the loop, when it may have changed. Rings that come before they are called are one.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  explicit Bell(std::weak_ptr<struct WatcherState> watcher) : watcher_(std::move(watcher)) {}
  void ring();

 private:
  friend class Listening;
  friend class Watcher;
  friend struct WatcherState;
  std::weak_ptr<struct WatcherState> watcher_;
  std::mutex mutex_;
  bool rung_ = false;
  // On the loop's thread only.
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Function<void()>>> listeners_;
};

// A place at the bell; made and destroyed on the loop's thread.
class Listening {
 public:
  Listening(std::shared_ptr<Bell> bell, Function<void()> callback);
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  std::shared_ptr<Bell> bell_;
  std::uint64_t id_;
};

class Watcher {
 public:
  // Bells of mailboxes that the kernel does not watch for us ring every `poll`.
  explicit Watcher(Duration poll = std::chrono::seconds(30));
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // From any thread. Nothing if the kernel has no watches left, or no inotify.
  std::shared_ptr<DirectoryWatch> watch(int fresh, int cur, std::shared_ptr<Bell> bell);
  std::shared_ptr<Bell> make_bell();
  // From any thread: for a mailbox that is no directory. The bell rings every `poll` from now on.
  void poll(const std::shared_ptr<Bell>& bell);
  // For tests: act as if the kernel had no watches left.
  void set_watch_limit(std::size_t limit);

 private:
  std::shared_ptr<struct WatcherState> state_;
};

}  // namespace posthorn::store
