// Blocking calls of the store that say `locked`, awaited: come again until it works or the time is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "libmail/async/files.h"
#include "libmail/async/timer.h"
#include "libmail/store/error.h"

namespace posthorn::store {

// Runs `work` (giving a StoreResult) in the pool, again and again while it says `locked`, and gives its last result. `work`
// refers only to what the awaiter keeps alive.
template <class F>
auto when_unlocked(async::Deadline deadline, F work) -> async::Task<std::invoke_result_t<F>> {
  Duration pause = std::chrono::milliseconds(2);
  for (;;) {
    auto once = [&work] { return work(); };
    auto result = co_await async::blocking(std::move(once));
    const bool again =
        !result && result.error().kind == StoreError::Kind::locked && !deadline.passed();
    if (!again) co_return std::move(result);
    const async::Deadline next = async::Deadline::in(pause);
    co_await async::sleep_until(deadline.or_before(next));
    pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(100));
  }
}

// For what follows a step that must not be done twice: comes again on this thread, for a second. What is `locked` even then
// is `unavailable`, so that nobody repeats the whole.
template <class F>
std::invoke_result_t<F> insist(F work) {
  const auto started = std::chrono::steady_clock::now();
  for (auto pause = std::chrono::milliseconds(1);;
       pause = std::min(pause * 2, decltype(pause)(50))) {
    auto result = work();
    if (result || result.error().kind != StoreError::Kind::locked) return result;
    if (std::chrono::steady_clock::now() - started > std::chrono::seconds(1))
      return fail(not_again(std::move(result.error())));
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace posthorn::store
