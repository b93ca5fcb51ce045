// The front's own mail worker: this same program with --worker, started before the front locks itself in.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/poll.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"
#include "libmail/service/site.h"

namespace posthorn::pop3d {

// The worker's command line, made of the front's: --worker added, a name of its own, the front's configuration file.
// `listen` is where it shall listen. Without I/O but a look whether the file is there.
[[nodiscard]] std::vector<std::string> worker_arguments(const std::vector<std::string>& front,
                                                        const service::Site& site,
                                                        const std::string& listen);

class OwnWorker {
 public:
  // Forks and executes. Only while this process has one thread. It is told by the kernel to end when we do.
  static Result<OwnWorker, std::string> start(const std::vector<std::string>& arguments);

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Calls `on_end` from the loop, once.
  void watch(std::function<void()> on_end);

 private:
  OwnWorker(pid_t pid, Fd handle) : pid_(pid), handle_(std::move(handle)) {}
  pid_t pid_;
  Fd handle_;  // a pidfd: readable when it has ended
  std::unique_ptr<async::FdWatch> watch_;
};

}  // namespace posthorn::pop3d
