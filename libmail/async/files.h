// Work that may sleep: files, getpwnam, key derivation. It runs on a pool of threads of our own, so
// that 16 fsyncs cannot starve a name look-up of libuv's pool of four.
#pragma once

#include "libmail/async/event.h"
#include "libmail/async/task.h"
#include "libmail/base/function.h"

namespace posthorn::async {

inline constexpr std::size_t pool_threads = 16;

namespace detail {
// Runs `work` on a pool thread, then `done` on this loop.
void run_in_pool(Function<void()> work, Function<void()> done);
}  // namespace detail

// Runs `work()` on a pool thread and gives its result. `work` owns what it touches, or its owner
// awaits this.
template <class F>
auto blocking(F work) -> Task<std::invoke_result_t<F>> {
  using T = std::invoke_result_t<F>;
  Event done;
  if constexpr (std::is_void_v<T>) {
    auto job = [&work] { work(); };
    auto finish = [&done] { done.set(); };
    detail::run_in_pool(std::move(job), std::move(finish));
    co_await done.wait();
  } else {
    std::optional<T> result;
    auto job = [&work, &result] { result.emplace(work()); };
    auto finish = [&done] { done.set(); };
    detail::run_in_pool(std::move(job), std::move(finish));
    co_await done.wait();
    co_return std::move(*result);
  }
}

// A door into the loop for threads of ours (the queue's writer): post() may be called from any
// thread, its callables run on the loop in order. Made and destroyed on the loop's thread;
// destroying it drops what has not run yet.
class ThreadDoor {
 public:
  ThreadDoor();
  ~ThreadDoor();
  ThreadDoor(const ThreadDoor&) = delete;
  ThreadDoor& operator=(const ThreadDoor&) = delete;
  void post(Function<void()> callback);

 private:
  struct State;
  State* state_;
};

}  // namespace posthorn::async
