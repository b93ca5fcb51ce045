// Blocking calls of the store that say `locked`, awaited: come again until it works or the time is over.
#pragma once

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

}  // namespace posthorn::store
