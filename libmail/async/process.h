// Children on the loop: the supervisor's agents, and what `Starter` begins.
#pragma once

#include <memory>
#include <optional>

#include "libmail/async/launch.h"
#include "libmail/async/timer.h"

namespace posthorn::async {

class Process {
 public:
  virtual ~Process() = default;
  [[nodiscard]] virtual pid_t pid() const = 0;
  virtual void signal(int number) = 0;  // no-op once it has ended
  // The exit status; nothing when the deadline passed first. May be awaited again.
  virtual Task<std::optional<ExitStatus>> wait(Deadline deadline) = 0;
};

// Starts it. An error (no such program, no permission) is reported here, not as an exit code.
// Destroying a Process that runs leaves it running; its end is reaped all the same.
Result<std::unique_ptr<Process>, IoError> start(Command command);

}  // namespace posthorn::async
