// When a message is tried again: a pure function, and the wheel that remembers who is due.
#pragma once

#include <cstdint>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/queue/message.h"

namespace posthorn::queued {

struct RetryRule {
  Duration first = std::chrono::minutes(1);
  Duration longest = std::chrono::hours(1);

  RetryRule() = default;
  RetryRule(Duration first_delay, Duration longest_delay)
      : first(first_delay), longest(longest_delay) {}
};

// The wait behind the Nth failed attempt (the first is 1): it doubles from `first` to `longest`, and `random` takes
// up to a fifth of it away or adds as much, so that what failed together does not come back together.
[[nodiscard]] Duration retry_delay(const RetryRule& rule, unsigned attempts, std::uint64_t random);

// The wait when our own agent went away in the middle of a transaction: it is being restarted, so seconds will
// do at first, and soon it is the common rule.
[[nodiscard]] Duration lost_agent_delay(const RetryRule& rule, unsigned attempts,
                                        std::uint64_t random);

// Messages by the second in which they are due. Setting and clearing cost a few pointers; a turn looks at one slot a
// second, where messages of later rounds are passed over.
class TimerWheel {
 public:
  explicit TimerWheel(std::uint32_t now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Due in second `message.next`; at once if that has passed. The message must not be in the wheel.
  void add(queue::Message& message);
  void remove(queue::Message& message);
  // Takes out and gives all that are due by `now`.
  [[nodiscard]] std::vector<queue::Message*> take_due(std::uint32_t now);
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t slots = 8192;
  std::vector<queue::WheelLink> heads_;  // one ring a slot
  std::uint32_t now_;
  std::size_t size_ = 0;
};

}  // namespace posthorn::queued
