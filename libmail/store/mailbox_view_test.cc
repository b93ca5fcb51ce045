#include "libmail/store/mailbox_view.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

namespace posthorn::store {
namespace {

MessageRow row(std::uint32_t uid, std::uint64_t modseq, std::uint16_t flags = 0) {
  MessageRow row;
  row.uid = uid;
  row.modseq = modseq;
  row.flags = flags;
  return row;
}

std::shared_ptr<const Snapshot> of_uids(std::uint32_t count) {
  SnapshotEditor editor;
  for (std::uint32_t uid = 1; uid <= count; ++uid) editor.append(row(uid, 1));
  editor.set_uid_next(count + 1);
  editor.set_validity(7);
  return editor.finish();
}

std::vector<std::uint32_t> uids_of(const Snapshot& snapshot) {
  std::vector<std::uint32_t> uids;
  for (std::size_t i = 0; i < snapshot.size(); ++i) uids.push_back(snapshot.row(i).uid);
  return uids;
}

TEST_CASE("Snapshot: rows are found by index and by UID across chunks") {
  const auto snapshot = of_uids(2000);
  CHECK(snapshot->size() == 2000);
  CHECK(snapshot->row(1999).uid == 2000);
  CHECK(snapshot->find(513)->uid == 513);
  CHECK_FALSE(snapshot->find(2001));
  CHECK(snapshot->lower_bound(0) == 0);
  CHECK(snapshot->lower_bound(1500) == 1499);
  CHECK(snapshot->lower_bound(5000) == 2000);
  CHECK(snapshot->counts().unseen == 2000);
}

TEST_CASE("Snapshot: a change copies the chunk it touches and shares the others") {
  const auto before = of_uids(2000);
  SnapshotEditor editor(*before);
  CHECK(editor.replace(row(600, 5, flag::seen)));
  CHECK_FALSE(editor.replace(row(2001, 5)));
  const auto after = editor.finish();
  CHECK(before->find(600)->flags == 0);
  CHECK(after->find(600)->flags == flag::seen);
  CHECK(after->chunks()[0] == before->chunks()[0]);
  CHECK(after->chunks()[1] != before->chunks()[1]);
  CHECK(after->counts().unseen == 1999);
  CHECK(after->highest_modseq() == 5);
}

TEST_CASE("UidRuns: consecutive UIDs are one run, and erasing splits it") {
  UidRuns runs;
  for (std::uint32_t uid = 10; uid < 20; ++uid) runs.append(uid);
  CHECK(runs.runs().size() == 1);
  const std::vector<std::uint32_t> gone = {3, 12, 15, 15, 99};
  runs.erase(gone);
  CHECK(runs.runs().size() == 3);
  CHECK(runs.size() == 8);
  CHECK(runs.uid_of(3) == 13);
  CHECK(runs.sequence_of(13) == 3);
  CHECK_FALSE(runs.sequence_of(12));
  CHECK(runs.count_below(16) == 4);
}

TEST_CASE("MailboxView: an expunge waits until the command allows it") {
  MailboxView view(*of_uids(5));
  SnapshotEditor editor(*of_uids(5));
  const std::vector<std::uint32_t> gone = {2, 4};
  CHECK(editor.remove(gone) == 2);
  editor.raise_modseq(9);
  const auto after = editor.finish();

  const ViewChanges held = view.update(*after, false);
  CHECK(held.expunges_pending);
  CHECK(view.size() == 5);
  const ViewChanges told = view.update(*after, true);
  CHECK(told.expunged == std::vector<std::uint32_t>{4, 2});
  CHECK(told.vanished == std::vector<std::uint32_t>{2, 4});
  CHECK(view.size() == 3);
  CHECK(view.uids().uid_of(2) == 3);
}

// A client that applies what it is told ends with what is there.
TEST_CASE("MailboxView: whatever happens, what is told adds up to what is there") {
  std::minstd_rand chance(GENERATE(range(1U, 12U)));
  auto snapshot = of_uids(700);
  MailboxView view(*snapshot);
  std::vector<std::uint32_t> client = uids_of(*snapshot);  // by sequence number
  std::map<std::uint32_t, std::uint64_t> known;            // UID -> modseq
  std::uint64_t modseq = 1;
  std::uint32_t uid_next = snapshot->uid_next();
  for (int round = 0; round < 60; ++round) {
    SnapshotEditor editor(*snapshot);
    ++modseq;
    const auto uids = uids_of(*snapshot);
    std::vector<std::uint32_t> gone;
    for (const std::uint32_t uid : uids) {
      if (chance() % 40 == 0) gone.push_back(uid);
      if (chance() % 60 == 0) CHECK(editor.replace(row(uid, modseq, chance() % 32)));
    }
    if (round % 17 == 16) gone = uids;
    editor.remove(gone);
    for (std::uint32_t more = chance() % 50; more > 0; --more)
      editor.append(row(uid_next++, modseq));
    editor.set_uid_next(uid_next);
    editor.raise_modseq(modseq);
    snapshot = editor.finish();

    const bool may_expunge = chance() % 3 != 0;
    const ViewChanges changes = view.update(*snapshot, may_expunge);
    for (const std::uint32_t sequence : changes.expunged) {
      REQUIRE(sequence >= 1);
      REQUIRE(sequence <= client.size());
      client.erase(client.begin() + sequence - 1);
    }
    for (const std::uint32_t uid : changes.changed) {
      if (const auto now = snapshot->find(uid)) known[uid] = now->modseq;
    }
    while (client.size() < view.size()) {
      client.push_back(view.uids().uid_of(static_cast<std::uint32_t>(client.size()) + 1));
    }
    REQUIRE(client.size() == view.size());
    for (std::uint32_t i = 0; i < client.size(); ++i)
      REQUIRE(view.uids().uid_of(i + 1) == client[i]);
    if (may_expunge) REQUIRE(client == uids_of(*snapshot));
    for (const std::uint32_t uid : client) {
      const auto now = snapshot->find(uid);
      if (now && uid <= 700 && now->modseq > 1) REQUIRE(known[uid] == now->modseq);
    }
  }
}

}  // namespace
}  // namespace posthorn::store
