// A program's way out of a locked-in daemon. The daemon may not fork, and what it started would
// inherit seccomp, Landlock and no_new_privs, of which a program of others (set-user-id, with files
// that are not ours to know) must be free. So a small process is forked before the lock-down, and
// starts programs when it is asked to:
//
//   daemon --request--> starter --fork--> shepherd --fork, exec--> program
//      ^                                      |
//      +------- a socket for this run --------+   began or errno; signals; how it ended
//
// It is no guard: it starts whatever the daemon asks for, as the same user. What it is good for is
// that the code which reads strangers' octets holds nothing that reaches beyond its filter by itself.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "libmail/async/event.h"
#include "libmail/async/poll.h"
#include "libmail/async/process.h"
#include "libmail/base/fd.h"

namespace posthorn::async {

class Starter {
 public:
  // Forks. To be called while this process has one thread, with the user that programs run as: the
  // new process goes on in a copy of our memory, where a lock that another thread holds would never
  // be given back. (Tests may: all it does there is system calls and memory, and glibc hands its
  // allocator over whole.) It keeps standard error, closes every other descriptor, and ends when we
  // do; programs that run are left running then.
  static Result<std::unique_ptr<Starter>, IoError> begin();

  // The starter ends soon after. A start() must not be under way.
  ~Starter() = default;
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;

  // As async::start(), without die_with_parent. The descriptors are the caller's, and are not needed
  // any more when it returns. A deadline that passes is an error, and then the program does not run
  // or is killed. If nobody is left to tell how a program ended, it ended by SIGKILL.
  Task<Result<std::unique_ptr<Process>, IoError>> start(Command command, Deadline deadline);

  // Calls `on_end` from the loop, once, if the starter ends before us.
  void watch(std::function<void()> on_end);
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Starter(pid_t pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}
  void listen();
  void on_ready(bool writable);
  Task<Result<void, IoError>> send(const std::vector<int>& descriptors, Deadline deadline);

  pid_t pid_;
  Fd socket_;
  std::unique_ptr<FdWatch> watch_;
  std::function<void()> on_end_;
  Event writable_;
};

}  // namespace posthorn::async
