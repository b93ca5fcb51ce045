#include "libmail/store/maildir_box.h"

#include <random>

#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using Uids = std::vector<std::uint32_t>;

TEST_CASE("MaildirBox: new messages get UIDs in the order of arrival") {
  Site site;
  auto box = site.open();
  site.deliver();
  site.deliver("cur", ":2,FS");
  sync(*box);
  const auto snapshot = box->snapshot();
  CHECK(uids_of(*snapshot) == Uids{1, 2});
  CHECK((snapshot->row(0).flags & flag::fresh) != 0);
  CHECK((snapshot->row(1).flags & flag::system_flags) == (flag::flagged | flag::seen));
  CHECK(snapshot->uid_next() == 3);
  CHECK(box->take_recent(false) == 1);
  CHECK(box->take_recent(false) == 3);
  CHECK(box->guid().size() == 32);
}

TEST_CASE(
    "MaildirBox: a list of UIDs that others wrote anew is seen, though no directory changed") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  auto other = site.open(".Other");
  sync(*other);
  site.deliver();
  sync(*box, true);
  const std::uint32_t validity = box->snapshot()->uid_validity();
  std::string list = site.content("dovecot-uidlist");
  list.replace(list.find('V') + 1, std::to_string(validity).size(), std::to_string(validity + 9));
  const auto rewrite = [&] { std::ofstream(site.maildir("dovecot-uidlist")) << list; };
  SECTION("by what changes messages, which refuses: their UIDs are the old ones") {
    rewrite();
    const auto how = GENERATE(0, 1, 2, 3);
    if (how == 0) CHECK_FALSE(box->store_flags(Uids{1}, add_flags(flag::seen)));
    if (how == 1) CHECK_FALSE(box->expunge(Uids{1}));
    if (how == 2) CHECK_FALSE(box->copy_to(*other, Uids{1}));
    if (how == 3) CHECK_FALSE(box->move_to(*other, Uids{1}));
    CHECK(site.names("cur").size() == 1);
    CHECK(other->snapshot()->size() == 0);
  }
  SECTION("by a look") {
    rewrite();
    sync(*box);
  }
  CHECK(box->snapshot()->uid_validity() == validity + 9);
}

TEST_CASE("MaildirBox: APPEND behind a lock comes again with what is written, and leaves nothing") {
  Site site;
  auto box = site.open();
  sync(*box);
  char host[256] = {};
  REQUIRE(gethostname(host, sizeof host - 1) == 0);
  const std::string lock = site.maildir("dovecot-uidlist.lock");
  std::ofstream(lock) << getppid() << ":" << host;
  std::unique_ptr<OpenMailbox::Written> written;
  const std::vector<AppendMessage> messages = {message("a: b\n\n"), message("c: d\n\n")};
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i)
    CHECK(box->append(messages, written).error().kind == StoreError::Kind::locked);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(1));
  CHECK(site.names("tmp").size() == 2);
  SECTION("given up") {
    written.reset();
  }
  SECTION("done") {
    fs::remove(lock);
    CHECK(box->append(messages, written)->uids == Uids{1, 2});
    CHECK_FALSE(written);
  }
  CHECK(site.names("tmp").empty());
  CHECK(site.names("cur").size() == box->snapshot()->size());
}

TEST_CASE("MaildirBox: a mailbox that others removed is gone at the next look") {
  Site site(GENERATE(false, true));
  auto box = site.open(".Gone");
  sync(*box);
  fs::remove_all(site.maildir(".Gone"));
  CHECK(box->sync(SyncRules()).error().kind == StoreError::Kind::not_found);
}

TEST_CASE("MaildirBox: a session that may write takes messages out of new/") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  const std::string base = site.deliver();
  sync(*box, true);
  CHECK(site.names("cur") == std::vector<std::string>{base + ":2,"});
  CHECK(site.names("new").empty());
  sync(*box);
  CHECK(uids_of(*box->snapshot()) == Uids{1});
}

TEST_CASE("MaildirBox: flags are in the file's name when STORE is answered") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  const std::string base = site.deliver();
  sync(*box);
  const auto before = box->snapshot();
  const auto stored = box->store_flags(Uids{1, 7}, add_flags(flag::seen | flag::flagged, {"work"}));
  REQUIRE(stored);
  CHECK(stored->changed == Uids{1});
  CHECK(stored->modseq > before->highest_modseq());
  CHECK(site.names("cur") == std::vector<std::string>{base + ":2,FSa"});
  CHECK(site.content("dovecot-keywords") == "0 work\n");
  CHECK(box->snapshot()->keywords() == std::vector<std::string>{"work"});

  FlagChange remove = add_flags(flag::flagged, {"WORK", "unheard-of"});
  remove.kind = FlagChange::Kind::remove;
  REQUIRE(box->store_flags(Uids{1}, remove));
  CHECK(site.names("cur") == std::vector<std::string>{base + ":2,S"});
  const auto again = box->store_flags(Uids{1}, add_flags(flag::seen));
  REQUIRE(again);
  CHECK(again->changed.empty());
  CHECK(again->modseq == 0);
}

TEST_CASE("MaildirBox: UNCHANGEDSINCE leaves alone what others changed") {
  Site site;
  auto box = site.open();
  site.deliver();
  site.deliver();
  sync(*box);
  const std::uint64_t modseq = box->snapshot()->highest_modseq();
  REQUIRE(box->store_flags(Uids{2}, add_flags(flag::seen)));
  FlagChange change = add_flags(flag::deleted);
  change.unchanged_since = modseq;
  const auto stored = box->store_flags(Uids{1, 2}, change);
  REQUIRE(stored);
  CHECK(stored->changed == Uids{1});
  CHECK(stored->modified == Uids{2});
}

TEST_CASE("MaildirBox: keywords beyond 26 are kept, and those beyond 64 refused") {
  Site site;
  auto box = site.open();
  const std::string base = site.deliver("cur", ":2,S");
  sync(*box);
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) names.push_back("kw" + std::to_string(i));
  REQUIRE(box->store_flags(Uids{1}, add_flags(0, names)));
  CHECK(site.names("cur") == std::vector<std::string>{base + ":2,Sabcdefghijklmnopqrstuvwxyz"});
  CHECK(site.content("posthorn-keywords").find("\n1 kw26 kw27 kw28 kw29\n") != std::string::npos);
  for (int i = 30; i < 70; ++i) names.push_back("kw" + std::to_string(i));
  const auto stored = box->store_flags(Uids{1}, add_flags(0, names));
  REQUIRE(stored);
  CHECK(stored->failed.size() == 1);
  const std::uint64_t all = box->snapshot()->row(0).keywords;
  CHECK(all == ~0ULL);
  // The next process reads them from the files.
  box = site.open();
  sync(*box);
  CHECK(box->snapshot()->row(0).keywords == all);
  CHECK(box->snapshot()->keywords().size() == 64);
}

TEST_CASE("MaildirBox: expunged messages are gone, and QRESYNC hears of them") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  for (int i = 0; i < 4; ++i) site.deliver();
  sync(*box, true);
  const std::uint64_t before = box->snapshot()->highest_modseq();
  const auto expunged = box->expunge(Uids{2, 4, 9});
  REQUIRE(expunged);
  CHECK(expunged->uids == Uids{2, 4});
  CHECK(uids_of(*box->snapshot()) == Uids{1, 3});
  CHECK(site.names("cur").size() == 2);
  const auto vanished = box->vanished(before);
  REQUIRE(vanished);
  CHECK(vanished->complete);
  CHECK(vanished->uids == Uids{2, 4});
  CHECK_FALSE(box->vanished(1)->complete);
  sync(*box);
  CHECK(uids_of(*box->snapshot()) == Uids{1, 3});
}

TEST_CASE("MaildirBox: an appended message is in cur/ with its flags and date") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  site.deliver();  // before, and not yet known
  AppendMessage one = message("Subject: a\r\n\r\nb\r\n", flag::seen);
  one.keywords = {"$Junk"};
  one.date = WallTime(std::chrono::seconds(1000000000));
  const auto appended = box->append({one, message("x\n")});
  INFO((appended ? "" : appended.error().text));
  REQUIRE(appended);
  CHECK(appended->uids == Uids{2, 3});
  const auto row = box->snapshot()->find(2);
  REQUIRE(row);
  CHECK(row->size == 17);
  CHECK(row->date == 1000000000);
  CHECK(box->text(2).value() == "Subject: a\r\n\r\nb\r\n");
  CHECK(site.names("tmp").empty());
  // And so another process sees it.
  auto other = site.open();
  sync(*other);
  REQUIRE(other->measure(Uids{1, 2, 3}, Need::date));
  CHECK(uids_of(*other->snapshot()) == Uids{1, 2, 3});
  CHECK(other->snapshot()->find(2)->date == 1000000000);
  CHECK(other->snapshot()->find(2)->keywords == 1);
  sync(*box);
  CHECK(box->snapshot()->highest_modseq() == row->modseq);
}

TEST_CASE("MaildirBox: copies keep flags, date and EMAILID; moves leave nothing behind") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  auto target = site.open(".Archive");
  for (int i = 0; i < 3; ++i) site.deliver("cur", ":2,S");
  sync(*box);
  REQUIRE(box->store_flags(Uids{1, 2}, add_flags(flag::flagged, {"work"})));
  const auto ids = box->email_ids(Uids{1, 2, 3});
  REQUIRE(ids);
  const auto copied = box->copy_to(*target, Uids{1, 3});
  INFO((copied ? "" : copied.error().text));
  REQUIRE(copied);
  CHECK(copied->source == Uids{1, 3});
  CHECK(copied->target == Uids{1, 2});
  const auto moved = box->move_to(*target, Uids{2});
  REQUIRE(moved);
  CHECK(moved->target == Uids{3});
  CHECK(uids_of(*box->snapshot()) == Uids{1, 3});
  const auto there = target->snapshot();
  CHECK(uids_of(*there) == Uids{1, 2, 3});
  CHECK((there->find(1)->flags & flag::system_flags) == (flag::seen | flag::flagged));
  CHECK(there->find(3)->keywords == 1);
  CHECK(there->find(2)->keywords == 0);
  CHECK(target->email_ids(Uids{1, 2, 3}).value() ==
        std::vector<std::string>{(*ids)[0], (*ids)[2], (*ids)[1]});
  // Another process finds the same.
  auto again = site.open(".Archive");
  sync(*again);
  CHECK(again->email_ids(Uids{1, 2, 3}).value() == target->email_ids(Uids{1, 2, 3}).value());
  sync(*box);
  CHECK(uids_of(*box->snapshot()) == Uids{1, 3});
}

TEST_CASE("MaildirBox: moving within a mailbox gives new UIDs") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  for (int i = 0; i < 3; ++i) site.deliver("cur", ":2,");
  sync(*box);
  const auto moved = box->move_to(*box, Uids{1, 2});
  REQUIRE(moved);
  CHECK(moved->target == Uids{4, 5});
  CHECK(uids_of(*box->snapshot()) == Uids{3, 4, 5});
  sync(*box);
  CHECK(uids_of(*box->snapshot()) == Uids{3, 4, 5});
}

TEST_CASE("MaildirBox: what another program renames, removes and delivers is seen") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  const std::string a = site.deliver("cur", ":2,");
  const std::string b = site.deliver("cur", ":2,S");
  sync(*box);
  const std::uint64_t before = box->snapshot()->highest_modseq();
  fs::rename(site.maildir("cur/" + a + ":2,"), site.maildir("cur/" + a + ":2,RS"));
  fs::remove(site.maildir("cur/" + b + ":2,S"));
  site.deliver();
  sync(*box);
  const auto snapshot = box->snapshot();
  CHECK(uids_of(*snapshot) == Uids{1, 3});
  CHECK((snapshot->row(0).flags & flag::system_flags) == (flag::answered | flag::seen));
  CHECK(snapshot->row(0).modseq > before);
  CHECK(box->vanished(before)->uids == Uids{2});
}

TEST_CASE("MaildirBox: a file that was renamed a moment ago is found for reading and flagging") {
  Site site;
  auto box = site.open();
  const std::string a = site.deliver("cur", ":2,");
  sync(*box);
  fs::rename(site.maildir("cur/" + a + ":2,"), site.maildir("cur/" + a + ":2,F"));
  CHECK(box->text(1).value() == "Subject: x\r\n\r\nbody\r\n");
  fs::rename(site.maildir("cur/" + a + ":2,F"), site.maildir("cur/" + a + ":2,"));
  REQUIRE(box->store_flags(Uids{1}, add_flags(flag::seen)));
  CHECK(site.names("cur") == std::vector<std::string>{a + ":2,S"});
}

TEST_CASE("MaildirBox: another UIDVALIDITY in the list makes everything new") {
  Site site;
  auto box = site.open();
  site.deliver();
  sync(*box);
  const auto before = box->snapshot();
  fs::remove(site.maildir("dovecot-uidlist"));
  sleep(1);
  sync(*box);
  CHECK(box->snapshot()->uid_validity() != before->uid_validity());
  CHECK(box->snapshot()->highest_modseq() > before->highest_modseq());
  CHECK(uids_of(*box->snapshot()) == Uids{1});
}

TEST_CASE("MaildirBox: a UID that is announced stands in the list, however many lines are dead") {
  Site site;
  site.directories();
  std::vector<std::string> bases;
  for (int i = 0; i < 40; ++i) bases.push_back(site.deliver());
  sync(*site.open());
  for (std::size_t i = 32; i < 40; ++i) fs::remove(site.maildir("new/" + bases[i]));
  const std::string base = site.deliver();
  sync(*site.open());
  CHECK(site.content("dovecot-uidlist").find("\n41 :" + base + "\n") != std::string::npos);
}

TEST_CASE("MaildirBox: hostile names do no harm") {
  Site site(GENERATE(false, true));
  auto box = site.open();
  for (const char* name : {"a:2,", "b", "c:1,xyz", "d:2,SSSS!", ":2,S", "e:2,S\n", "f:2,\xff\xfe"})
    std::ofstream(site.maildir("cur") + "/" + name) << "x\n";
  std::ofstream(site.maildir("cur") + "/g:2," + std::string(200, 'z')) << "x\n";
  fs::create_symlink("/etc/passwd", site.maildir("cur/h:2,"));
  fs::create_directory(site.maildir("cur/i:2,"));
  sync(*box);
  for (const std::uint32_t uid : uids_of(*box->snapshot())) {
    static_cast<void>(box->store_flags(Uids{uid}, add_flags(flag::seen)));
    const auto text = box->text(uid);
    if (text) CHECK(text->find("root:") == std::string::npos);
  }
  sync(*box);
  SyncRules rules;
  rules.full_scan = true;
  const Uids before = uids_of(*box->snapshot());
  REQUIRE(box->sync(rules));
  CHECK(uids_of(*box->snapshot()) == before);
}

// Two processes and a careless third program; in the end all agree, nothing is lost and no UID means two messages.
TEST_CASE("MaildirBox: two processes and foreign changes end in one truth") {
  const bool watch = GENERATE(false, true);
  std::minstd_rand chance(GENERATE(range(1U, 9U)));
  Site site(watch);
  Site other_host(false);  // its StoreHost has no watcher
  auto one = site.open();
  auto two =
      std::make_unique<MaildirBox>(*other_host.host, site.directories(), nullptr, BoxSettings());
  std::map<std::uint32_t, std::string> texts;  // UID -> what it was first seen with
  std::set<std::uint32_t> gone;
  MailboxView view;
  for (int step = 0; step < 120; ++step) {
    MaildirBox& box = chance() % 2 == 0 ? *one : *two;
    const Uids uids = uids_of(*box.snapshot());
    Uids some;
    for (const std::uint32_t uid : uids) {
      if (chance() % 4 == 0) some.push_back(uid);
    }
    switch (chance() % 8) {
      case 0:
      case 1:
        site.deliver(chance() % 2 == 0 ? "new" : "cur", "",
                     "Subject: " + std::to_string(step) + "\n\n");
        break;
      case 2: {
        FlagChange change = add_flags(chance() % 32, {"k" + std::to_string(chance() % 5)});
        change.kind = static_cast<FlagChange::Kind>(chance() % 3);
        REQUIRE(box.store_flags(some, change));
        break;
      }
      case 3:
        if (some.size() > 1) some.resize(1);
        REQUIRE(box.expunge(some));
        break;
      case 4:
        REQUIRE(box.append({message("Subject: " + std::to_string(step) + "\n\n", chance() % 32)}));
        break;
      case 5:  // mutt
        for (const std::string& name : site.names("cur")) {
          if (chance() % 3 != 0) continue;
          const std::string base = name.substr(0, name.find(':'));
          fs::rename(site.maildir("cur/" + name),
                     site.maildir("cur/" + base + (chance() % 2 == 0 ? ":2,S" : ":2,FRS")));
        }
        break;
      case 6:
        sync(box, chance() % 2 == 0);
        break;
      default:
        for (const std::string& name : site.names("new")) {
          if (chance() % 2 == 0)
            fs::rename(site.maildir("new/" + name), site.maildir("cur/" + name + ":2,"));
        }
    }
    if (chance() % 5 != 0) continue;
    sync(*one);
    sync(*two);
    const auto a = one->snapshot();
    const auto b = two->snapshot();
    REQUIRE(uids_of(*a) == uids_of(*b));
    REQUIRE(a->size() == site.names("cur").size() + site.names("new").size());
    for (std::size_t i = 0; i < a->size(); ++i) {
      const std::uint32_t uid = a->row(i).uid;
      REQUIRE((a->row(i).flags & flag::system_flags) == (b->row(i).flags & flag::system_flags));
      REQUIRE(a->row(i).keywords == b->row(i).keywords);
      const std::string text = one->text(uid).value();
      REQUIRE(texts.emplace(uid, text).first->second == text);
      REQUIRE_FALSE(gone.contains(uid));
    }
    for (const auto& [uid, text] : texts) {
      if (!a->find(uid)) gone.insert(uid);
    }
    view.update(*a, true);
    if (view.uid_validity() == 0) view = MailboxView(*a);
    REQUIRE(view.size() == a->size());
  }
}

}  // namespace
}  // namespace posthorn::store
