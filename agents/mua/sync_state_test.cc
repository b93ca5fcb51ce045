#include "agents/mua/sync_state.h"

#include <catch2/catch.hpp>

namespace posthorn::mua {

namespace {

imap::Flags flags(std::initializer_list<const char*> names) {
  imap::Flags all;
  for (const char* name : names) all.add(name);
  return all;
}

SyncedFolder folder() {
  SyncedFolder known;
  known.remote_validity = 11;
  known.modseq = 4711;
  known.local_validity = 12;
  known.messages[7].local = 1;
  known.messages[7].flags = flags({"\\Seen", "$Work"});
  known.messages[9].local = 2;
  known.outdated = {3, 5};
  return known;
}

}  // namespace

TEST_CASE("what a sync remembers is read back") {
  const SyncState state = {{"INBOX", folder()}, {"Lists/C++", SyncedFolder()}};
  const auto again = parse_sync_state(format_sync_state(state));
  REQUIRE(again.has_value());
  CHECK(*again == state);
  CHECK_FALSE(parse_sync_state("mua-sync 1\n7\t1\t\n").has_value());
  CHECK_FALSE(parse_sync_state("mua-sync 1\noutdated\t1\n").has_value());
}

TEST_CASE("without a modseq every message that is not remembered is fetched") {
  SyncedFolder known = folder();
  known.messages.erase(9);
  const SyncPlan plan =
      plan_sync(known, {{7, known.messages[7].flags}, {8, {}}, {9, {}}}, true, {}, {{1, {}}});
  CHECK(plan.fetch == Uids{8, 9});
  CHECK(plan.remove_here.empty());
}

TEST_CASE("what is new here and what was deleted here is told apart, whoever deleted what") {
  const SyncedFolder known = folder();
  // 1 and 2 are known (UIDs 7 and 9 there), 3 and 5 wait for their end, 8 is new; 9 there is gone.
  const SyncPlan plan = plan_sync(known, {}, false, {9}, {{2, {}}, {3, {}}, {5, {}}, {8, {}}});
  CHECK(plan.append_there == Uids{8});
  CHECK(plan.remove_there == Uids{7});
  CHECK(plan.remove_here == Uids{2});
  CHECK(plan.fetch.empty());
}

TEST_CASE("an emptied folder is not believed") {
  SyncedFolder known;
  for (std::uint32_t uid = 1; uid <= 30; ++uid) known.messages[uid].local = uid;
  SyncPlan plan;
  plan.remove_there.assign(10, 1);
  CHECK_FALSE(deletes_too_much(known, plan));
  plan.remove_there.assign(16, 1);
  CHECK(deletes_too_much(known, plan));
}

TEST_CASE("no two folders there become one here") {
  CHECK(local_folder_name("a.b/c", '/') == "a%2Eb/c");
  CHECK(local_folder_name("a.b/c", '.') == "a/b%2Fc");
  CHECK(local_folder_name("100%", '/') == "100%25");
  CHECK(local_folder_name("a%2Eb", '/') == "a%252Eb");
}

TEST_CASE("only flags that changed are sent, those of others stay") {
  const FlagEdit edit =
      flag_edit(flags({"\\Seen", "$Work", "$Old"}), flags({"\\Flagged", "$work", "$New"}));
  CHECK(edit.add == flags({"\\Flagged", "$New"}));
  CHECK(edit.remove == flags({"\\Seen", "$Old"}));
  const FlagEdit none = flag_edit(flags({"\\Seen"}), flags({"\\Seen"}));
  CHECK(none.add.empty());
  CHECK(none.remove.empty());
}

}  // namespace posthorn::mua
