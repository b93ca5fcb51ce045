#include "agents/queued/schedule.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>

using namespace posthorn;
using namespace posthorn::queued;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("retry_delay: doubles up to the longest, within a fifth") {
  const RetryRule rule;
  for (std::uint64_t random : {0ULL, 1ULL << 40, ~0ULL}) {
    for (unsigned attempts = 1; attempts < 80; ++attempts) {
      const Duration delay = retry_delay(rule, attempts, random);
      const Duration exact =
          std::min<Duration>(hours(1), minutes(1) * (1LL << std::min(attempts - 1, 20u)));
      CHECK(delay >= exact * 4 / 5);
      CHECK(delay <= exact * 6 / 5);
    }
  }
}

TEST_CASE("retry_delay: messages that fail together come back apart") {
  const RetryRule rule;
  CHECK(retry_delay(rule, 3, 11'000'000'000ULL) != retry_delay(rule, 3, 23'000'000'000ULL));
}

TEST_CASE("lost_agent_delay: seconds first, then the common rule") {
  const RetryRule rule;
  CHECK(lost_agent_delay(rule, 1, 0) < seconds(3));
  CHECK(lost_agent_delay(rule, 40, 0) >= minutes(45));
}

TEST_CASE("TimerWheel: gives everyone in their second, once, whatever the order and the gaps") {
  std::mt19937 random(1);
  TimerWheel wheel(1000);
  std::vector<std::unique_ptr<queue::Message>> messages;
  for (int i = 0; i < 5000; ++i) {
    messages.push_back(std::make_unique<queue::Message>());
    messages.back()->next = 900 + random() % 40'000;
    wheel.add(*messages.back());
  }
  CHECK(wheel.size() == 5000);
  std::size_t given = 0;
  std::uint32_t now = 1000;
  while (now < 41'000) {
    const std::uint32_t before = now;
    now += 1 + random() % 7;
    for (const queue::Message* message : wheel.take_due(now)) {
      ++given;
      CHECK(message->next <= now);
      CHECK((message->next > before || before == 1000));
    }
  }
  CHECK(given == 5000);
  CHECK(wheel.size() == 0);
}

TEST_CASE("TimerWheel: after a long sleep all that are due come at once") {
  TimerWheel wheel(1000);
  queue::Message soon;
  soon.next = 1005;
  queue::Message later;
  later.next = 500'000;
  wheel.add(soon);
  wheel.add(later);
  CHECK(wheel.take_due(400'000).size() == 1);
  CHECK(wheel.take_due(600'000).size() == 1);
}

TEST_CASE("TimerWheel: who is taken out does not come") {
  TimerWheel wheel(1000);
  queue::Message one;
  one.next = 1001;
  wheel.add(one);
  wheel.remove(one);
  CHECK(wheel.take_due(2000).empty());
  wheel.add(one);
  CHECK(wheel.take_due(2002).size() == 1);
}
