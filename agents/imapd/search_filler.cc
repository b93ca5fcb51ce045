#include "agents/imapd/search_filler.h"

#include <algorithm>
#include <chrono>

#include "libmail/async/files.h"

namespace posthorn::imapd {

using async::Deadline;
using async::Task;
using search::Filling;

namespace {

constexpr std::size_t most_jobs = 256;               // further mailboxes wait for their next search
constexpr auto gathering = std::chrono::seconds(2);  // messages that come together
constexpr auto busy_pause = std::chrono::milliseconds(50);
constexpr unsigned most_refusals = 200;                      // somebody else fills it
constexpr auto quiet_time = std::chrono::milliseconds(150);  // behind the last command
constexpr auto patience = std::chrono::milliseconds(300);    // with commands all the time

}  // namespace

void SearchFiller::searched(std::shared_ptr<store::OpenMailbox> mailbox) {
  take(std::move(mailbox), Filling::Need::wanted, Deadline::in(Duration::zero()));
}

void SearchFiller::grown(std::shared_ptr<store::OpenMailbox> mailbox) {
  take(std::move(mailbox), Filling::Need::kept_up, Deadline::in(gathering));
}

void SearchFiller::take(std::shared_ptr<store::OpenMailbox> mailbox, Filling::Need need,
                        Deadline due) {
  if (ending_ || jobs_.size() >= most_jobs) return;
  const auto is_its = [&](const std::unique_ptr<Job>& job) {
    return job.get() != under_way_ && job->filling.mailbox() == mailbox.get();
  };
  const auto known = std::find_if(jobs_.begin(), jobs_.end(), is_its);
  if (known == jobs_.end()) {
    const search::FillingRules rules;
    jobs_.push_back(std::make_unique<Job>(Filling(std::move(mailbox), need, rules), due));
  } else {
    if (need == Filling::Need::wanted) (*known)->filling.want();
    (*known)->due = std::min((*known)->due, due);
  }
  wake_.set();
  if (!fills_) scope_.spawn(fill());
}

void SearchFiller::make_way() {
  quiet_ = Deadline::in(quiet_time);
}

Task<void> SearchFiller::wait_for_quiet() {
  const Deadline latest = Deadline::in(patience);
  while (!ending_ && !quiet_.passed() && !latest.passed()) {
    const Deadline due = quiet_.or_before(latest);
    wake_.reset();
    (void)co_await wake_.wait_until(due);
  }
}

Task<void> SearchFiller::fill() {
  fills_ = true;
  bool waited = false;  // for commands
  while (!ending_ && !jobs_.empty()) {
    const auto next = std::min_element(
        jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) { return a->due < b->due; });
    if (!(*next)->due.passed()) {
      const Deadline due = (*next)->due;
      wake_.reset();
      (void)co_await wake_.wait_until(due);
      continue;
    }
    if (!quiet_.passed() && !std::exchange(waited, true)) {
      co_await wait_for_quiet();
      continue;
    }
    waited = false;
    Job* job = next->get();
    under_way_ = job;
    const bool goes_on = co_await step(*job);
    under_way_ = nullptr;
    const auto place = std::find_if(jobs_.begin(), jobs_.end(),
                                    [job](const auto& other) { return other.get() == job; });
    std::unique_ptr<Job> held = std::move(*place);
    jobs_.erase(place);
    if (goes_on) {
      jobs_.push_back(std::move(held));
      continue;
    }
    // The last user of a mailbox writes its index, and SQLite closes its file: not on the loop.
    auto let_go = [&held] { held.reset(); };
    co_await async::blocking(std::move(let_go));
  }
  fills_ = false;
}

// False: the mailbox is done, or nothing can be done for it.
Task<bool> SearchFiller::step(Job& job) {
  auto work = [&job] { return job.filling.next(); };
  const auto stepped = co_await async::blocking(std::move(work));
  if (stepped) {
    if (!stepped->remark.empty()) log_.warning("", "search-index", {{"why", stepped->remark}});
    job.due = Deadline::in(Duration::zero());
    co_return !stepped->is_done;
  }
  const bool busy = stepped.error().kind == search::SearchError::Kind::busy;
  job.due = Deadline::in(busy_pause);
  if (busy && ++job.refusals < most_refusals) co_return true;
  log_.warning("", "search-index", {{"why", stepped.error().text}});
  co_return false;
}

Task<void> SearchFiller::end() {
  ending_ = true;
  wake_.set();
  co_await scope_.join();
  std::deque<std::unique_ptr<Job>> left = std::move(jobs_);
  auto let_go = [&left] { left.clear(); };
  co_await async::blocking(std::move(let_go));
}

}  // namespace posthorn::imapd
