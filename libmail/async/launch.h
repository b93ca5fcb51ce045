// Beginning a program: fork and exec, without a loop. No shell, ever: argv is what runs.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libmail/base/fd.h"
#include "libmail/base/result.h"

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

struct Launched {
  pid_t pid = 0;
  Fd handle;  // a pidfd: readable when it has ended
  Launched() = default;
};

// Returns when the program runs. An error (no such program, no permission) is reported here, not
// as an exit code. Whoever called it reaps it.
Result<Launched, IoError> launch(Command command);

// How a child of ours ended; nothing if it has not.
std::optional<ExitStatus> reap(pid_t pid);

}  // namespace posthorn::async
