#include "libmail/store/maildrop.h"

#include "libmail/async/files.h"
#include "libmail/base/crlf.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 64 * 1024;
constexpr auto retry_after = std::chrono::milliseconds(100);

// Waits a little before the next try; false when there will be none.
async::Task<bool> wait_for_lock(async::Deadline deadline) {
  if (deadline.passed()) co_return false;
  const async::Deadline pause = async::Deadline::in(retry_after);
  co_await async::sleep_until(deadline.or_before(pause));
  co_return true;
}

}  // namespace

async::Task<StoreResult<std::string>> MaildropMessage::next() {
  if (!ready_.empty()) co_return std::exchange(ready_, {});
  if (at_end_) co_return std::string();
  auto work = [source = source_] { return source->read(chunk); };
  auto octets = co_await async::blocking(std::move(work));
  if (!octets) co_return fail(std::move(octets.error()));
  at_end_ = octets->size() < chunk;
  std::string out;
  out.reserve(octets->size() + octets->size() / 32);
  append_crlf(*octets, after_cr_, out);
  co_return out;
}

Maildrop::Maildrop(std::shared_ptr<Mailbox> mailbox, MailboxScan scan)
    : mailbox_(std::move(mailbox)), scan_(std::make_shared<MailboxScan>(std::move(scan))) {}

async::Task<StoreResult<std::unique_ptr<MaildropMessage>>> Maildrop::open(std::size_t index) {
  if (index >= scan_->entries.size()) {
    co_return fail(StoreError(StoreError::Kind::not_found, "no such message"));
  }
  // The first chunk is read in the same trip to the pool: most messages are no longer.
  struct Opened {
    std::shared_ptr<MessageSource> source;
    std::string octets;
  };
  auto work = [mailbox = mailbox_, scan = scan_, index]() -> StoreResult<Opened> {
    auto source = mailbox->open(scan->entries[index]);
    if (!source) return fail(std::move(source.error()));
    auto octets = (*source)->read(chunk);
    if (!octets) return fail(std::move(octets.error()));
    return Opened{std::move(*source), std::move(*octets)};
  };
  auto opened = co_await async::blocking(std::move(work));
  if (!opened) co_return fail(std::move(opened.error()));
  auto message = std::make_unique<MaildropMessage>(std::move(opened->source));
  message->at_end_ = opened->octets.size() < chunk;
  append_crlf(opened->octets, message->after_cr_, message->ready_);
  co_return message;
}

async::Task<StoreResult<MailboxChanged>> Maildrop::finish(std::vector<std::size_t> deleted,
                                                          std::vector<std::size_t> seen,
                                                          async::Deadline deadline) {
  MailboxChanges changes;
  for (const std::size_t index : deleted) {
    if (index < scan_->entries.size()) changes.remove.push_back(scan_->entries[index].uid);
  }
  for (const std::size_t index : seen) {
    if (index < scan_->entries.size()) changes.mark_seen.push_back(scan_->entries[index].uid);
  }
  for (;;) {
    auto work = [mailbox = mailbox_, scan = scan_, changes] {
      return mailbox->apply(*scan, changes);
    };
    auto done = co_await async::blocking(std::move(work));
    if (done || done.error().kind != StoreError::Kind::locked) co_return done;
    const bool again = co_await wait_for_lock(deadline);
    if (!again) co_return done;
  }
}

async::Task<StoreResult<std::unique_ptr<Maildrop>>> open_maildrop(Files& files,
                                                                  MailLocation location,
                                                                  async::Deadline deadline) {
  auto open = [&files, location]() -> StoreResult<std::shared_ptr<Mailbox>> {
    auto mailbox = open_mailbox(files, location);
    if (!mailbox) return fail(std::move(mailbox.error()));
    auto ours = (*mailbox)->take_exclusively();
    if (!ours) return fail(std::move(ours.error()));
    if (!*ours) {
      return fail(StoreError(StoreError::Kind::locked,
                             location.path() + " is open in another POP3 session"));
    }
    return std::move(*mailbox);
  };
  auto mailbox = co_await async::blocking(std::move(open));
  if (!mailbox) co_return fail(std::move(mailbox.error()));
  for (;;) {
    auto work = [held = *mailbox] { return held->scan(); };
    auto scan = co_await async::blocking(std::move(work));
    if (scan) co_return std::make_unique<Maildrop>(std::move(*mailbox), std::move(*scan));
    if (scan.error().kind != StoreError::Kind::locked) co_return fail(std::move(scan.error()));
    const bool again = co_await wait_for_lock(deadline);
    if (!again) co_return fail(std::move(scan.error()));
  }
}

}  // namespace posthorn::store
