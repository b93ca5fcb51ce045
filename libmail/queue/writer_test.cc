// "250 means durable": what the writer answers, against a disk that forgets what was not synced.
#include "libmail/queue/writer.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;
using Call = MemoryFiles::Call;
using Unsynced = MemoryFiles::Unsynced;

namespace {

Limits quick() {
  Limits limits;
  limits.wait_for_segment = std::chrono::milliseconds(0);
  return limits;
}

struct Sent {
  MemoryFiles files;
  std::vector<test::Acknowledged> messages;
  std::size_t begin = 0;  // of the journal
};

// `prepare` may order faults.
void send(Sent& sent, std::size_t count, std::size_t at_once, std::size_t size,
          std::size_t segments, const std::function<void()>& prepare = {}) {
  test::make_queue(sent.files, segments);
  if (prepare) prepare();
  sent.begin = sent.files.events();
  sent.messages = test::make_messages(count, size);
  Writer writer(sent.files, test::layout(), "", quick());
  async::run(test::send_all(&writer, &sent.files, &sent.messages, at_once));
}

// Recovers the queue on `disk` and checks: everything in `must` is there, and what is there is undamaged.
void check_recovery(MemoryFiles& disk, const std::vector<test::Acknowledged>& all,
                    std::size_t cut_at) {
  auto store = Store::open(disk, test::layout(), test::store_options());
  REQUIRE(store);
  for (const test::Acknowledged& message : all) {
    Message* found = (*store)->find(message.id);
    if (message.taken && message.at <= cut_at && found == nullptr) {
      FAIL("acknowledged and lost: " << message.id.text() << " after event " << cut_at);
    }
    if (found == nullptr) continue;
    auto loaded = (*store)->load_now(*found);
    REQUIRE(loaded);
    if ((*loaded)->body != test::body_of(message.id, message.size)) {
      FAIL("damaged: " << message.id.text() << " after event " << cut_at);
    }
    CHECK((*loaded)->entry.envelope.recipients == test::envelope().recipients);
  }
}

}  // namespace

TEST_CASE("Writer: every message is answered after the sync that covers it") {
  Sent sent;
  send(sent, 40, 8, 3000, 4);
  const std::vector<MemoryFiles::Event> journal = sent.files.journal();
  for (const test::Acknowledged& message : sent.messages) {
    REQUIRE(message.taken);
    std::optional<std::size_t> written;
    std::optional<std::size_t> synced;
    for (std::size_t i = sent.begin; i < message.at; ++i) {
      const MemoryFiles::Event& event = journal[i];
      const bool has_it = event.octets.find("Subject: " + message.id.str()) != std::string::npos;
      if (event.call == Call::write && has_it) written = i;
      const bool covers = written && event.inode == journal[*written].inode;
      if (event.call == Call::sync_data && covers && !event.failed && !synced) synced = i;
    }
    CHECK(written.has_value());
    CHECK(synced.has_value());
  }
}

namespace {

std::size_t count_syncs(const MemoryFiles& files, std::size_t begin) {
  const std::vector<MemoryFiles::Event> journal = files.journal();
  return static_cast<std::size_t>(
      std::count_if(journal.begin() + static_cast<std::ptrdiff_t>(begin), journal.end(),
                    [](const MemoryFiles::Event& event) { return event.call == Call::sync_data; }));
}

}  // namespace

TEST_CASE("Writer: one alone waits for nobody") {
  Sent sent;
  send(sent, 8, 1, 500, 1);
  CHECK(count_syncs(sent.files, sent.begin) == 8);
}

TEST_CASE("Writer: all that came during a sync share the next one") {
  MemoryFiles files;
  test::make_queue(files, 1);
  std::atomic<bool> all_wait = false;
  // The first sync takes until all the others have come.
  files.set_fault([&all_wait](Call call, const std::string&) {
    while (call == Call::sync_data && !all_wait) std::this_thread::yield();
    return 0;
  });
  const std::size_t begin = files.events();
  std::vector<test::Acknowledged> messages = test::make_messages(20, 500);
  Writer writer(files, test::layout(), "", quick());
  auto send_together = [](Writer* to, MemoryFiles* on, std::vector<test::Acknowledged>* all,
                          std::atomic<bool>* waiting) -> async::Task<void> {
    async::Scope scope;
    for (test::Acknowledged& message : *all) scope.spawn(test::append_one(to, on, &message));
    *waiting = true;
    co_await scope.join();
    co_await to->stop();
  };
  async::run(send_together(&writer, &files, &messages, &all_wait));
  for (const test::Acknowledged& message : messages) CHECK(message.taken);
  CHECK(count_syncs(files, begin) <= 2);
}

TEST_CASE("Writer: after a power cut at any point nothing acknowledged is missing or damaged") {
  Sent sent;
  send(sent, 24, 4, 2500, 3);
  const std::size_t end = sent.files.events();
  for (std::size_t cut = sent.begin; cut <= end; ++cut) {
    for (const Unsynced unsynced : {Unsynced::lost, Unsynced::kept}) {
      const auto disk = sent.files.after_power_cut(cut, unsynced);
      check_recovery(*disk, sent.messages, cut);
    }
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto disk = sent.files.after_power_cut(cut, Unsynced::mixed, cut * 4 + seed);
      check_recovery(*disk, sent.messages, cut);
    }
  }
}

TEST_CASE("Writer: whatever call fails, what was answered with success survives") {
  for (std::size_t nth = 1; nth < 40; ++nth) {
    Sent sent;
    send(sent, 12, 3, 9000, 5, [&] { sent.files.fail_nth(nth, EIO); });
    const std::size_t end = sent.files.events();
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto disk = sent.files.after_power_cut(end, Unsynced::mixed, seed);
      check_recovery(*disk, sent.messages, end);
    }
    check_recovery(*sent.files.after_power_cut(end, Unsynced::lost), sent.messages, end);
  }
}

TEST_CASE("Writer: after a failed sync all who wait fail and the segment is never used again") {
  Sent sent;
  send(sent, 6, 3, 500, 2, [&sent] {
    bool failed = false;
    sent.files.set_fault([failed](Call call, const std::string&) mutable {
      if (call != Call::sync_data || failed) return 0;
      failed = true;
      return EIO;
    });
  });
  std::size_t refused = 0;
  for (const test::Acknowledged& message : sent.messages) refused += message.taken ? 0 : 1;
  CHECK(refused >= 1);
  CHECK(refused <= 3);
  std::uint64_t failed_inode = 0;
  for (const MemoryFiles::Event& event : sent.files.journal()) {
    if (event.call == Call::sync_data && event.failed) failed_inode = event.inode;
    const bool again =
        failed_inode != 0 && event.inode == failed_inode && event.call == Call::write;
    CHECK_FALSE(again);
  }
}

TEST_CASE("Writer: a full queue is no_space, and it takes mail again once there is a segment") {
  MemoryFiles files;
  test::make_queue(files, 0);
  Writer writer(files, test::layout(), "", quick());
  std::vector<test::Acknowledged> first = test::make_messages(1, 100);
  auto send_two = [](Writer* to, MemoryFiles* on,
                     test::Acknowledged* message) -> async::Task<void> {
    std::vector<std::string> body;
    body.push_back("x");
    Entry entry(test::envelope());
    auto refused = co_await to->append(test::id_of(9), std::move(entry), std::move(body));
    CHECK_FALSE(refused);
    if (!refused) CHECK(refused.error().kind == CommitError::Kind::no_space);
    CHECK(make_segment(*on, test::layout(), 1, test::small_segment).has_value());
    co_await test::append_one(to, on, message);
    co_await to->stop();
    auto late = co_await to->append(test::id_of(10), Entry(), std::vector<std::string>());
    CHECK_FALSE(late);
    if (!late) CHECK(late.error().kind == CommitError::Kind::stopping);
  };
  async::run(send_two(&writer, &files, &first[0]));
  CHECK(first[0].taken);
}

TEST_CASE("Writer: a message that fits into no segment is too_large and harms nobody else") {
  MemoryFiles files;
  test::make_queue(files, 2);
  Writer writer(files, test::layout(), "", quick());
  std::vector<test::Acknowledged> messages = test::make_messages(3, 100);
  messages[1].size = test::small_segment;
  async::run(test::send_all(&writer, &files, &messages, 3));
  CHECK(messages[0].taken);
  CHECK_FALSE(messages[1].taken);
  CHECK(messages[2].taken);
}

TEST_CASE("Writer: a copy goes into a segment of a higher generation") {
  MemoryFiles files;
  test::make_queue(files, 3);
  Writer writer(files, test::layout(), "", quick());
  auto copy = [](Writer* to) -> async::Task<void> {
    std::vector<std::string> body;
    body.push_back("x");
    auto first =
        co_await to->append_copy(test::id_of(1), Entry(), std::move(body), std::nullopt, 0);
    CHECK(first.has_value());
    CHECK(first->generation == 1);
    CHECK(first->offset == first_record);
    std::vector<std::string> again;
    again.push_back("x");
    auto second =
        co_await to->append_copy(test::id_of(1), Entry(), std::move(again), std::nullopt, 1);
    CHECK(second.has_value());
    CHECK(second->generation == 2);
    co_await to->stop();
  };
  async::run(copy(&writer));
}
