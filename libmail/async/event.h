// Waking another task. Woken tasks run from the loop's ready queue, never inside set(): two tasks
// that wake each other cannot grow the stack.
#pragma once

#include <deque>

#include "libmail/async/timer.h"

namespace posthorn::async {

namespace detail {

// A task that waits for something or for its deadline, whichever comes first. Lives in the
// coroutine frame.
struct Waiter {
  std::coroutine_handle<> task;
  Timer timer;
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
  bool queued = false;
  bool woken = false;
};

// Intrusive list, oldest first.
struct WaitList {
  Waiter* first = nullptr;
  Waiter* last = nullptr;
  void push(Waiter& waiter);
  void remove(Waiter& waiter);
  Waiter* pop();
};

// co_await gives true if woken, false if the deadline passed.
struct Wait {
  WaitList& list;
  Deadline deadline;
  bool ready;
  Waiter waiter{};

  Wait(WaitList& in, Deadline until, bool already) : list(in), deadline(until), ready(already) {}
  [[nodiscard]] bool await_ready() const noexcept { return ready; }
  void await_suspend(std::coroutine_handle<> task);
  [[nodiscard]] bool await_resume() const noexcept { return ready || waiter.woken; }
};

// Takes the oldest waiter off the list and makes it run soon. False if there was none.
bool wake_one(WaitList& list);

}  // namespace detail

// Stays set until reset; all who wait are woken.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set();
  void reset() { set_ = false; }
  [[nodiscard]] bool is_set() const { return set_; }
  // True once it is set, false when the deadline passed first.
  [[nodiscard]] detail::Wait wait_until(Deadline deadline) { return {waiting_, deadline, set_}; }
  // The same without a deadline, for what cannot hang: our own tasks.
  auto wait() {
    struct Forever : detail::Wait {
      using detail::Wait::Wait;
      void await_resume() const noexcept {}
    };
    return Forever(waiting_, Deadline::never(), set_);
  }

 private:
  detail::WaitList waiting_;
  bool set_ = false;
};

// A number of places. Waiters are served in order.
class Semaphore {
 public:
  explicit Semaphore(std::size_t places) : free_(places) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // True with a place taken, false when the deadline passed first.
  Task<bool> acquire(Deadline deadline);
  void release();
  [[nodiscard]] std::size_t free() const { return free_; }

 private:
  detail::WaitList waiting_;
  std::size_t free_;
};

}  // namespace posthorn::async
