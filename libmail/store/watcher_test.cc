#include "libmail/store/watcher.h"

#include "libmail/async/event.h"
#include "libmail/store/mbox_box.h"
#include "libmail/store/retry.h"
#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using async::Deadline;
using async::Task;

// Waits for the bell and syncs, as a session in IDLE does.
Task<bool> hear(OpenMailbox& box, async::Event& rung) {
  const bool heard = co_await rung.wait_until(Deadline::in(std::chrono::seconds(10)));
  rung.reset();
  auto work = [&box] { return box.sync(SyncRules()); };
  const auto synced = co_await when_unlocked(Deadline::in(std::chrono::seconds(10)), work);
  CHECK(synced);
  co_return heard;
}

Task<void> idle(Site& site, std::unique_ptr<MaildirBox> box) {
  async::Event rung;
  auto listening = std::make_unique<Listening>(box->bell(), [&rung] { rung.set(); });
  site.deliver();
  const bool first = co_await hear(*box, rung);
  CHECK(first);
  CHECK(box->snapshot()->size() == 1);
  // Another session of ours changes something.
  auto work = [&box] { return box->append({message("x\n")}); };
  const auto appended = co_await async::blocking(std::move(work));
  CHECK(appended);
  const bool second = co_await hear(*box, rung);
  CHECK(second);
  CHECK(box->snapshot()->size() == 2);
  const std::string name = site.names("new").front();
  fs::rename(site.maildir("new/" + name), site.maildir("cur/" + name + ":2,S"));
  const bool third = co_await hear(*box, rung);
  CHECK(third);
  CHECK((box->snapshot()->row(0).flags & flag::seen) != 0);
  listening.reset();
  box.reset();
  site.host.reset();
  site.watcher.reset();
}

TEST_CASE("Watcher: the bell rings when others or we change a mailbox") {
  Site site(true);
  auto box = site.open();
  sync(*box);
  async::run(idle(site, std::move(box)));
}

TEST_CASE("Watcher: without watches the bell rings now and then, and nothing is missed") {
  Site site;
  site.watcher = std::make_unique<Watcher>(std::chrono::milliseconds(20));
  site.watcher->set_watch_limit(1);
  site.host = std::make_unique<StoreHost>(site.files, "test", getpid(), site.watcher.get());
  auto box = site.open();
  sync(*box);
  async::run(idle(site, std::move(box)));
}

Task<void> idle_on_mbox(Site& site, std::unique_ptr<MboxBox> box) {
  async::Event rung;
  auto listening = std::make_unique<Listening>(box->bell(), [&rung] { rung.set(); });
  std::ofstream(site.path + "/mbox", std::ios::app)
      << "From x Sun Nov 22 20:24:20 2026\nSubject: d\n\n";
  const bool heard = co_await hear(*box, rung);
  CHECK(heard);
  CHECK(box->snapshot()->size() == 1);
  listening.reset();
  box.reset();
  site.host.reset();
  site.watcher.reset();
}

TEST_CASE("Watcher: the bell of an mbox rings now and then") {
  Site site;
  site.watcher = std::make_unique<Watcher>(std::chrono::milliseconds(20));
  site.host = std::make_unique<StoreHost>(site.files, "test", getpid(), site.watcher.get());
  MailLocation location;
  location.format = MailFormat::mbox;
  location.base = site.path;
  location.components = {"mbox"};
  async::run(idle_on_mbox(site, std::make_unique<MboxBox>(*site.host, location)));
}

// A mailbox keeps its directories open, so that the kernel tells of their end only with a file system's.
TEST_CASE("Watcher: a directory that is gone for good counts as lost") {
  Site site(true);
  auto bell = site.watcher->make_bell();
  std::shared_ptr<DirectoryWatch> watch;
  {
    const auto directories = site.directories();
    watch =
        site.watcher->watch(directories.fresh->descriptor(), directories.cur->descriptor(), bell);
    REQUIRE(watch);
  }
  fs::remove_all(site.maildir());
  CHECK(watch->take().lost);
  CHECK_FALSE(watch->take().lost);
}

TEST_CASE("Watcher: more changes than the kernel's queue holds are found by a scan") {
  Site site(true);
  auto box = site.open();
  sync(*box);
  std::size_t most = 16384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  if (most > 100000) return;  // takes too long
  const std::string a = site.maildir("cur/1.flip:2,");
  const std::string b = site.maildir("cur/1.flip:2,S");
  std::ofstream(a) << "x\n";
  for (std::size_t i = 0; i < most / 4 + 10; ++i) {
    fs::rename(a, b);
    fs::rename(b, a);
  }
  site.deliver();
  sync(*box);
  CHECK(box->snapshot()->size() == 2);
}

}  // namespace
}  // namespace posthorn::store
