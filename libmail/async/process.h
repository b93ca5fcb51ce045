// Children: the supervisor's agents and deliverd's programs. No shell, ever: argv is what runs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/stream.h"
#include "libmail/base/fd.h"

namespace posthorn::async {

struct Command {
  std::vector<std::string> argv;                   // argv[0] is a path, or a name looked up in PATH
  std::map<std::string, std::string> environment;  // the whole environment, nothing is inherited
  std::string directory;                           // "" = ours
  // Descriptor numbers in the child and what stands behind them; -1 = /dev/null. 0, 1 and 2 that
  // are not named become /dev/null; every other descriptor of ours is closed in the child.
  std::map<int, int> descriptors;
  bool die_with_parent = false;  // PR_SET_PDEATHSIG SIGTERM

  Command() = default;
};

struct ExitStatus {
  int code = 0;    // exit code, if signal == 0
  int signal = 0;  // what ended it
  ExitStatus() = default;
};

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
