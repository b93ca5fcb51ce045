// The front's own mail worker: this same program with --worker, started before the front locks itself in.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/poll.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"
#include "libmail/service/site.h"

namespace posthorn::access {

// The worker's command line, made of the front's: --worker added, a name of its own, the front's configuration file.
// `agent` is its name if it has no other, `listen` where it shall listen. Without I/O but a look whether the file is there.
[[nodiscard]] std::vector<std::string> worker_arguments(std::string_view agent,
                                                        const std::vector<std::string>& front,
                                                        const service::Site& site,
                                                        const std::string& listen);

// In the worker: the descriptor of a pipe whose other end only the front holds, so that its end of file is the front's; -1
// without a front. Takes the variable that names it out of the environment.
[[nodiscard]] int take_front_pipe();

class OwnWorker {
 public:
  // Forks and executes. Only while this process has one thread. When we die the worker sees it by the pipe, and the kernel
  // tells it.
  static Result<OwnWorker, std::string> start(const std::vector<std::string>& arguments);

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Calls `on_end` from the loop, once.
  void watch(std::function<void()> on_end);
  // Tells it to send its clients away and end: it needs no right to signal others.
  void stop() { pipe_.reset(); }

 private:
  OwnWorker(pid_t pid, Fd handle, Fd pipe)
      : pid_(pid), handle_(std::move(handle)), pipe_(std::move(pipe)) {}
  pid_t pid_;
  Fd handle_;  // a pidfd: readable when it has ended
  Fd pipe_;    // closing it is the word to stop
  std::unique_ptr<async::FdWatch> watch_;
};

}  // namespace posthorn::access
