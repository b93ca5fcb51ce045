#include "agents/imapd/index_writer.h"

#include <algorithm>
#include <chrono>

#include "libmail/store/retry.h"

namespace posthorn::imapd {

using async::Deadline;
using async::Task;

namespace {

constexpr auto quiet_time = std::chrono::milliseconds(100);  // behind the last command
constexpr auto most_delay = std::chrono::seconds(1);
constexpr auto lock_time = std::chrono::seconds(2);

}  // namespace

void IndexWriter::note(const std::shared_ptr<store::OpenMailbox>& mailbox) {
  if (ending_ || !mailbox->index_waits()) return;
  const Deadline quiet = Deadline::in(quiet_time);
  const auto known = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const Job& job) { return job.mailbox == mailbox; });
  if (known != jobs_.end())
    known->quiet = quiet;
  else
    jobs_.emplace_back(mailbox, quiet, Deadline::in(most_delay));
  if (!writes_) scope_.spawn(write());
}

Task<void> IndexWriter::write() {
  writes_ = true;
  while (!jobs_.empty()) {
    const auto next = std::min_element(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) {
      return a.quiet.or_before(a.latest) < b.quiet.or_before(b.latest);
    });
    const Deadline due = next->quiet.or_before(next->latest);
    if (!due.passed() && !ending_) {
      wake_.reset();
      (void)co_await wake_.wait_until(due);
      continue;
    }
    auto mailbox = std::move(next->mailbox);
    jobs_.erase(next);
    store::OpenMailbox* here = mailbox.get();
    auto put = [here] { return here->write_index(); };
    (void)co_await store::when_unlocked(Deadline::in(lock_time), std::move(put));
    co_await drop(std::move(mailbox));
  }
  writes_ = false;
}

Task<void> IndexWriter::drop(std::shared_ptr<store::OpenMailbox> mailbox) {
  auto let_go = [&mailbox] { mailbox.reset(); };
  co_await async::blocking(std::move(let_go));
}

void IndexWriter::let_go(std::shared_ptr<store::OpenMailbox> mailbox) {
  if (mailbox.use_count() == 1 && !ending_) scope_.spawn(drop(std::move(mailbox)));
}

Task<void> IndexWriter::end() {
  ending_ = true;
  wake_.set();
  co_await scope_.join();
}

}  // namespace posthorn::imapd
