#include "libmail/store/mbox.h"

#include <catch2/catch.hpp>

#include "libmail/store/mailbox.h"
#include "libmail/store/memory_files.h"

using namespace posthorn::store;

namespace {

MailLocation location() {
  MailLocation at;
  at.format = MailFormat::mbox;
  at.base = "/var/mail";
  at.components = {"bob"};
  return at;
}

Content content(std::string_view text) {
  ContentWriter writer;
  writer.append(text);
  REQUIRE(writer.end_text());
  return writer.finish();
}

StoreResult<std::uint64_t> deliver(MemoryFiles& files, std::string_view body) {
  return append_to_mbox(files, location(), "ann@alpha.test", "Return-Path: <ann@alpha.test>\n",
                        content(body));
}

constexpr const char* path = "/var/mail/bob";
constexpr const char* day = "Sun Nov 22 00:00:00 2026";

std::string read_all(Mailbox& mailbox, const MailboxEntry& entry) {
  auto message = mailbox.open(entry);
  REQUIRE(message);
  std::string out;
  for (;;) {
    auto part = (*message)->read(5);
    REQUIRE(part);
    if (part->empty()) return out;
    out += *part;
  }
}

}  // namespace

TEST_CASE("append_to_mbox: writes mboxrd, synced, and leaves no lock") {
  MemoryFiles files;
  CHECK(deliver(files, "A: b\r\n\r\nFrom here\r\n>From there").value() == 0);
  const std::string first = std::string("From ann@alpha.test ") + day +
                            "\nReturn-Path: <ann@alpha.test>\nA: b\n\n>From here\n>>From there\n\n";
  CHECK(files.content(path) == first);
  CHECK(deliver(files, "C: d\r\n").value() == first.size());
  CHECK(files.content(path) ==
        first + "From ann@alpha.test " + day + "\nReturn-Path: <ann@alpha.test>\nC: d\n\n");
  CHECK(files.names("/var/mail") == std::vector<std::string>{"bob"});
  const auto after = files.after_power_cut(MemoryFiles::Unsynced::names_survive);
  CHECK(after->content(path) == files.content(path));
}

TEST_CASE("append_to_mbox: what another program left open gets its end first") {
  const auto [before, gap] =
      GENERATE(table<std::string, std::string>({{"From x\n\nhalf a line", "\n\n"},
                                                {"From x\n\na line\n", "\n"},
                                                {"From x\n\na line\n\n", ""}}));
  MemoryFiles files;
  files.put(path, before);
  REQUIRE(deliver(files, "C: d\r\n"));
  CHECK(files.content(path)->starts_with(before + gap + "From ann@alpha.test "));
}

TEST_CASE("append_to_mbox: a full disk leaves the file as it was") {
  const auto [operation, after] =
      GENERATE(table<std::string, std::size_t>({{"write", 1}, {"sync", 0}}));
  MemoryFiles files;
  files.put(path, "From x\n\nbody\n\n");
  files.fail_next(operation, ENOSPC, after);
  const auto done = deliver(files, "C: d\r\n");
  REQUIRE_FALSE(done);
  CHECK(done.error().kind == StoreError::Kind::disk_full);
  CHECK(files.content(path) == "From x\n\nbody\n\n");
  CHECK(files.names("/var/mail") == std::vector<std::string>{"bob"});
}

TEST_CASE("append_to_mbox: of several messages all are written, or none") {
  MemoryFiles files;
  REQUIRE(deliver(files, "A: b\r\n\r\nbody"));
  const std::string before = files.content(path).value();
  const Content one = content("B: c\r\n\r\n1");
  const Content two = content("C: d\r\n\r\n2");
  std::vector<MboxLetter> letters(2);
  letters[0].body = &one;
  letters[1].body = &two;
  files.fail_next("write", ENOSPC, 2);  // the lock's, the first message's, the second's
  CHECK(append_to_mbox(files, location(), "", letters).error().kind == StoreError::Kind::disk_full);
  CHECK(files.content(path) == before);
  REQUIRE(append_to_mbox(files, location(), "", letters));
  const std::string after = files.content(path).value();
  CHECK(after.starts_with(before));
  CHECK(after.find("B: c\n\n1\n\nFrom ") != std::string::npos);
  CHECK(after.ends_with("C: d\n\n2\n\n"));
}

TEST_CASE("append_to_mbox: waits for both locks") {
  MemoryFiles files;
  files.put(path, "");
  {
    auto directory = files.open_directory("/var/mail");
    auto other = (*directory)->open_file("bob", OpenMode::update, 0600);
    REQUIRE((*other)->try_lock().value());
    CHECK(deliver(files, "x").error().kind == StoreError::Kind::locked);
  }
  files.put("/var/mail/bob.lock", "1:other.host.invalid");
  CHECK(deliver(files, "x").error().kind == StoreError::Kind::locked);
  CHECK(files.content(path) == "");
}

TEST_CASE("mbox as a Mailbox: what was delivered comes out, quoting and all") {
  MemoryFiles files;
  REQUIRE(deliver(files, "A: b\r\n\r\nFrom here\r\n>From there\r\n"));
  REQUIRE(deliver(files, "C: d\r\n\r\nsecond\r\n"));
  auto mailbox = open_mailbox(files, location());
  REQUIRE(mailbox);
  const auto scan = (*mailbox)->scan();
  REQUIRE(scan);
  REQUIRE(scan->entries.size() == 2);
  const std::string first = "Return-Path: <ann@alpha.test>\nA: b\n\nFrom here\n>From there\n";
  CHECK(read_all(**mailbox, scan->entries[0]) == first);
  CHECK(scan->entries[0].size == first.size() + 5);
  // New mail behind them changes nothing for a session that is open.
  REQUIRE(deliver(files, "E: f\r\n"));
  CHECK(read_all(**mailbox, scan->entries[1]) == "Return-Path: <ann@alpha.test>\nC: d\n\nsecond\n");
}

TEST_CASE("mbox as a Mailbox: removing keeps the others, and what came meanwhile") {
  MemoryFiles files;
  for (const char* body : {"N: 1\r\n", "N: 2\r\n", "N: 3\r\n"}) REQUIRE(deliver(files, body));
  auto mailbox = open_mailbox(files, location());
  const auto scan = (*mailbox)->scan();
  REQUIRE(scan);
  REQUIRE(deliver(files, "N: 4\r\n"));
  MailboxChanges changes;
  changes.remove = {1, 3};
  CHECK((*mailbox)->apply(*scan, changes)->removed == 2);
  const auto after = (*mailbox)->scan();
  REQUIRE(after->entries.size() == 2);
  CHECK(read_all(**mailbox, after->entries[0]).ends_with("N: 2\n"));
  CHECK(read_all(**mailbox, after->entries[1]).ends_with("N: 4\n"));
}

TEST_CASE("mbox as a Mailbox: a file that another program wrote anew is left alone") {
  MemoryFiles files;
  REQUIRE(deliver(files, "N: 1\r\n"));
  auto mailbox = open_mailbox(files, location());
  const auto scan = (*mailbox)->scan();
  REQUIRE(scan);
  files.put(path, "From other\n\nlonger than before, and somebody else's\n\n");
  MailboxChanges changes;
  changes.remove = {1};
  CHECK((*mailbox)->apply(*scan, changes).error().kind == StoreError::Kind::not_found);
  CHECK((*mailbox)->open(scan->entries[0]).error().kind == StoreError::Kind::not_found);
  files.put(path, "not an mbox");
  CHECK((*mailbox)->scan().error().kind == StoreError::Kind::refused);
}
