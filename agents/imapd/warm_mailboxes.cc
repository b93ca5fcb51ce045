#include "agents/imapd/warm_mailboxes.h"

#include <algorithm>

#include "libmail/async/files.h"

namespace posthorn::imapd {

using async::Deadline;
using async::Task;

std::shared_ptr<store::OpenMailbox> WarmMailboxes::keep(
    std::shared_ptr<store::OpenMailbox> mailbox) {
  if (ending_) return mailbox;
  const Deadline until = Deadline::in(limits_.stay);
  const auto known = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const Kept& kept) { return kept.mailbox == mailbox; });
  if (known != kept_.end()) {
    // Whoever has it still lets go of it later.
    kept_.erase(known);
  } else if (mailbox.use_count() > 1 || mailbox->snapshot()->size() < limits_.least_rows) {
    return mailbox;
  }
  scope_.spawn(rest(mailbox));
  kept_.emplace_back(std::move(mailbox), until);
  wake_.set();
  if (!looks_) scope_.spawn(look_after());
  return nullptr;
}

std::size_t WarmMailboxes::rows() const {
  std::size_t rows = 0;
  for (const Kept& kept : kept_) rows += kept.mailbox->snapshot()->size();
  return rows;
}

Task<void> WarmMailboxes::rest(std::shared_ptr<store::OpenMailbox> mailbox) {
  store::OpenMailbox* here = mailbox.get();
  auto work = [here] { return here->rest(); };
  (void)co_await async::blocking(std::move(work));  // whoever works in it now rests it later
}

Task<void> WarmMailboxes::look_after() {
  looks_ = true;
  while (!kept_.empty()) {
    const Deadline due = kept_.front().until;
    if (!ending_ && !due.passed() && rows() <= limits_.most_rows) {
      wake_.reset();
      (void)co_await wake_.wait_until(due);
      continue;
    }
    auto mailbox = std::move(kept_.front().mailbox);
    kept_.pop_front();
    // The last user of a mailbox writes its index: not on the loop.
    auto let_go = [&mailbox] { mailbox.reset(); };
    co_await async::blocking(std::move(let_go));
  }
  looks_ = false;
}

Task<void> WarmMailboxes::end() {
  ending_ = true;
  wake_.set();
  co_await scope_.join();
}

}  // namespace posthorn::imapd
