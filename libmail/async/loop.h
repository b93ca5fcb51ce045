// The event loop of this process: one per thread, in practice one per process.
#pragma once

#include <coroutine>
#include <functional>
#include <memory>

#include "libmail/async/task.h"
#include "libmail/async/timer.h"

struct uv_loop_s;

namespace posthorn::async {

class Loop {
 public:
  // The loop of this thread, made on first use.
  static Loop& current();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Runs until `main` has ended, then until every handle has closed. May be called again.
  void run(Task<void> main);

  // Resumes `task` in this turn, after what runs now has returned.
  void post(std::coroutine_handle<> task);
  // Calls `callback` at the end of each turn in which something happened, before the loop sleeps:
  // log lines and sync batches gather in between. Handlers live as long as the process.
  void at_turn_end(std::function<void()> callback);

  // Monotonic time of this turn, read once a turn.
  [[nodiscard]] MonoTime now() const;

  // Tests: time stands still until advance() moves it; due timers fire in order on the way.
  void use_virtual_time();
  void advance(Duration span);

  [[nodiscard]] uv_loop_s* uv();  // for this room only

 private:
  friend class Timer;
  Loop();
  struct State;
  std::unique_ptr<State> state_;
};

// Runs `task` on this thread's loop and gives its result: main(), and tests.
template <class T>
T run(Task<T> task) {
  std::optional<T> result;
  Loop::current().run([](Task<T> inner, std::optional<T>* out) -> Task<void> {
    auto value = co_await inner;
    out->emplace(std::move(value));
  }(std::move(task), &result));
  return std::move(*result);
}
inline void run(Task<void> task) {
  Loop::current().run(std::move(task));
}

}  // namespace posthorn::async
