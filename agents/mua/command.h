// Programs that the user names: for passwords, for a message, an editor. No shell but where the configuration file says
// a command as one text.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/error.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/base/fd.h"

namespace posthorn::mua {

struct CommandCall {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // beside our own
  int input = -1;           // a file, read from its beginning; -1 = /dev/null
  bool keep_output = true;  // else it goes to our standard output
  CommandCall() = default;
};
struct CommandDone {
  int code = 0;        // exit code, 128 + signal
  std::string output;  // at most 1 MiB
};
// Its standard error is ours. At the deadline it is ended and the error is try_again.
async::Task<Mail<CommandDone>> run_command(CommandCall call, async::Deadline deadline);

// An empty one.
[[nodiscard]] Mail<Fd> file_in_memory();

// A program with our terminal (an editor); returns when it has ended. Its exit code.
[[nodiscard]] Mail<int> run_on_terminal(const std::vector<std::string>& argv);

// The environment of this process.
[[nodiscard]] std::map<std::string, std::string> own_environment();

}  // namespace posthorn::mua
