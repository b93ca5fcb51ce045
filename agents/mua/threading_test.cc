#include "agents/mua/threading.h"

#include <catch2/catch.hpp>

#include "agents/mua/sync_state.h"

namespace posthorn::mua {

namespace {

Summary message(std::uint32_t uid, const std::string& id, std::vector<std::string> references,
                const std::string& subject = "x") {
  Summary made;
  made.uid = uid;
  made.message_id = id;
  made.references = std::move(references);
  made.subject = subject;
  made.received = std::chrono::sys_seconds(std::chrono::seconds(uid));
  return made;
}

std::string drawn(const std::vector<Summary>& messages) {
  std::string text;
  for (const Threaded& each : order_threads(messages))
    text += std::string(each.depth, '-') + std::to_string(messages[each.index].uid) + " ";
  return text;
}

imap::Flags flags(std::initializer_list<const char*> names) {
  imap::Flags made;
  for (const char* name : names) made.add(name);
  return made;
}

}  // namespace

TEST_CASE("an answer stands behind what it answers, the newest conversation first") {
  CHECK(drawn({message(1, "<a>", {}, "one"), message(2, "<b>", {"<a>"}, "Re: one"),
               message(3, "<c>", {}, "two"), message(4, "<d>", {"<a>", "<b>"}, "Re: one"),
               message(5, "<e>", {"<a>"}, "Re: one")}) == "1 -2 --4 -5 3 ");
}

TEST_CASE("a message whose parent is missing hangs on the nearest that is there") {
  CHECK(drawn({message(1, "<a>", {}, "one"), message(2, "<c>", {"<a>", "<gone>"}, "Re: one")}) ==
        "1 -2 ");
}

TEST_CASE("references that go round in circles are broken") {
  CHECK(drawn({message(1, "<a>", {"<b>"}), message(2, "<b>", {"<a>"})}).size() == 5);
  CHECK(drawn({message(1, "<a>", {"<a>"})}) == "1 ");
}

TEST_CASE("a reply without references joins the conversation of its subject") {
  CHECK(drawn({message(1, "<a>", {}, "Plan"), message(2, "<b>", {}, "RE: plan")}) == "1 -2 ");
  CHECK(drawn({message(1, "<a>", {}, "Plan"), message(2, "<b>", {}, "Plan")}) == "2 1 ");
}

TEST_CASE("a conversation of ten thousand answers is no depth problem") {
  std::vector<Summary> chain;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    chain.push_back(message(i + 1, "<" + std::to_string(i) + ">",
                            i == 0 ? std::vector<std::string>()
                                   : std::vector<std::string>{"<" + std::to_string(i - 1) + ">"}));
  CHECK(order_threads(chain).back().depth == 9'999);
}

TEST_CASE("the state of a sync is read back as it was written") {
  SyncState state;
  SyncedFolder& inbox = state["INBOX"];
  inbox.remote_validity = 17;
  inbox.modseq = 1'000'000'000'000;
  inbox.local_validity = 4;
  inbox.messages[9].local = 2;
  inbox.messages[9].flags = flags({"\\Seen", "$Work"});
  const auto read = parse_sync_state(format_sync_state(state));
  REQUIRE(read.has_value());
  CHECK(*read == state);
  CHECK(parse_sync_state("nonsense").error() == "line 1 is not what mua sync writes");
  CHECK(parse_sync_state("mua-sync 1\n1\t2\t\n").error() == "line 2 is not what mua sync writes");
}

TEST_CASE("a sync brings what is new, and flags to the side that did not change") {
  SyncedFolder known;
  for (const std::uint32_t uid : {1U, 2U, 3U, 4U}) known.messages[uid].local = uid + 10;
  const std::map<std::uint32_t, imap::Flags> there = {
      {1, flags({"\\Seen"})}, {2, flags({})}, {4, flags({"\\Flagged"})}, {5, flags({})}};
  const std::map<std::uint32_t, imap::Flags> here = {
      {11, flags({})}, {12, flags({"\\Seen"})}, {13, flags({})}, {14, flags({"\\Seen"})}};
  const SyncPlan plan = plan_sync(known, there, true, {}, here);
  CHECK(plan.fetch == std::vector<std::uint32_t>{5});
  CHECK(plan.flags_here.at(11) == flags({"\\Seen"}));
  CHECK(plan.flags_there.at(2) == flags({"\\Seen"}));
  CHECK(plan.flags_here.at(14) == flags({"\\Flagged"}));  // both changed: the server's
  CHECK(plan.remove_here == std::vector<std::uint32_t>{13});
}

TEST_CASE("what was deleted here stays there and does not come back") {
  SyncedFolder known;
  known.messages[1].local = 11;
  const SyncPlan plan = plan_sync(known, {{1, flags({"\\Seen"})}}, false, {}, {});
  CHECK(plan.fetch.empty());
  CHECK(plan.flags_here.empty());
  CHECK(plan.remove_here.empty());
}

}  // namespace posthorn::mua
