// What a start finds, after clean stops, crashes and power cuts.
#include "libmail/queue/store.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>

#include "libmail/base/crc32c.h"
#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;
using Unsynced = MemoryFiles::Unsynced;

namespace {

// A queue with `count` messages of `size` octets and more.
std::vector<test::Acknowledged> fill(MemoryFiles& files, std::size_t count, std::size_t size,
                                     std::size_t segments = 4) {
  test::make_queue(files, segments);
  std::vector<test::Acknowledged> messages = test::make_messages(count, size);
  Writer writer(files, test::layout(), "");
  async::run(test::send_all(&writer, &files, &messages, 4));
  for (const test::Acknowledged& message : messages) REQUIRE(message.taken);
  return messages;
}

std::unique_ptr<Store> open(MemoryFiles& files, StoreOptions options = test::store_options()) {
  auto store = Store::open(files, test::layout(), options);
  REQUIRE(store);
  return std::move(*store);
}

MessageState expanded(const Loaded& loaded) {
  MessageState state;
  state.expanded = true;
  for (const smtp::Recipient& recipient : loaded.entry.envelope.recipients) {
    state.recipients.emplace_back(recipient);
  }
  return state;
}

MessageState deferred(Store& store, Message& message) {
  auto loaded = store.load_now(message);
  REQUIRE(loaded);
  MessageState state = expanded(**loaded);
  state.attempts = 1;
  state.next = WallTime(std::chrono::seconds(1'700'000'600));
  state.recipients[0].last = smtp::Status({4, 4, 1}, "no route", "mx");
  store.save(message, state);
  return state;
}

// Until `condition` holds; fails the test after a minute, which is for machines with other things to do.
template <class Condition>
async::Task<void> until(Condition condition) {
  const async::Deadline deadline = async::Deadline::in(std::chrono::minutes(1));
  while (!condition() && !deadline.passed()) {
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(10)));
  }
  CHECK(condition());
}

template <class Condition>
async::Task<void> run_until(Store* store, Condition condition) {
  async::Scope scope;
  scope.spawn(store->run());
  co_await until(std::move(condition));
  co_await store->stop();
  co_await scope.join();
}

std::size_t count_notices(Store& store, Notice::Kind kind) {
  std::size_t count = 0;
  for (const Notice& notice : store.take_notices()) count += notice.kind == kind ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("Store: a start finds every message with its envelope and its octets") {
  MemoryFiles files;
  const auto messages = fill(files, 30, 4000);
  const auto store = open(files);
  CHECK(store->size() == 30);
  for (const test::Acknowledged& message : messages) {
    Message* found = store->find(message.id);
    REQUIRE(found != nullptr);
    const auto loaded = store->load_now(*found);
    REQUIRE(loaded);
    CHECK((*loaded)->body == test::body_of(message.id, message.size));
    CHECK((*loaded)->entry.envelope.id == message.id.text());
  }
}

TEST_CASE("Store: only one process at a time has the queue") {
  MemoryFiles files;
  test::make_queue(files, 0);
  const auto store = open(files);
  const auto second = Store::open(files, test::layout(), test::store_options());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EBUSY);
}

TEST_CASE("Store: what was finished does not come back, what was deferred keeps its history") {
  MemoryFiles files;
  const auto messages = fill(files, 5, 1000);
  MessageState state;
  {
    const auto store = open(files);
    store->finish(*store->find(messages[0].id));
    state = deferred(*store, *store->find(messages[1].id));
    REQUIRE(store->flush_now());
  }
  const auto store = open(files);
  CHECK(store->size() == 4);
  CHECK(store->find(messages[0].id) == nullptr);
  Message* found = store->find(messages[1].id);
  REQUIRE(found != nullptr);
  CHECK(found->attempts == 1);
  CHECK(found->next == 1'700'000'600);
  const auto loaded = store->load_now(*found);
  REQUIRE(loaded);
  CHECK((*loaded)->state.recipients == state.recipients);
}

TEST_CASE("Store: outcomes that were not flushed are forgotten by a crash, messages are not") {
  MemoryFiles files;
  const auto messages = fill(files, 3, 1000);
  {
    const auto store = open(files);
    store->finish(*store->find(messages[0].id));
  }
  CHECK(open(files)->size() == 3);
}

TEST_CASE("Store: a cut .out file is continued behind its last whole line") {
  MemoryFiles files;
  const auto messages = fill(files, 3, 1000);
  {
    const auto store = open(files);
    store->finish(*store->find(messages[0].id));
    store->finish(*store->find(messages[1].id));
    REQUIRE(store->flush_now());
  }
  const std::string path = test::layout().outcomes(1);
  const std::string whole = files.contents(path);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    files.set_contents(path, whole.substr(0, size));
    {
      const auto store = open(files);
      CHECK(store->size() ==
            3 - static_cast<std::size_t>(std::count(
                    whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size), '\n')));
      if (Message* last = store->find(messages[2].id)) store->finish(*last);
      REQUIRE(store->flush_now());
    }
    const auto store = open(files);
    CHECK(store->find(messages[2].id) == nullptr);
    CHECK(count_notices(*store, Notice::Kind::damaged_outcomes) == 0);
  }
}

TEST_CASE("Store: damage in a segment is reported, and what lies behind it is found") {
  MemoryFiles files;
  const auto messages = fill(files, 3, 1000, 1);
  const std::string path = test::layout().segment(1);
  std::string octets = files.contents(path);
  octets[octets.find(messages[1].id.text())] ^= 1;
  files.set_contents(path, octets);
  const auto store = open(files);
  CHECK(store->size() == 2);
  CHECK(store->find(messages[2].id) != nullptr);
  CHECK(count_notices(*store, Notice::Kind::corruption) == 1);
}

TEST_CASE("Store: poll finds what a living intake commits, and the rest once it has left") {
  MemoryFiles files;
  test::make_queue(files, 2);
  const auto store = open(files);
  std::vector<test::Acknowledged> messages = test::make_messages(20, 5000);
  Writer writer(files, test::layout(), "");
  auto send_and_poll = [](Store* in, Writer* to, MemoryFiles* on,
                          std::vector<test::Acknowledged>* all) -> async::Task<void> {
    std::size_t seen = 0;
    for (test::Acknowledged& message : *all) {
      co_await test::append_one(to, on, &message);
      auto found = co_await in->poll(100);
      // The committed length is stored after the answer at the earliest.
      seen += found.size();
      for (const Store::Found& one : found)
        CHECK(one.loaded->entry.envelope.reverse_path.has_value());
    }
    co_await to->stop();
    for (int i = 0; i < 3; ++i) {
      auto found = co_await in->poll(100);
      seen += found.size();
    }
    CHECK(seen == all->size());
  };
  async::run(send_and_poll(store.get(), &writer, &files, &messages));
  CHECK(store->size() == 20);
}

TEST_CASE("Store: a finished segment is recycled under a new generation, with its outcomes gone") {
  MemoryFiles files;
  const auto messages = fill(files, 2, 1000, 1);
  StoreOptions options = test::store_options();
  options.keep_free = 1;
  const auto store = open(files, options);
  for (const test::Acknowledged& message : messages) store->finish(*store->find(message.id));
  const auto is_recycled = [&files, &store] {
    return !files.exists(test::layout().segment(1)) && store->free_segments() >= 1;
  };
  async::run(run_until(store.get(), is_recycled));
  CHECK_FALSE(files.exists(test::layout().segment(1)));
  CHECK_FALSE(files.exists(test::layout().outcomes(1)));
  CHECK(store->free_segments() >= 1);
  const auto names = files.list(test::layout().free());
  REQUIRE(names);
  for (const std::string& name : *names) {
    CHECK(parse_generation_name(name).value_or(0) > 1);
    CHECK(files.contents(test::layout().free() + "/" + name).size() == test::small_segment);
  }
}

TEST_CASE(
    "Store: a power cut at any point of recycling loses nothing and delivers nothing damaged") {
  MemoryFiles files;
  const auto messages = fill(files, 24, 4000, 4);
  const std::size_t begin = files.events();
  StoreOptions options = test::store_options();
  options.keep_free = 2;
  {
    const auto store = open(files, options);
    // Whatever lies in the first segment is done.
    for (const test::Acknowledged& message : messages) {
      Message* found = store->find(message.id);
      if (found->segment->generation == 1) store->finish(*found);
    }
    const auto is_recycled = [&files] { return !files.exists(test::layout().segment(1)); };
    async::run(run_until(store.get(), is_recycled));
  }
  std::vector<test::Acknowledged> left;
  {
    const auto store = open(files, options);
    for (const test::Acknowledged& message : messages) {
      if (store->find(message.id) != nullptr) left.push_back(message);
    }
  }
  REQUIRE(left.size() < messages.size());
  for (std::size_t cut = begin; cut <= files.events(); ++cut) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto disk =
          files.after_power_cut(cut, seed == 0 ? Unsynced::lost : Unsynced::mixed, cut + seed);
      const auto store = open(*disk, options);
      for (const test::Acknowledged& message : left) {
        Message* found = store->find(message.id);
        if (found == nullptr) FAIL("lost " << message.id.text() << " at " << cut);
        const auto loaded = store->load_now(*found);
        if (!loaded || (*loaded)->body != test::body_of(message.id, message.size)) {
          FAIL("damaged " << message.id.text() << " at " << cut);
        }
      }
      for (const Message* found : store->messages()) CHECK(store->load_now(*found).has_value());
      CHECK(count_notices(*store, Notice::Kind::corruption) == 0);
    }
  }
}

TEST_CASE(
    "Store: live messages of a mostly dead segment move, with their history, and survive any cut") {
  MemoryFiles files;
  auto messages = fill(files, 24, 4000, 6);
  const std::size_t begin = files.events();
  StoreOptions options = test::store_options();
  options.copy_after = std::chrono::seconds(0);
  options.mostly_dead = 0.2;
  MessageState state;
  MessageId survivor;
  {
    const auto store = open(files, options);
    for (const test::Acknowledged& message : messages) {
      Message* found = store->find(message.id);
      if (found->segment->generation != 1) continue;
      if (survivor == MessageId()) {
        survivor = message.id;
        state = deferred(*store, *found);
        continue;
      }
      store->finish(*found);
    }
    const auto is_moved = [&files] { return !files.exists(test::layout().segment(1)); };
    async::run(run_until(store.get(), is_moved));
    REQUIRE(store->find(survivor) != nullptr);
    CHECK(store->find(survivor)->segment->generation > 1);
    CHECK_FALSE(files.exists(test::layout().segment(1)));
  }
  for (std::size_t cut = begin; cut <= files.events(); ++cut) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto disk =
          files.after_power_cut(cut, seed == 0 ? Unsynced::lost : Unsynced::mixed, cut + seed);
      const auto store = open(*disk, options);
      Message* found = store->find(survivor);
      if (found == nullptr) FAIL("lost at " << cut);
      const auto loaded = store->load_now(*found);
      REQUIRE(loaded);
      CHECK((*loaded)->body.starts_with("Subject: " + survivor.str()));
      // Once the history was on the disk it stays, wherever the message is.
      if (found->segment->generation != 1 && found->block_size != 0) {
        CHECK((*loaded)->state.recipients == state.recipients);
      }
    }
  }
}

TEST_CASE("Store: a message that moves stays due when it has been made due meanwhile") {
  MemoryFiles files;
  const auto messages = fill(files, 24, 4000, 6);
  StoreOptions options = test::store_options();
  options.copy_after = std::chrono::seconds(0);
  options.mostly_dead = 0.2;
  const auto store = open(files, options);
  Message* survivor = nullptr;
  for (const test::Acknowledged& message : messages) {
    Message* found = store->find(message.id);
    if (found->segment->generation != 1) continue;
    if (survivor != nullptr) {
      store->finish(*found);
      continue;
    }
    survivor = found;
    deferred(*store, *found);
    found->next = 1'700'000'002;  // a flush; what lies on the disk says later
  }
  REQUIRE(survivor != nullptr);
  const auto has_moved = [survivor] { return survivor->segment->generation > 1; };
  async::run(run_until(store.get(), has_moved));
  REQUIRE(survivor->segment->generation > 1);
  CHECK(survivor->next == 1'700'000'002);
}

TEST_CASE(
    "Store: while outcomes can't be written it is not healthy, and it writes them all later") {
  MemoryFiles files;
  const auto messages = fill(files, 2, 1000, 1);
  const auto store = open(files);
  std::atomic<bool> broken = true;
  files.set_fault([&broken](MemoryFiles::Call call, const std::string& path) {
    const bool is_outcome = path.ends_with(".out") && call == MemoryFiles::Call::write;
    return broken && is_outcome ? ENOSPC : 0;
  });
  store->finish(*store->find(messages[0].id));
  auto watch = [](Store* in, std::atomic<bool>* fault) -> async::Task<void> {
    async::Scope scope;
    scope.spawn(in->run());
    const auto is_ill = [in] { return !in->healthy(); };
    co_await until(is_ill);
    *fault = false;
    const bool again =
        co_await in->recovered().wait_until(async::Deadline::in(std::chrono::minutes(1)));
    CHECK(again);
    CHECK(in->healthy());
    co_await in->stop();
    co_await scope.join();
  };
  async::run(watch(store.get(), &broken));
  CHECK(files.contents(test::layout().outcomes(1)).find(" done ") != std::string::npos);
}

TEST_CASE("Store: the spool file goes only after its outcome is synced") {
  MemoryFiles files;
  test::make_queue(files, 2);
  const MessageId id = test::id_of(1);
  Limits limits;
  limits.inline_body = 1000;
  const std::string body(5000, 'x');
  Intake intake(files, test::layout(), limits);
  auto take = [](Intake* in, MessageId as, std::string octets) -> async::Task<void> {
    Incoming message = in->begin(as);
    auto written = co_await message.write(std::move(octets));
    CHECK(written.has_value());
    Entry entry(test::envelope());
    auto taken = co_await message.commit(std::move(entry));
    CHECK(taken.has_value());
    co_await in->stop();
  };
  async::run(take(&intake, id, body));
  CHECK(files.contents(test::layout().spooled(id)) == body);
  const auto store = open(files);
  Message* found = store->find(id);
  REQUIRE(found != nullptr);
  const auto loaded = store->load_now(*found);
  REQUIRE(loaded);
  CHECK((*loaded)->header.body_size == body.size());
  CHECK((*loaded)->header.spooled_crc == crc32c(0, body));
  store->finish(*found);
  CHECK(files.exists(test::layout().spooled(id)));
  const auto is_gone = [&files, &id] { return !files.exists(test::layout().spooled(id)); };
  async::run(run_until(store.get(), is_gone));
  CHECK_FALSE(files.exists(test::layout().spooled(id)));
  std::size_t synced = 0;
  std::size_t gone = 0;
  const auto journal = files.journal();
  for (std::size_t i = 0; i < journal.size(); ++i) {
    const bool is_out = journal[i].path == test::layout().outcomes(1);
    if (is_out && journal[i].call == MemoryFiles::Call::sync_data) synced = i;
    if (journal[i].call == MemoryFiles::Call::unlink &&
        journal[i].path == test::layout().spooled(id))
      gone = i;
  }
  CHECK(synced != 0);
  CHECK(synced < gone);
}

TEST_CASE("Store: a spooled message survives a power cut at any point after its answer") {
  MemoryFiles files;
  test::make_queue(files, 1);
  const MessageId id = test::id_of(1);
  Limits limits;
  limits.inline_body = 1000;
  const std::string body = test::body_of(id, 5000);
  Intake intake(files, test::layout(), limits);
  std::size_t answered = 0;
  auto take = [](Intake* in, MemoryFiles* on, MessageId as, std::string octets,
                 std::size_t* at) -> async::Task<void> {
    Incoming message = in->begin(as);
    for (std::size_t i = 0; i < octets.size(); i += 700) {
      auto written = co_await message.write(octets.substr(i, 700));
      CHECK(written.has_value());
    }
    Entry entry(test::envelope());
    auto taken = co_await message.commit(std::move(entry));
    CHECK(taken.has_value());
    *at = on->events();
    co_await in->stop();
  };
  async::run(take(&intake, &files, id, body, &answered));
  for (std::size_t cut = 0; cut <= files.events(); ++cut) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto disk =
          files.after_power_cut(cut, seed == 0 ? Unsynced::lost : Unsynced::mixed, cut + seed);
      auto store = Store::open(*disk, test::layout(), test::store_options());
      if (!store) continue;  // before there was a queue
      Message* found = (*store)->find(id);
      if (cut >= answered && found == nullptr) FAIL("lost at " << cut);
      if (found == nullptr) continue;
      CHECK(disk->contents(test::layout().spooled(id)) == body);
    }
  }
}

TEST_CASE(
    "sweep_spool: removes what nobody has locked and no message needs, once it is old enough") {
  MemoryFiles files;
  test::make_queue(files, 0);
  const Layout layout = test::layout();
  for (std::uint32_t number = 1; number <= 3; ++number) {
    files.set_contents(layout.spooled(test::id_of(number)), "x");
  }
  auto held = files.open(layout.spooled(test::id_of(2)), OpenFor::writing, 0);
  REQUIRE(held);
  REQUIRE(*(*held)->try_lock());
  std::unordered_set<MessageId, MessageIdHash> live;
  live.insert(test::id_of(3));
  const WallTime made = test::id_of(1).time();
  CHECK(sweep_spool(files, layout, live, made)->empty());
  const auto swept = sweep_spool(files, layout, live, made + std::chrono::hours(1));
  REQUIRE(swept);
  REQUIRE(swept->size() == 1);
  CHECK(swept->front() == test::id_of(1).text());
  CHECK(files.exists(layout.spooled(test::id_of(2))));
  CHECK(files.exists(layout.spooled(test::id_of(3))));
}
