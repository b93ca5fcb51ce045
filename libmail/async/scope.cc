#include "libmail/async/scope.h"

namespace posthorn::async {

// A coroutine that starts at once and frees itself at its end.
struct Scope::Detached {
  struct promise_type {
    static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
      detail::free_frame(frame, size);
    }
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

Scope::Detached Scope::run(Scope* scope, Task<void> task) {
  {
    Task<void> held = std::move(task);  // its frame is gone before the scope is told
    co_await held;
  }
  if (--scope->running_ == 0) scope->empty_.set();
}

void Scope::spawn(Task<void> task) {
  ++running_;
  run(this, std::move(task));
}

Task<void> Scope::join() {
  while (running_ > 0) {
    empty_.reset();
    co_await empty_.wait();
  }
}

}  // namespace posthorn::async
