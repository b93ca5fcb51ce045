// What goes wrong in the middle: locks that others take, disks that refuse, files that move under our hands.
#include <cerrno>

#include "libmail/store/mbox_box.h"
#include "libmail/store/memory_files.h"
#include "libmail/store/memory_index.h"
#include "libmail/store/store.h"
#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using Uids = std::vector<std::uint32_t>;
using Kind = StoreError::Kind;

// Maildirs and an mbox below /home/bob, on a disk in memory.
struct Disk {
  MemoryFiles files;
  StoreHost host{files, "test", 7};

  Disk() { REQUIRE(files.make_directories("/home/bob", 0700)); }
  static MailLocation location(const std::string& name) {
    MailLocation location;
    location.base = "/home/bob";
    location.components = {name};
    return location;
  }
  std::unique_ptr<MaildirBox> open(const std::string& folder = {}) {
    auto directories = open_maildir(files, location("Maildir"), folder);
    REQUIRE(directories);
    return std::make_unique<MaildirBox>(host, std::move(*directories), nullptr, BoxSettings());
  }
  std::unique_ptr<MboxBox> open_mbox() {
    auto mbox = location("mbox");
    mbox.format = MailFormat::mbox;
    return std::make_unique<MboxBox>(host, mbox);
  }
  // Both know of everything, and need not look again.
  void settle(std::initializer_list<OpenMailbox*> boxes) {
    files.advance(std::chrono::seconds(1));
    SyncRules rules;
    rules.full_scan = true;
    for (OpenMailbox* box : boxes) REQUIRE(box->sync(rules));
  }
  // Somebody else has the next lock that is taken after `after` of them, when it is tried once.
  void lock_next(std::size_t after) { files.fail_next("create", EEXIST, after, 2); }
};

TEST_CASE("MboxBox: a lock behind the first message of an APPEND makes none twice") {
  Disk disk;
  const auto box = disk.open_mbox();
  sync(*box);
  disk.lock_next(GENERATE(1, 2));  // before the second message; before it is read again
  const auto appended = box->append({message("Subject: a\n\n"), message("Subject: b\n\n")});
  INFO((appended ? "" : appended.error().text));
  REQUIRE(appended);
  CHECK(appended->uids == Uids{1, 2});
  CHECK(box->snapshot()->size() == 2);
}

TEST_CASE("OpenMailbox: a move whose source stays locked is not asked for again") {
  Site site;
  auto maildir = site.open();
  site.deliver();
  sync(*maildir);
  MailLocation location;
  location.base = site.path;
  location.components = {"mbox"};
  location.format = MailFormat::mbox;
  MboxBox mbox(*site.host, location);
  sync(mbox);
  std::ofstream(site.maildir("dovecot-uidlist.lock")) << "1:elsewhere";
  const auto moved = maildir->move_to(mbox, Uids{1});
  REQUIRE_FALSE(moved);
  CHECK(moved.error().kind == Kind::unavailable);
  CHECK(mbox.snapshot()->size() == 1);
}

TEST_CASE("MaildirBox: from one file system to another a move copies once") {
  Disk disk;
  const auto box = disk.open();
  const auto target = disk.open(".Archive");
  REQUIRE(box->append({message("a\n"), message("b\n")}));
  disk.settle({box.get(), target.get()});
  disk.files.fail_next("rename", EXDEV);
  disk.files.fail_next("link", EXDEV, 5, 2);  // behind those of the locks
  // Two locks for the rename, two for looking again, the target's, two files in tmp/; the next is for the expunge.
  disk.lock_next(7);
  std::size_t locks = 0;
  disk.files.watch([&locks](const MemoryFiles::Call& call) {
    locks += call.operation == "create" &&
             call.subject.find("Maildir/dovecot-uidlist.lock") != std::string::npos;
  });
  const auto moved = box->move_to(*target, Uids{1, 2});
  INFO((moved ? "" : moved.error().text));
  REQUIRE(moved);
  CHECK(locks == 5);  // the last one after it was refused, twice
  CHECK(moved->target == Uids{1, 2});
  CHECK(box->snapshot()->size() == 0);
  CHECK(disk.files.names("/home/bob/Maildir/.Archive/cur").size() == 2);
}

TEST_CASE("MaildirBox: when the list can't be written, nothing was copied or moved") {
  const bool move = GENERATE(false, true);
  Disk disk;
  const auto box = disk.open();
  const auto target = disk.open(".Archive");
  REQUIRE(box->append({message("a\n"), message("b\n")}));
  disk.settle({box.get(), target.get()});
  const auto before = disk.files.names("/home/bob/Maildir/cur");
  disk.files.fail_next("sync", ENOSPC);  // of the list
  const auto done = move ? box->move_to(*target, Uids{1, 2}) : box->copy_to(*target, Uids{1, 2});
  REQUIRE_FALSE(done);
  CHECK(done.error().kind == Kind::disk_full);
  CHECK(disk.files.names("/home/bob/Maildir/cur") == before);
  CHECK(disk.files.names("/home/bob/Maildir/.Archive/cur").empty());
  disk.settle({box.get(), target.get()});
  CHECK(uids_of(*box->snapshot()) == Uids{1, 2});
  CHECK(target->snapshot()->size() == 0);
}

// An index that lets others do something while a command is under way, behind its sync and its lock.
class HookedIndex final : public MemoryIndex {
 public:
  std::shared_ptr<std::function<void()>> hook = std::make_shared<std::function<void()>>();
  StoreResult<std::vector<std::string>> names_of(std::span<const std::uint32_t> uids) override {
    if (*hook) std::exchange(*hook, nullptr)();
    return MemoryIndex::names_of(uids);
  }
};

struct Meddled {
  Site site;
  std::shared_ptr<std::function<void()>> meanwhile;
  std::unique_ptr<MaildirBox> box;
  std::int64_t messages = 0;  // that the quota was told of

  explicit Meddled(bool watch) : site(watch) {
    auto index = std::make_unique<HookedIndex>();
    meanwhile = index->hook;
    BoxSettings settings;
    settings.usage = [this](std::int64_t, std::int64_t more) { messages += more; };
    box = std::make_unique<MaildirBox>(*site.host, site.directories(), std::move(index), settings);
  }
  void rename(const std::string& from, const std::string& to) const {
    fs::rename(site.maildir("cur/" + from), site.maildir("cur/" + to));
  }
};

TEST_CASE("MaildirBox: EXPUNGE spares what has lost \\Deleted by now, MOVE's does not") {
  Meddled meddled(GENERATE(false, true));
  MaildirBox& box = *meddled.box;
  const std::string a = meddled.site.deliver("cur", ":2,T");
  meddled.site.deliver("cur", ":2,T");
  meddled.site.deliver("cur", ":2,");
  sync(box);
  *meddled.meanwhile = [&] { meddled.rename(a + ":2,T", a + ":2,S"); };
  ExpungeRules rules;
  rules.only_deleted = true;
  const auto expunged = box.expunge(Uids{1, 2, 3}, rules);
  REQUIRE(expunged);
  CHECK(expunged->uids == Uids{2});
  sync(box);
  CHECK(uids_of(*box.snapshot()) == Uids{1, 3});
  CHECK((box.snapshot()->find(1)->flags & flag::system_flags) == flag::seen);
  CHECK(box.expunge(Uids{1})->uids == Uids{1});
}

TEST_CASE(
    "MaildirBox: a message that goes or is renamed in the middle of a STORE leaves no ghost") {
  Meddled meddled(GENERATE(false, true));
  MaildirBox& box = *meddled.box;
  const std::string a = meddled.site.deliver("cur", ":2,");
  const std::string b = meddled.site.deliver("cur", ":2,");
  sync(box);
  *meddled.meanwhile = [&] {
    fs::remove(meddled.site.maildir("cur/" + a + ":2,"));
    meddled.rename(b + ":2,", b + ":2,F");
  };
  const auto stored = box.store_flags(Uids{1, 2}, add_flags(flag::seen));
  REQUIRE(stored);
  CHECK(stored->changed == Uids{2});
  sync(box);
  CHECK(uids_of(*box.snapshot()) == Uids{2});
  CHECK((box.snapshot()->row(0).flags & flag::system_flags) == (flag::seen | flag::flagged));
  CHECK(meddled.site.names("cur") == std::vector<std::string>{b + ":2,FS"});
}

TEST_CASE("MaildirBox: the quota is told once of a message that two remove") {
  Meddled meddled(GENERATE(false, true));
  const std::string a = meddled.site.deliver("cur", ":2,");
  meddled.site.deliver("cur", ":2,");
  sync(*meddled.box);
  *meddled.meanwhile = [&] { fs::remove(meddled.site.maildir("cur/" + a + ":2,")); };
  CHECK(meddled.box->expunge(Uids{1, 2})->uids == Uids{1, 2});
  CHECK(meddled.messages == -1);
  sync(*meddled.box);
  CHECK(meddled.box->snapshot()->size() == 0);
}

struct Account {
  Site site;
  std::unique_ptr<Store> store;
  Account() {
    site.directories();
    StoreSettings settings;
    NamespaceSettings personal;
    personal.location.base = site.path;
    personal.location.components = {"Maildir"};
    settings.namespaces.push_back(personal);
    store = std::make_unique<Store>(*site.host, settings);
  }
};

TEST_CASE("Store: CREATE and DELETE that were done are not asked for again") {
  Account account;
  const std::string lock = account.site.maildir("posthorn-mailboxes.lock");
  std::ofstream(lock) << "1:elsewhere";
  CHECK(account.store->create("Sent", {"\\Sent"}).error().kind == Kind::unavailable);
  CHECK(account.store->remove("Sent").error().kind == Kind::unavailable);
  fs::remove(lock);
  CHECK(account.store->create("Sent", {"\\Sent"}));
}

TEST_CASE("Store: RENAME INBOX of a locked INBOX makes nothing") {
  Account account;
  account.site.deliver();
  std::ofstream(account.site.maildir("dovecot-uidlist.lock")) << "1:elsewhere";
  CHECK(account.store->rename("INBOX", "Old").error().kind == Kind::locked);
  CHECK_FALSE(fs::exists(account.site.maildir(".Old")));
  fs::remove(account.site.maildir("dovecot-uidlist.lock"));
  REQUIRE(account.store->rename("INBOX", "Old"));
  CHECK(account.store->status("Old")->counts.messages == 1);
}

}  // namespace
}  // namespace posthorn::store
