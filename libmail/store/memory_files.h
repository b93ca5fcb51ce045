// A file system in memory that knows what was synced: what a power cut leaves, which call failed,
// and in which order everything happened. For tests; several threads may use it at once.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>

#include "libmail/store/files.h"

namespace posthorn::store {

class MemoryFiles final : public Files {
 public:
  struct Node;
  struct Call {
    std::string operation;  // "create", "write", "sync", "rename", "sync_directory", "syncfs", ...
    std::string subject;    // the name or path, "a -> b" for a rename
  };

  // What the disk holds of the changes that no sync covered.
  enum class Unsynced {
    lost,           // nothing
    names_survive,  // names, but no contents: what renaming before syncing risks
    contents_survive,
    by_chance,  // each name and each file for itself, contents perhaps cut short
  };

  MemoryFiles();
  IoResult<std::unique_ptr<Directory>> open_directory(const std::string& path) override;
  IoResult<void> make_directories(const std::string& path, mode_t permissions) override;
  WallTime now() override;
  WallTime started() override { return started_; }

  // The disk after a power cut now, and a fresh start.
  std::unique_ptr<MemoryFiles> after_power_cut(Unsynced unsynced, unsigned seed = 0) const;
  // From the Nth changing call (0 is the first) on nothing works any more: the moment of the power
  // cut.
  void cut_at(std::size_t nth);
  [[nodiscard]] std::size_t changes() const;  // changing calls so far
  // The next `times` calls of this operation fail with `code`, after letting `after` of them pass.
  void fail_next(std::string operation, int code, std::size_t after = 0, std::size_t times = 1);
  // Called for each call, before it is made; from any thread, one at a time.
  void watch(std::function<void(const Call&)> watcher);

  // For checks: the content of a file, nothing if there is none; the names in a directory, sorted.
  [[nodiscard]] std::optional<std::string> content(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> names(const std::string& path) const;
  void put(const std::string& path, std::string content);  // on disk at once
  void advance(Duration span);                             // its clock; it stands still otherwise

 private:
  friend class MemoryFile;
  friend class MemoryDirectory;
  // Counts the call and says whether it may go on. `mutex_` is held.
  IoResult<void> begin(const char* operation, const std::string& subject, bool changes);
  std::shared_ptr<Node> find(const std::string& path) const;
  std::shared_ptr<Node> make_node(bool directory, mode_t mode);

  mutable std::mutex mutex_;
  std::shared_ptr<Node> root_;
  std::vector<std::weak_ptr<Node>> nodes_;
  std::uint64_t next_inode_ = 1;
  WallTime clock_;
  WallTime started_;
  std::size_t changes_ = 0;
  std::optional<std::size_t> cut_at_;
  struct Failure {
    std::string operation;
    int code = 0;
    std::size_t after = 0;
    std::size_t times = 0;
  };
  std::vector<Failure> failures_;
  std::function<void(const Call&)> watcher_;
};

}  // namespace posthorn::store
