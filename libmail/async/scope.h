// Scope: the owner of tasks that nobody awaits. `co_await scope.join()` before what they use goes
// away; a scope that dies while a task of its runs is a bug and aborts.
#pragma once

#include "libmail/async/event.h"
#include "libmail/async/task.h"

namespace posthorn::async {

class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { check(running_ == 0, "a scope outlives its tasks"); }

  // Starts `task` now; it runs to its first wait before spawn returns.
  void spawn(Task<void> task);
  // Returns when no task is left. Tasks may still be spawned while it waits.
  Task<void> join();
  [[nodiscard]] std::size_t running() const { return running_; }

 private:
  struct Detached;
  static Detached run(Scope* scope, Task<void> task);
  std::size_t running_ = 0;
  Event empty_;
};

}  // namespace posthorn::async
