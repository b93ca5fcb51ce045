#include "agents/imapd/value_keeper.h"

#include <algorithm>

#include "libmail/store/retry.h"

namespace posthorn::imapd {

using async::Task;

namespace {

constexpr std::size_t most_octets = 32 * 1024 * 1024;  // of the process, waiting
constexpr std::size_t one_commit = 4 * 1024 * 1024;
constexpr auto lock_time = std::chrono::seconds(2);

}  // namespace

void ValueKeeper::keep(const std::shared_ptr<store::OpenMailbox>& mailbox, MadeValues made) {
  if (made.values.empty() || octets_ + made.octets > most_octets) return;
  octets_ += made.octets;
  const auto same = [&](const Job& job) {
    return job.mailbox == mailbox && job.made.kind == made.kind && job.made.octets < one_commit &&
           job.made.values.back().first < made.values.front().first;
  };
  const auto waiting = std::find_if(jobs_.begin(), jobs_.end(), same);
  if (waiting != jobs_.end()) {
    waiting->made.octets += made.octets;
    std::move(made.values.begin(), made.values.end(), std::back_inserter(waiting->made.values));
  } else {
    jobs_.emplace_back(mailbox, std::move(made));
  }
  if (!writes_) scope_.spawn(write());
}

Task<void> ValueKeeper::write() {
  writes_ = true;
  while (!jobs_.empty()) {
    auto job = std::make_unique<Job>(std::move(jobs_.front()));
    jobs_.pop_front();
    const std::size_t octets = job->made.octets;
    Job* held = job.get();
    auto put = [held] { return held->mailbox->put_values(held->made.kind, held->made.values); };
    (void)co_await store::when_unlocked(async::Deadline::in(lock_time), std::move(put));
    // The last user of a mailbox writes its index: not on the loop.
    auto let_go = [&job] { job.reset(); };
    co_await async::blocking(std::move(let_go));
    octets_ -= octets;
  }
  writes_ = false;
}

Task<void> ValueKeeper::end() {
  co_await scope_.join();
}

}  // namespace posthorn::imapd
