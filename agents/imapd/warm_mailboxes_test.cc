#include "agents/imapd/warm_mailboxes.h"

#include "libmail/store/test_maildir.h"

namespace posthorn::imapd {
namespace {

using store::test::Site;

std::shared_ptr<store::OpenMailbox> mailbox_of(Site& site, int messages) {
  std::shared_ptr<store::OpenMailbox> box = site.open();
  for (int i = 0; i < messages; ++i) site.deliver();
  store::test::sync(*box);
  return box;
}

WarmLimits small_limits(std::size_t most) {
  WarmLimits limits;
  limits.least_rows = 3;
  limits.most_rows = most;
  return limits;
}

async::Task<void> some_time() {
  co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(30)));
}

async::Task<void> until_gone(const std::weak_ptr<store::OpenMailbox>* mailbox) {
  for (int i = 0; i < 5000 && !mailbox->expired(); ++i)
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(2)));
}

TEST_CASE("WarmMailboxes: a large one stays open when its session leaves, a small one does not") {
  Site large;
  Site small;
  WarmMailboxes warm(small_limits(100));
  auto first = mailbox_of(large, 3);
  auto second = mailbox_of(small, 2);
  const std::weak_ptr<store::OpenMailbox> kept = first;
  const std::weak_ptr<store::OpenMailbox> closed = second;
  warm.keep(std::move(first));
  warm.keep(std::move(second));
  CHECK(closed.expired());
  async::run(some_time());
  CHECK_FALSE(kept.expired());
  async::run(warm.end());
  CHECK(kept.expired());
}

TEST_CASE("WarmMailboxes: what another session has is left to it") {
  Site site;
  WarmMailboxes warm(small_limits(100));
  auto mine = mailbox_of(site, 3);
  auto other = mine;
  const std::weak_ptr<store::OpenMailbox> watched = mine;
  warm.keep(std::move(mine));
  other.reset();
  CHECK(watched.expired());
  async::run(warm.end());
}

TEST_CASE("WarmMailboxes: the oldest goes when all together are too large") {
  Site one;
  Site two;
  WarmMailboxes warm(small_limits(5));
  auto first = mailbox_of(one, 3);
  auto second = mailbox_of(two, 4);
  const std::weak_ptr<store::OpenMailbox> oldest = first;
  const std::weak_ptr<store::OpenMailbox> newest = second;
  warm.keep(std::move(first));
  warm.keep(std::move(second));
  async::run(until_gone(&oldest));
  CHECK(oldest.expired());
  CHECK_FALSE(newest.expired());
  async::run(warm.end());
}

TEST_CASE("WarmMailboxes: one that nobody comes back to goes after its time") {
  Site site;
  WarmLimits soon = small_limits(100);
  soon.stay = std::chrono::milliseconds(1);
  WarmMailboxes warm(soon);
  auto box = mailbox_of(site, 3);
  const std::weak_ptr<store::OpenMailbox> kept = box;
  warm.keep(std::move(box));
  async::run(until_gone(&kept));
  CHECK(kept.expired());
  async::run(warm.end());
}

}  // namespace
}  // namespace posthorn::imapd
