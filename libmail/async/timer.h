// Deadlines and timers on the loop's clock, which tests can stop and move by hand
// (Loop::use_virtual_time).
#pragma once

#include <chrono>
#include <limits>

#include "libmail/async/task.h"
#include "libmail/base/clock.h"
#include "libmail/base/function.h"

namespace posthorn::async {

// A moment on the monotonic clock, or never.
class Deadline {
 public:
  static Deadline at(MonoTime time) { return Deadline(time); }
  static Deadline in(Duration span);  // from the loop's now
  static Deadline never() { return Deadline(MonoTime::max()); }

  [[nodiscard]] bool is_never() const { return time_ == MonoTime::max(); }
  [[nodiscard]] bool passed() const;
  [[nodiscard]] MonoTime time() const { return time_; }
  [[nodiscard]] Duration left() const;  // zero once it passed
  // The earlier of two.
  [[nodiscard]] Deadline or_before(Deadline other) const {
    return other.time_ < time_ ? other : *this;
  }
  auto operator<=>(const Deadline&) const = default;

 private:
  explicit Deadline(MonoTime time) : time_(time) {}
  MonoTime time_;
};

// One shot. Setting and clearing cost a heap operation and no system call. Destroying it clears it.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { clear(); }

  void set(Deadline deadline, Function<void()> on_time);  // replaces what was set
  void clear();
  [[nodiscard]] bool is_set() const { return place_ != none; }

 private:
  friend class Loop;
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  MonoTime time_;
  std::size_t place_ = none;  // in the loop's heap
  Function<void()> on_time_;
};

Task<void> sleep_until(Deadline deadline);

}  // namespace posthorn::async
