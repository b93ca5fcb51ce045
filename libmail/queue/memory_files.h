// The disk as a test sees it: keeps a journal of everything that changes something, fails the call
// it is told to fail, and shows what a disk would hold if the power went out behind any entry of
// the journal.
//
// Writes are durable once their file is synced, names once their directory is. Until then each
// write, each 512-octet sector of it, and each change of a name may or may not be there after a
// cut, in any combination. Writes before a failed sync are never made durable by a later one, as
// with Linux.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libmail/queue/files.h"

namespace posthorn::queue {

class MemoryFiles final : public Files {
 public:
  enum class Call { open, write, sync_data, truncate, lock, rename, unlink, sync_directory };
  // What becomes of that which is not synced.
  enum class Unsynced { lost, kept, mixed };

  struct Event {
    Call call = Call::write;
    std::uint64_t inode = 0;
    std::uint64_t offset = 0;
    std::string octets;  // write
    std::string path;    // of the file, or of the directory that was synced
    std::string to;      // rename
    bool failed = false;
  };

  MemoryFiles() = default;

  // Asked before each call, on the thread that makes it: an errno value makes it fail, 0 lets it
  // pass.
  using Fault = std::function<int(Call, const std::string& path)>;
  void set_fault(Fault fault);
  // The Nth call from now (1 is the next) that changes something fails with `error`.
  void fail_nth(std::size_t nth, int error);
  void set_free_space(std::uint64_t octets);

  [[nodiscard]] std::size_t events() const;
  [[nodiscard]] std::vector<Event> journal() const;
  // A new disk as it comes up after a power cut behind the first `events` of the journal. `seed`
  // decides in `mixed`.
  [[nodiscard]] std::unique_ptr<MemoryFiles> after_power_cut(std::size_t events, Unsynced unsynced,
                                                             std::uint64_t seed = 0) const;
  // Whole contents; "" if absent.
  [[nodiscard]] std::string contents(const std::string& path) const;
  void set_contents(const std::string& path, std::string octets);  // durable at once
  [[nodiscard]] bool exists(const std::string& path) const;

  Result<std::unique_ptr<File>, IoError> open(const std::string& path, OpenFor how,
                                              mode_t mode) override;
  Result<void, IoError> rename(const std::string& from, const std::string& to) override;
  Result<void, IoError> unlink(const std::string& path) override;
  Result<void, IoError> sync_directory(const std::string& path) override;
  Result<void, IoError> make_directory(const std::string& path, mode_t mode) override;
  Result<std::vector<std::string>, IoError> list(const std::string& path) override;
  Result<std::optional<FileStatus>, IoError> status(const std::string& path) override;
  Result<void, IoError> set_mode(const std::string& path, mode_t mode) override;
  Result<std::uint64_t, IoError> free_space(const std::string& path) override;

 private:
  class OpenFile;
  // What a directory entry or a file's octets are now, and what they certainly are after a power
  // cut.
  struct Disk;
  struct Inode {
    std::string octets;
    const void* locked_by = nullptr;
  };
  // 0, or the error that this call must fail with. Locked.
  int fault(Call call, const std::string& path);
  void record(Event event) { journal_.push_back(std::move(event)); }

  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> names_;
  std::map<std::uint64_t, std::shared_ptr<Inode>> inodes_;
  std::map<std::string, bool> directories_;
  std::map<std::string, std::uint64_t> first_names_;  // as the journal began
  std::map<std::uint64_t, std::string> first_octets_;
  std::uint64_t next_inode_ = 1;
  std::uint64_t free_space_ = 1ULL << 40;
  std::vector<Event> journal_;
  Fault fault_;
  std::size_t fail_in_ = 0;
  int fail_with_ = 0;
};

}  // namespace posthorn::queue
