// Writes one .out file: lines gather in memory, go to the file at once when asked, and are synced in the background.
// Nobody waits for either. Lines are kept until a sync has covered them, so that after a failed one they can be
// written again where they belong.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libmail/async/event.h"
#include "libmail/async/task.h"
#include "libmail/queue/files.h"
#include "libmail/queue/layout.h"

namespace posthorn::queue {

enum class Sync : bool { no, yes };

class OutcomeFile {
 public:
  // Goes on behind the `whole` octets that the file holds; a line that a crash cut off is overwritten.
  OutcomeFile(Files& files, const Layout& layout, std::uint64_t generation, std::uint64_t whole);

  // Where the octets will lie in the file.
  std::uint64_t append(std::string_view lines);
  // Writes what has gathered, and syncs. One at a time: others wait their turn. After an error everything since the
  // last sync is written again by the next call.
  async::Task<Result<void, IoError>> flush(Sync sync);
  // The same on this thread, for tools and tests.
  Result<void, IoError> flush_now(Sync sync);

  [[nodiscard]] bool has_unwritten() const { return !gathered_.empty() || failed_; }
  [[nodiscard]] bool has_unsynced() const { return !gathered_.empty() || !unsynced_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::uint64_t size() const { return synced_ + unsynced_.size() + gathered_.size(); }
  // Octets that no sync has covered yet, from memory; nothing if they lie in the file. What append()
  // was given in one piece never lies in both.
  [[nodiscard]] std::optional<std::string> recall(std::uint64_t offset, std::size_t count) const;

 private:
  struct Job {
    std::uint64_t offset = 0;
    std::string_view octets;
    bool sync = false;
  };
  [[nodiscard]] Job begin(Sync sync);
  Result<void, IoError> work(const Job& job);
  void end(const Job& job, bool succeeded);

  Files& files_;
  std::string path_;
  std::string directory_;
  std::unique_ptr<File> file_;
  bool name_synced_;
  std::uint64_t synced_;
  std::string unsynced_;  // written or being written; not touched while busy_
  std::string gathered_;
  bool failed_ = false;
  async::Semaphore turn_{1};
};

}  // namespace posthorn::queue
