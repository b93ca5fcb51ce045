// What all stores of a process share: the file system, the watcher, and names that are never the same twice.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libmail/store/files.h"
#include "libmail/store/maildir_name.h"
#include "libmail/store/watcher.h"

namespace posthorn::store {

class OpenMailbox;

class StoreHost {
 public:
  // `files` and `watcher` outlive it. Without a watcher (nullptr: programs without a loop) directories are looked at when a
  // mailbox is synced.
  StoreHost(Files& files, std::string_view host, int pid, Watcher* watcher = nullptr)
      : files_(files), watcher_(watcher), names_(host, pid) {}

  [[nodiscard]] Files& files() { return files_; }
  [[nodiscard]] Watcher* watcher() { return watcher_; }
  // While it lives, a mailbox at `path` is being closed: its index is free in a moment.
  class Closing {
   public:
    Closing(StoreHost& host, std::string path) : host_(host), path_(std::move(path)) {
      const std::lock_guard hold(host_.mutex_);
      host_.closing_.push_back(path_);
    }
    ~Closing() {
      const std::lock_guard hold(host_.mutex_);
      host_.closing_.erase(std::find(host_.closing_.begin(), host_.closing_.end(), path_));
    }
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;

   private:
    StoreHost& host_;
    std::string path_;
  };
  [[nodiscard]] bool is_closing(const std::string& path) {
    const std::lock_guard hold(mutex_);
    return std::find(closing_.begin(), closing_.end(), path) != closing_.end();
  }
  // Where the one object of a mailbox in this process is kept, whichever account opened it. Who opens it holds the slot's mutex
  // meanwhile.
  struct Slot {
    std::mutex mutex;
    std::weak_ptr<OpenMailbox> mailbox;
  };
  std::shared_ptr<Slot> slot(const std::string& path) {
    const std::lock_guard hold(mutex_);
    // Slots that nobody uses go when they are many.
    if (slots_.size() >= sweep_at_) {
      std::erase_if(slots_, [](const auto& entry) {
        return entry.second.use_count() == 1 && entry.second->mailbox.expired();
      });
      sweep_at_ = std::max(first_sweep, slots_.size() * 2);
    }
    auto& slot = slots_[path];
    if (!slot) slot = std::make_shared<Slot>();
    return slot;
  }
  // The mailbox is gone, or has another place.
  void forget(const std::string& path) {
    const std::lock_guard hold(mutex_);
    slots_.erase(path);
  }
  void rename(const std::string& path, const std::string& to) {
    const std::lock_guard hold(mutex_);
    auto slot = slots_.extract(path);
    slots_.erase(to);
    if (!slot) return;
    slot.key() = to;
    slots_.insert(std::move(slot));
  }
  // The base of a new message's name, with both sizes in it.
  std::string new_base(std::uint64_t size, std::uint64_t crlf_size) {
    const WallTime now = files_.now();
    const std::lock_guard hold(mutex_);
    return names_.make(now, size, crlf_size);
  }

 private:
  Files& files_;
  Watcher* watcher_;
  std::mutex mutex_;
  MaildirNames names_;
  std::vector<std::string> closing_;
  static constexpr std::size_t first_sweep = 64;
  std::size_t sweep_at_ = first_sweep;
  std::map<std::string, std::shared_ptr<Slot>> slots_;
};

}  // namespace posthorn::store
