#include "agents/queued/schedule.h"

#include <algorithm>

namespace posthorn::queued {
namespace {

constexpr Duration lost_agent_first = std::chrono::seconds(2);

// `delay` and up to a fifth more or less.
Duration with_jitter(Duration delay, std::uint64_t random) {
  const std::int64_t fifth = delay.count() / 5;
  if (fifth == 0) return delay;
  const auto offset = static_cast<std::int64_t>(random % (2 * static_cast<std::uint64_t>(fifth)));
  return Duration(delay.count() - fifth + offset);
}

Duration doubled(Duration first, Duration longest, unsigned attempts) {
  Duration delay = first;
  for (unsigned i = 1; i < attempts && delay < longest; ++i) delay *= 2;
  return std::min(delay, longest);
}

}  // namespace

Duration retry_delay(const RetryRule& rule, unsigned attempts, std::uint64_t random) {
  return with_jitter(doubled(rule.first, rule.longest, attempts), random);
}

Duration lost_agent_delay(const RetryRule& rule, unsigned attempts, std::uint64_t random) {
  const Duration first = std::min(lost_agent_first, rule.first);
  return with_jitter(doubled(first, rule.longest, attempts), random);
}

TimerWheel::TimerWheel(std::uint32_t now) : heads_(slots), now_(now) {
  for (queue::WheelLink& head : heads_) head.wheel_before = head.wheel_behind = &head;
}

void TimerWheel::add(queue::Message& message) {
  check(!message.is_waiting(), "a message is scheduled twice");
  const std::uint32_t due = std::max(message.next, now_ + 1);
  queue::WheelLink& head = heads_[due % slots];
  message.wheel_behind = &head;
  message.wheel_before = head.wheel_before;
  head.wheel_before->wheel_behind = &message;
  head.wheel_before = &message;
  ++size_;
}

void TimerWheel::remove(queue::Message& message) {
  check(message.is_waiting(), "a message is not scheduled");
  message.wheel_before->wheel_behind = message.wheel_behind;
  message.wheel_behind->wheel_before = message.wheel_before;
  message.wheel_before = message.wheel_behind = nullptr;
  --size_;
}

std::vector<queue::Message*> TimerWheel::take_due(std::uint32_t now) {
  std::vector<queue::Message*> due;
  if (now <= now_) return due;
  const std::uint32_t steps = std::min(now - now_, slots);  // a long sleep: every slot once
  for (std::uint32_t step = 0; step < steps; ++step) {
    queue::WheelLink& head = heads_[(now - step) % slots];
    queue::WheelLink* link = head.wheel_behind;
    while (link != &head) {
      auto* message = static_cast<queue::Message*>(link);
      link = message->wheel_behind;
      if (message->next <= now) {
        remove(*message);
        due.push_back(message);
      }
    }
  }
  now_ = now;
  return due;
}

}  // namespace posthorn::queued
