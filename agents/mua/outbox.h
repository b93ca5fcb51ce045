// The outbox: messages that could not be handed over yet. A directory with tmp/ and new/; a file in new/ is one line of
// JSON (the envelope) and the message behind it, whole and on disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agents/mua/error.h"
#include "agents/mua/submission.h"
#include "libmail/base/fd.h"

namespace posthorn::mua {

struct Waiting {
  std::string id;  // the file's name
  std::string account;
  Letter letter;     // its message only from claim()
  bool copy = true;  // keep one in the folder of sent mail
  std::string subject;
  std::chrono::sys_seconds queued{};
  unsigned attempts = 0;
  std::string last_error;
};

class Outbox {
 public:
  explicit Outbox(std::string directory) : directory_(std::move(directory)) {}

  // Its id. Synced when it returns.
  [[nodiscard]] Mail<std::string> add(const Waiting& waiting);
  // Oldest first; files that are none of ours are passed over.
  [[nodiscard]] Mail<std::vector<Waiting>> list();
  // Nobody else sends it as long as `lock` lives. Nothing: somebody else is at it, or it is gone.
  struct Claimed {
    Waiting waiting;
    Fd lock;
  };
  [[nodiscard]] Mail<std::optional<Claimed>> claim(const std::string& id);
  // After another attempt that failed.
  [[nodiscard]] Mail<void> note_failure(const Waiting& waiting, const std::string& why);
  [[nodiscard]] Mail<void> remove(const std::string& id);

 private:
  [[nodiscard]] Mail<void> write(const std::string& id, const Waiting& waiting);
  std::string directory_;
};

}  // namespace posthorn::mua
