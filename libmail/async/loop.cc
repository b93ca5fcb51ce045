#include "libmail/async/loop.h"

#include <uv.h>

#include <algorithm>
#include <csignal>
#include <vector>

namespace posthorn::async {

struct Loop::State {
  uv_loop_t uv{};
  uv_timer_t timer{};
  uv_idle_t idle{};         // keeps the loop from sleeping while tasks are ready
  uv_prepare_t turn_end{};  // runs before the loop sleeps
  std::vector<std::coroutine_handle<>> ready;
  std::vector<std::coroutine_handle<>> running;
  std::vector<Timer*> heap;  // binary, earliest first
  std::vector<std::function<void()>> turn_end_handlers;
  bool main_ended = false;
  bool virtual_time = false;
  MonoTime virtual_now = MonoTime(std::chrono::hours(1));

  void swap_places(std::size_t a, std::size_t b) {
    std::swap(heap[a], heap[b]);
    heap[a]->place_ = a;
    heap[b]->place_ = b;
  }
  void sift_up(std::size_t place) {
    while (place > 0 && heap[place]->time_ < heap[(place - 1) / 2]->time_) {
      swap_places(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  void sift_down(std::size_t place) {
    for (;;) {
      std::size_t least = place;
      for (const std::size_t child : {2 * place + 1, 2 * place + 2}) {
        if (child < heap.size() && heap[child]->time_ < heap[least]->time_) least = child;
      }
      if (least == place) return;
      swap_places(place, least);
      place = least;
    }
  }
  void insert(Timer& timer_to_add) {
    timer_to_add.place_ = heap.size();
    heap.push_back(&timer_to_add);
    sift_up(timer_to_add.place_);
  }
  void remove(Timer& timer_to_drop) {
    const std::size_t place = timer_to_drop.place_;
    swap_places(place, heap.size() - 1);
    heap.pop_back();
    timer_to_drop.place_ = Timer::none;
    if (place < heap.size()) {
      sift_up(place);
      sift_down(place);
    }
  }

  void run_ready() {
    // What becomes ready meanwhile runs in the same turn, a few rounds at most, so that sockets are
    // not starved.
    for (int round = 0; round < 16 && !ready.empty(); ++round) {
      running.swap(ready);
      for (const auto task : running) task.resume();
      running.clear();
    }
    if (ready.empty()) uv_idle_stop(&idle);
  }
  void fire_due(MonoTime now) {
    while (!heap.empty() && heap.front()->time_ <= now) {
      Timer* due = heap.front();
      remove(*due);
      Function<void()> on_time = std::move(due->on_time_);
      on_time();
    }
  }
  void arm_uv_timer(MonoTime now) {
    if (virtual_time) return;
    if (heap.empty()) {
      uv_timer_stop(&timer);
      return;
    }
    const auto wait = heap.front()->time_ - now;
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    uv_timer_start(
        &timer, [](uv_timer_t*) {}, millis > 0 ? static_cast<std::uint64_t>(millis) : 0, 0);
  }
};

Loop& Loop::current() {
  thread_local Loop loop;
  return loop;
}

Loop::Loop() : state_(std::make_unique<State>()) {
  std::signal(SIGPIPE, SIG_IGN);  // libuv and OpenSSL write to closed sockets
  check(uv_loop_init(&state_->uv) == 0, "uv_loop_init");
  state_->uv.data = state_.get();
  uv_timer_init(&state_->uv, &state_->timer);
  uv_idle_init(&state_->uv, &state_->idle);
  uv_prepare_init(&state_->uv, &state_->turn_end);
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&state_->timer),
                              reinterpret_cast<uv_handle_t*>(&state_->turn_end)}) {
    uv_unref(handle);
  }
  state_->timer.data = state_->idle.data = state_->turn_end.data = state_.get();
  uv_prepare_start(&state_->turn_end, [](uv_prepare_t* handle) {
    auto* state = static_cast<State*>(handle->data);
    state->run_ready();
    for (const auto& handler : state->turn_end_handlers) handler();
    state->arm_uv_timer(Loop::current().now());
    // What the handlers made ready must not wait for the next packet.
    if (!state->ready.empty()) uv_idle_start(&state->idle, [](uv_idle_t*) {});
  });
}

Loop::~Loop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->timer), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->idle), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->turn_end), nullptr);
  uv_run(&state_->uv, UV_RUN_DEFAULT);
  uv_loop_close(&state_->uv);
}

uv_loop_s* Loop::uv() {
  return &state_->uv;
}

MonoTime Loop::now() const {
  if (state_->virtual_time) return state_->virtual_now;
  return MonoTime(std::chrono::milliseconds(uv_now(&state_->uv)));
}

void Loop::post(std::coroutine_handle<> task) {
  State& state = *state_;
  state.ready.push_back(task);
  if (state.ready.size() == 1) uv_idle_start(&state.idle, [](uv_idle_t*) {});
}

void Loop::at_turn_end(std::function<void()> callback) {
  state_->turn_end_handlers.push_back(std::move(callback));
}

void Loop::use_virtual_time() {
  state_->virtual_time = true;
}

void Loop::advance(Duration span) {
  const MonoTime end = state_->virtual_now + span;
  while (!state_->heap.empty() && state_->heap.front()->time_ <= end) {
    state_->virtual_now = std::max(state_->virtual_now, state_->heap.front()->time_);
    state_->fire_due(state_->virtual_now);
    state_->run_ready();
  }
  state_->virtual_now = end;
}

namespace {

// Starts at once, marks its end, frees itself.
struct Main {
  struct promise_type {
    Main get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

Main run_main(Task<void> task, bool* ended) {
  {
    Task<void> held = std::move(task);
    co_await held;
  }
  *ended = true;
}

}  // namespace

void Loop::run(Task<void> main) {
  State& state = *state_;
  state.main_ended = false;
  uv_update_time(&state.uv);
  run_main(std::move(main), &state.main_ended);
  // The timer is not a reason to keep the loop alive, so hold it by hand until main has ended.
  uv_async_t keep_alive;
  uv_async_init(&state.uv, &keep_alive, [](uv_async_t*) {});
  while (!state.main_ended) {
    uv_run(&state.uv, UV_RUN_ONCE);
    state.fire_due(now());
    state.run_ready();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&keep_alive), nullptr);
  // Handles that are closing get their callbacks; handles that are still open do not hold us.
  for (int turn = 0; turn < 64; ++turn) {
    if (uv_run(&state.uv, UV_RUN_NOWAIT) == 0) break;
  }
  state.run_ready();
}

Deadline Deadline::in(Duration span) {
  return Deadline(Loop::current().now() + span);
}

bool Deadline::passed() const {
  return !is_never() && Loop::current().now() >= time_;
}

Duration Deadline::left() const {
  if (is_never()) return Duration::max();
  return std::max(Duration::zero(), time_ - Loop::current().now());
}

void Timer::set(Deadline deadline, Function<void()> on_time) {
  clear();
  on_time_ = std::move(on_time);
  time_ = deadline.time();
  Loop::current().state_->insert(*this);
}

void Timer::clear() {
  if (!is_set()) return;
  Loop::current().state_->remove(*this);
  on_time_ = {};
}

namespace {

struct Sleep {
  Deadline deadline;
  Timer timer{};
  explicit Sleep(Deadline until) : deadline(until) {}
  [[nodiscard]] bool await_ready() const { return deadline.passed(); }
  void await_suspend(std::coroutine_handle<> task) {
    timer.set(deadline, [task] { task.resume(); });
  }
  void await_resume() const noexcept {}
};

}  // namespace

Task<void> sleep_until(Deadline deadline) {
  co_await Sleep(deadline);
}

}  // namespace posthorn::async
