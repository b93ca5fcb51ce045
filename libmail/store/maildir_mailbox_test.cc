#include "libmail/store/maildir_mailbox.h"

#include <catch2/catch.hpp>
#include <map>

#include "libmail/store/memory_files.h"

using namespace posthorn::store;
using namespace std::chrono_literals;

namespace {

// A Maildir in memory at /home/bob/Maildir.
struct Box {
  std::unique_ptr<MemoryFiles> files = std::make_unique<MemoryFiles>();
  const std::string path = "/home/bob/Maildir";

  Box() { REQUIRE(files->make_directories("/home/bob", 0700)); }

  std::unique_ptr<Mailbox> open() {
    MailLocation location;
    location.base = "/home/bob";
    location.components = {"Maildir"};
    auto mailbox = open_mailbox(*files, location);
    REQUIRE(mailbox);
    return std::move(*mailbox);
  }
  void put(const std::string& name, const std::string& content = "A: b\n\nc\n") {
    open();
    files->put(path + "/" + name, content);
  }
  MailboxScan scan() {
    auto scan = open()->scan();
    INFO((scan ? "" : scan.error().text));
    REQUIRE(scan);
    return *scan;
  }
  std::string list() { return files->content(path + "/dovecot-uidlist").value_or("none"); }
};

std::string read_all(Mailbox& mailbox, const MailboxEntry& entry) {
  auto message = mailbox.open(entry);
  REQUIRE(message);
  std::string out;
  for (;;) {
    auto part = (*message)->read(3);
    REQUIRE(part);
    if (part->empty()) return out;
    out += *part;
  }
}

}  // namespace

TEST_CASE("Maildir: is made on demand, and an empty one has no messages") {
  Box box;
  CHECK(box.scan().entries.empty());
  CHECK(box.files->names(box.path) ==
        std::vector<std::string>{"cur", "dovecot-uidlist", "new", "tmp"});
}

TEST_CASE(
    "Maildir: new messages get UIDs in the order they came, and the list is one Dovecot reads") {
  Box box;
  box.put("new/1000.M9P1.h,S=8,W=11");
  box.put("new/999.M1P1.h,S=8,W=11");
  box.put("cur/1000.M10P1.h,S=8,W=11:2,S");
  const MailboxScan scan = box.scan();
  REQUIRE(scan.entries.size() == 3);
  CHECK(scan.entries[0].file == "new/999.M1P1.h,S=8,W=11");
  CHECK(scan.entries[1].file == "new/1000.M9P1.h,S=8,W=11");
  CHECK(scan.entries[2].file == "cur/1000.M10P1.h,S=8,W=11:2,S");
  CHECK(scan.entries[2].seen);
  CHECK(scan.entries[2].uid == 3);
  CHECK(scan.entries[0].size == 11);
  const UidList list = UidList::parse(box.list());
  CHECK(list.damage.empty());
  CHECK(list.next_uid == 4);
  CHECK(list.uid_validity == scan.uid_validity);
  CHECK(list.guid.size() == 32);
  CHECK(box.list().starts_with("3 V" + std::to_string(scan.uid_validity) + " N4 G"));
}

TEST_CASE("Maildir: UIDs stay with their messages through renames, removals and new mail") {
  Box box;
  for (const char* name : {"new/1.M1P1.h,W=9", "new/2.M1P1.h,W=9", "new/3.M1P1.h,W=9",
                           "new/4.M1P1.h,W=9", "new/5.M1P1.h,W=9"}) {
    box.put(name);
  }
  const MailboxScan before = box.scan();
  auto root = box.files->open_directory(box.path);
  auto fresh = (*root)->open_directory("new");
  auto cur = (*root)->open_directory("cur");
  REQUIRE((*fresh)->rename("2.M1P1.h,W=9", **cur, "2.M1P1.h,W=9:2,FS"));  // another program read it
  REQUIRE((*fresh)->unlink("3.M1P1.h,W=9"));
  box.put("new/0.M1P1.h,W=9");  // older, but it came later
  const MailboxScan after = box.scan();
  CHECK(after.uid_validity == before.uid_validity);
  REQUIRE(after.entries.size() == 5);
  CHECK(after.entries[1].uid == 2);
  CHECK(after.entries[1].file == "cur/2.M1P1.h,W=9:2,FS");
  CHECK(after.entries[2].uid == 4);
  CHECK(after.entries[4].uid == 6);
  CHECK(after.entries[4].file == "new/0.M1P1.h,W=9");
  // Appended, not written anew: one line in six is dead.
  CHECK(box.list().find("3 :3.M1P1.h,W=9") != std::string::npos);
  CHECK(box.scan().entries.size() == 5);
}

TEST_CASE(
    "Maildir: the list is written anew when a quarter of it is dead, and the next UID is kept") {
  Box box;
  for (const char* name : {"new/1.M1P1.h", "new/2.M1P1.h"}) box.put(name);
  box.scan();
  auto fresh = box.files->open_directory(box.path + "/new");
  REQUIRE((*fresh)->unlink("2.M1P1.h"));
  box.scan();
  CHECK(box.list().find("2.M1P1.h") == std::string::npos);
  box.put("new/3.M1P1.h");
  CHECK(box.scan().entries.back().uid == 3);
}

TEST_CASE("Maildir: a Dovecot list keeps its UIDVALIDITY, GUID and unknown fields") {
  Box box;
  box.put("cur/1.M1P1.h:2,S");
  box.files->put(
      box.path + "/dovecot-uidlist",
      "3 V77 N40 G3085f01b7f11094c501100008c4a11c1 Xkept\n31 W9 Pold Zkept :1.M1P1.h\n32 :gone\n");
  box.put("new/2.M1P1.h");
  const MailboxScan scan = box.scan();
  CHECK(scan.uid_validity == 77);
  REQUIRE(scan.entries.size() == 2);
  CHECK(scan.entries[0].uid == 31);
  CHECK(scan.entries[0].uidl == "old");
  CHECK(scan.entries[0].size == 9);
  CHECK(scan.entries[1].uid == 40);
  CHECK(scan.entries[1].uidl == "000000280000004d");
  CHECK(box.list().starts_with(
      "3 V77 N41 G3085f01b7f11094c501100008c4a11c1 Xkept\n31 W9 Pold Zkept :1.M1P1.h\n40 "));
}

TEST_CASE("Maildir: Courier's UIDs are taken over once") {
  Box box;
  box.put("cur/1.M1P1.h:2,S");
  box.files->put(box.path + "/courierimapuiddb", "1 1200000000 9\n8 1.M1P1.h\n");
  CHECK(box.scan().entries[0].uid == 8);
  CHECK(box.list().starts_with("3 V1200000000 N9 G"));
  box.files->put(box.path + "/courierimapuiddb", "1 5 99\n98 1.M1P1.h\n");
  CHECK(box.scan().entries[0].uid == 8);
}

TEST_CASE("Maildir: a damaged list is repaired and the repair is said") {
  Box box;
  box.put("cur/1.M1P1.h:2,S");
  box.put("cur/2.M1P1.h:2,S");
  box.files->put(
      box.path + "/dovecot-uidlist",
      "3 V77 N40 G3085f01b7f11094c501100008c4a11c1\n31 :1.M1P1.h\nrubbish\n32 :2.M1P1.h\n33 :half");
  const MailboxScan scan = box.scan();
  CHECK(scan.uid_validity == 77);
  CHECK(scan.entries[1].uid == 32);
  REQUIRE(scan.remarks.size() == 1);
  CHECK(scan.remarks[0].find("line 3") != std::string::npos);
  CHECK_FALSE(UidList::parse(box.list()).must_rewrite);
}

TEST_CASE("Maildir: when the UIDs run out everything is numbered again under a new UIDVALIDITY") {
  Box box;
  box.put("cur/1.M1P1.h:2,S");
  box.files->put(box.path + "/dovecot-uidlist",
                 "3 V77 N4294967295 G3085f01b7f11094c501100008c4a11c1\n4294967294 :1.M1P1.h\n");
  box.put("new/2.M1P1.h");
  const MailboxScan scan = box.scan();
  CHECK(scan.uid_validity > 77);
  REQUIRE(scan.entries.size() == 2);
  CHECK(scan.entries[0].uid == 1);
  CHECK(scan.entries[1].uid == 2);
}

TEST_CASE("Maildir: two messages never show one UIDL") {
  Box box;
  box.put("cur/1.M1P1.h:2,S");
  box.put("cur/2.M1P1.h:2,S");
  box.files->put(
      box.path + "/dovecot-uidlist",
      "3 V77 N40 G3085f01b7f11094c501100008c4a11c1\n31 Psame :1.M1P1.h\n32 Psame :2.M1P1.h\n");
  const MailboxScan scan = box.scan();
  CHECK(scan.entries[0].uidl == "same");
  CHECK(scan.entries[1].uidl == "000000200000004d");
}

TEST_CASE("Maildir: a size that stands in no name is measured once and kept in the list") {
  Box box;
  box.put("new/1.M1P1.h", "A: b\n\nc\r\nd");
  CHECK(box.scan().entries[0].size == 12);
  CHECK(box.list().find("\n1 W12 :1.M1P1.h\n") != std::string::npos);
  bool read = false;
  box.files->watch([&read](const MemoryFiles::Call& call) {
    if (call.operation == "open" && call.subject.ends_with("new/1.M1P1.h")) read = true;
  });
  CHECK(box.scan().entries[0].size == 12);
  CHECK_FALSE(read);
}

TEST_CASE("Maildir: names that are no messages are passed over and said") {
  Box box;
  box.put("new/.nfs0001");
  box.put("new/:2,S");
  box.put("cur/a\nb");
  const MailboxScan scan = box.scan();
  CHECK(scan.entries.empty());
  REQUIRE(scan.remarks.size() == 2);
  CHECK(scan.remarks[1] == "no message: cur/a\\x0ab");
}

TEST_CASE("Maildir: UIDs are on disk before they are announced") {
  Box box;
  box.put("new/1.M1P1.h,S=8,W=11");
  box.scan();
  box.put("new/2.M1P1.h,S=8,W=11");
  const auto scan = box.scan();
  CHECK(scan.entries[1].uid == 2);
  const auto after = box.files->after_power_cut(MemoryFiles::Unsynced::lost);
  const UidList list = UidList::parse(after->content(box.path + "/dovecot-uidlist").value_or(""));
  REQUIRE(list.records.size() == 2);
  CHECK(list.records[1].uid == 2);
}

TEST_CASE("Maildir: at whatever call the power goes, no UID ever means two messages") {
  // UIDs announced before the cut must mean the same message after it.
  for (std::size_t cut = 0; cut < 40; ++cut) {
    for (unsigned seed = 0; seed < 8; ++seed) {
      CAPTURE(cut, seed);
      Box box;
      box.put("new/1.M1P1.h,S=8,W=11");
      std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> announced;
      const auto note = [&announced](const MailboxScan& scan) {
        for (const MailboxEntry& entry : scan.entries) {
          const auto [known, fresh] =
              announced.emplace(std::pair(scan.uid_validity, entry.uid), entry.file.substr(4));
          CHECK(known->second == entry.file.substr(4));
        }
      };
      note(box.scan());
      box.files->cut_at(box.files->changes() + cut);
      // Two rounds with a removal between them: one appends to the list, one writes it anew.
      if (auto open = open_mailbox(*box.files, [] {
            MailLocation location;
            location.base = "/home/bob";
            location.components = {"Maildir"};
            return location;
          }())) {
        for (const char* fresh : {"2.M1P1.h,S=8,W=11", "3.M1P1.h,S=8,W=11"}) {
          auto directory = box.files->open_directory(box.path + "/new");
          if (!directory) break;
          if (auto file = (*directory)->open_file(fresh, OpenMode::create_new, 0600)) {
            if (!(*file)->write("A: b\n\nc\n")) break;
            if (!(*file)->sync()) break;
          }
          if (!(*directory)->sync()) break;
          auto scan = (*open)->scan();
          if (!scan) break;
          note(*scan);
          MailboxChanges changes;
          changes.remove = {scan->entries[0].uid};
          if (!(*open)->apply(*scan, changes)) break;
        }
      }
      box.files = box.files->after_power_cut(
          seed == 0 ? MemoryFiles::Unsynced::lost : MemoryFiles::Unsynced::by_chance, seed);
      // A lock that survived without its content says nobody's name.
      box.files->advance(200s);
      note(box.scan());
    }
  }
}

TEST_CASE("Maildir: a message is found although another program has moved it") {
  Box box;
  box.put("new/1.M1P1.h", "A: b\n\nc\n");
  auto mailbox = box.open();
  const auto scan = mailbox->scan();
  REQUIRE(scan);
  auto root = box.files->open_directory(box.path);
  auto fresh = (*root)->open_directory("new");
  auto cur = (*root)->open_directory("cur");
  REQUIRE((*fresh)->rename("1.M1P1.h", **cur, "1.M1P1.h:2,S"));
  CHECK(read_all(*mailbox, scan->entries[0]) == "A: b\n\nc\n");
  REQUIRE((*cur)->unlink("1.M1P1.h:2,S"));
  const auto gone = mailbox->open(scan->entries[0]);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().kind == StoreError::Kind::not_found);
}

TEST_CASE("Maildir: removing and marking happen under the lock, wherever the files are by then") {
  Box box;
  for (const char* name : {"new/1.M1P1.h", "new/2.M1P1.h", "cur/3.M1P1.h:2,Fa", "new/4.M1P1.h"})
    box.put(name);
  auto mailbox = box.open();
  const auto scan = mailbox->scan();
  REQUIRE(scan);
  auto root = box.files->open_directory(box.path);
  auto fresh = (*root)->open_directory("new");
  auto cur = (*root)->open_directory("cur");
  REQUIRE((*fresh)->rename("1.M1P1.h", **cur, "1.M1P1.h:2,F"));
  REQUIRE((*fresh)->unlink("4.M1P1.h"));
  bool locked = true;
  bool lock_made = false;
  box.files->watch([&](const MemoryFiles::Call& call) {
    const bool changes = call.operation == "rename" || call.operation == "unlink";
    if (changes && call.subject.find("uidlist") == std::string::npos) {
      locked = locked && lock_made;
    }
    if (call.operation == "link" && call.subject.find("uidlist.lock") != std::string::npos)
      lock_made = true;
  });
  MailboxChanges changes;
  changes.remove = {1, 4};
  changes.mark_seen = {2, 3};
  const auto changed = mailbox->apply(*scan, changes);
  REQUIRE(changed);
  CHECK(changed->removed == 2);
  CHECK(changed->failed.empty());
  CHECK(locked);
  CHECK(box.files->names(box.path + "/new").empty());
  CHECK(box.files->names(box.path + "/cur") ==
        std::vector<std::string>{"2.M1P1.h:2,S", "3.M1P1.h:2,FSa"});
  const MailboxScan after = box.scan();
  REQUIRE(after.entries.size() == 2);
  CHECK(after.entries[0].uid == 2);
  CHECK(after.entries[0].seen);
}

TEST_CASE("Maildir: while another program holds the list nothing is scanned or changed") {
  Box box;
  box.put("new/1.M1P1.h");
  auto mailbox = box.open();
  const auto scan = mailbox->scan();
  REQUIRE(scan);
  box.files->put(box.path + "/dovecot-uidlist.lock", "1:other.host.invalid");
  CHECK(mailbox->scan().error().kind == StoreError::Kind::locked);
  MailboxChanges changes;
  changes.remove = {1};
  CHECK(mailbox->apply(*scan, changes).error().kind == StoreError::Kind::locked);
  CHECK(box.files->names(box.path + "/new").size() == 1);
}

TEST_CASE("Maildir: one POP3 session at a time") {
  Box box;
  auto first = box.open();
  CHECK(first->take_exclusively().value());
  CHECK(first->take_exclusively().value());
  auto second = box.open();
  CHECK_FALSE(second->take_exclusively().value());
  first.reset();
  CHECK(second->take_exclusively().value());
}

TEST_CASE("Maildir: a full disk fails the scan and leaves the list as it was") {
  Box box;
  box.put("new/1.M1P1.h,S=8,W=11");
  box.scan();
  const std::string before = box.list();
  box.put("new/2.M1P1.h,S=8,W=11");
  box.files->fail_next("write", ENOSPC, 1);  // the lock is written, the list is not
  const auto scan = box.open()->scan();
  REQUIRE_FALSE(scan);
  CHECK(scan.error().kind == StoreError::Kind::disk_full);
  CHECK(box.list() == before);
  CHECK(box.scan().entries.size() == 2);
}

TEST_CASE("Maildir: what a crash left in tmp/ is swept after 36 hours, and nothing else") {
  Box box;
  box.put("tmp/1.M1P1.h");
  box.put("tmp/.keep");
  box.put("new/1.M1P1.h");
  auto tmp = box.files->open_directory(box.path + "/tmp");
  box.files->advance(36h);
  CHECK(sweep_tmp(*box.files, **tmp).value() == 0);
  box.files->advance(1s);
  CHECK(sweep_tmp(*box.files, **tmp).value() == 1);
  CHECK(box.files->names(box.path + "/tmp") == std::vector<std::string>{".keep"});
  CHECK(box.files->names(box.path + "/new").size() == 1);
}
