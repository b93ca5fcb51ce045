// Messages on their way: a store on a disk in memory, agents on real sockets.
#include "agents/queued/scheduler.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>

#include "agents/queued/drop_reader.h"
#include "agents/queued/test_agent.h"
#include "libmail/dsn/parse.h"
#include "libmail/queue/test_queue.h"
#include "libmail/route/test_tables.h"

using namespace posthorn;
using namespace posthorn::queued;
using async::Task;

namespace {

struct Directory {
  std::string path = "/tmp/posthorn-queued-XXXXXX";
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
};

struct Site {
  Directory directory;
  queue::MemoryFiles files;
  route::TestSite routes;
  Options options;
  service::Log log{"queued", service::Log::Format::kv, service::Level::error, -1};
  service::Metrics metrics;
  test::TestAgent local{directory.path + "/local"};
  test::TestAgent relay{directory.path + "/relay"};
  std::unique_ptr<queue::Store> store;
  std::unique_ptr<Scheduler> scheduler;
  async::Scope scope;
  bool stopping = false;

  Site() {
    options.host.hostname = "mx.a.test";
    options.host.domains = {"a.test"};
    options.retry_first = std::chrono::seconds(60);
    routes.resolver.set_defaults(
        route::Transport::lmtp(async::Endpoint::unix_path(directory.path + "/local")),
        route::Transport::lmtp(async::Endpoint::unix_path(directory.path + "/relay")));
    check(queue::make_directories(files, queue::test::layout(), 0700).has_value(), "directories");
    for (std::uint64_t generation = 1; generation <= 6; ++generation) {
      check(queue::make_segment(files, queue::test::layout(), generation, 1 << 20).has_value(),
            "segment");
    }
  }

  void start() {
    queue::StoreOptions store_options = queue::test::store_options();
    auto opened = queue::Store::open(files, queue::test::layout(), store_options);
    REQUIRE(opened);
    store = std::move(*opened);
    scheduler = std::make_unique<Scheduler>(*store, routes.resolver, options, log, metrics);
    scope.spawn(store->run());
    stopping = false;
    scope.spawn(keep_looking());
    scheduler->begin();
  }
  // In place of the nudges.
  Task<void> keep_looking() {
    while (!stopping) {
      co_await scheduler->look();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(10)));
    }
  }
  Task<void> stop() {
    stopping = true;
    co_await scheduler->stop(async::Deadline::in(std::chrono::seconds(1)));
    co_await store->stop();
    co_await scope.join();
    scheduler.reset();
    store.reset();
  }
  Task<void> end() {
    co_await stop();
    co_await local.close();
    co_await relay.close();
  }

  std::uint64_t came_in() {
    return metrics.counter("posthorn_queued_messages_total", "messages that came in").value();
  }
  // A message from ann to `to`, taken into the queue.
  Task<queue::MessageId> send(smtp::Envelope envelope, std::string body) {
    const std::uint64_t before = came_in();
    const queue::MessageId id = store->intake().next_id();
    envelope.id = id.text();
    envelope.trace_id = envelope.id;
    if (envelope.arrival == WallTime()) envelope.arrival = wall_now();
    queue::Incoming incoming = store->intake().begin(id);
    auto written = co_await incoming.write(std::move(body));
    REQUIRE(written.has_value());
    queue::Entry entry(std::move(envelope));
    auto taken = co_await incoming.commit(std::move(entry));
    REQUIRE(taken.has_value());
    co_await scheduler->look();
    while (came_in() == before) {
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(2)));
    }
    co_return id;
  }
};

bool is_at(const Site& site, const queue::MessageId& id, queue::Station station) {
  const queue::Message* message = site.store->find(id);
  return message != nullptr && message->station == station;
}

smtp::Envelope to(std::vector<std::string> addresses) {
  smtp::Envelope envelope;
  envelope.reverse_path.emplace("ann", "a.test");
  for (const std::string& address : addresses) {
    envelope.recipients.emplace_back(route::TestSite::mailbox(address));
  }
  return envelope;
}

const std::string text = "Subject: hello\r\n\r\nbody\r\n";

// Until `condition` holds; fails the test after five seconds.
template <class Condition>
Task<void> until(Condition condition) {
  for (int i = 0; i < 500 && !condition(); ++i) {
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(10)));
  }
  CHECK(condition());
}

dsn::ParsedReport report_in(const test::Delivered& delivered) {
  auto parsed = dsn::parse_report(delivered.body);
  if (!parsed) FAIL(parsed.error());
  return std::move(*parsed);
}

void run(Site& site, Task<void> (*story)(Site&)) {
  async::run([](Site* in, Task<void> (*tell)(Site&)) -> Task<void> {
    in->start();
    in->local.open();
    in->relay.open();
    co_await tell(*in);
    co_await in->end();
  }(&site, story));
}

}  // namespace

TEST_CASE("queued: a message is handed over once and then it is gone, for a restart too") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0; });
    REQUIRE(in.local.delivered.size() == 1);
    CHECK(in.local.delivered[0].body == text);
    CHECK(in.local.delivered[0].mail.starts_with("MAIL FROM:<ann@a.test>"));
    co_await in.stop();
    in.start();
    CHECK(in.store->find(id) == nullptr);
    CHECK(in.store->size() == 0);
  });
}

TEST_CASE("queued: recipients of one agent share a transaction, another domain's get their own") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    smtp::Envelope envelope =
        to({"bob@a.test", "x@one.test", "ann@a.test", "y@two.test", "z@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0; });
    REQUIRE(in.local.delivered.size() == 1);
    CHECK(in.local.delivered[0].rcpts.size() == 2);
    CHECK(in.relay.delivered.size() == 2);
    CHECK(in.relay.count("x@one.test") == 1);
    CHECK(in.relay.count("z@one.test") == 1);
  });
}

TEST_CASE("queued: a refused recipient's sender gets a report with the header of the message") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "550 5.2.1 mailbox disabled";
    smtp::Envelope envelope = to({"bob@a.test"});
    envelope.envid = "envelope-1";
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    const test::Delivered& bounce = in.local.delivered.at(0);
    CHECK(bounce.mail.starts_with("MAIL FROM:<>"));
    CHECK(in.local.count("ann@a.test") == 1);
    const dsn::ParsedReport report = report_in(bounce);
    REQUIRE(report.recipients.size() == 1);
    CHECK(report.recipients[0].action == dsn::Action::failed);
    CHECK(report.recipients[0].status.text() == "5.2.1");
    CHECK(report.recipients[0].final_recipient.address == "bob@a.test");
    CHECK(report.envid == "envelope-1");
    CHECK(report.returned.find("Subject: hello") != std::string::npos);
  });
}

TEST_CASE("queued: a report that can't be delivered goes to the postmaster, and no further") {
  Site site;
  site.options.routes.postmaster = "bob@a.test";
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["rcpt ann@a.test"] = "550 5.1.1 gone";
    in.relay.replies["x@one.test"] = "550 5.1.1 unknown";
    smtp::Envelope envelope = to({"x@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.local.count("bob@a.test") == 1; });
    CHECK(in.local.delivered.size() == 1);
  });
}

TEST_CASE("queued: what the postmaster can't be told either is told to nobody") {
  Site site;
  site.options.routes.postmaster = "chief@a.test";
  site.routes.aliases.set("chief bob@a.test, away@two.test\n");
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["rcpt ann@a.test"] = "550 5.1.1 gone";
    in.local.replies["bob@a.test"] = "552 5.2.2 full";
    in.relay.replies["away@two.test"] = "550 5.1.1 unknown";
    in.relay.replies["x@one.test"] = "550 5.1.1 unknown";
    smtp::Envelope envelope = to({"x@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.came_in() >= 3; });
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(300)));
    CHECK(in.store->size() == 0);
    CHECK(in.came_in() == 3);  // the message, its report, and the report about that
  });
}

TEST_CASE("queued: 4xx is tried again, later, with what was delivered left alone") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "450 4.2.1 busy";
    smtp::Envelope envelope = to({"bob@a.test", "ann@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    CHECK(in.local.count("ann@a.test") == 1);
    const std::uint32_t now = static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(wall_now().time_since_epoch()).count());
    CHECK(in.store->find(id)->next >= now + 40);
    CHECK(in.store->find(id)->next <= now + 80);
    co_await in.stop();
    in.start();  // a restart keeps to the schedule
    REQUIRE(in.store->find(id) != nullptr);
    CHECK(is_at(in, id, queue::Station::waiting));
    in.local.replies.clear();
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.local.count("ann@a.test") == 1);
    CHECK(in.local.count("bob@a.test") == 1);
  });
}

TEST_CASE("queued: a message that is too old goes back, and a late one's sender is told once") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.relay.replies["x@one.test"] = "450 4.2.1 busy";
    smtp::Envelope late = to({"x@one.test"});
    late.arrival = wall_now() - std::chrono::hours(5);
    const auto id = co_await in.send(std::move(late), text);
    co_await until([&in] { return in.local.count("ann@a.test") == 1; });
    CHECK(report_in(in.local.delivered[0]).recipients.at(0).action == dsn::Action::delayed);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until(
        [&in, id] { return in.relay.bodies == 2 && is_at(in, id, queue::Station::waiting); });
    CHECK(in.local.delivered.size() == 1);

    smtp::Envelope old = to({"x@one.test"});
    old.arrival = wall_now() - std::chrono::hours(24 * 6);
    co_await in.send(std::move(old), text);
    co_await until([&in] { return in.local.delivered.size() == 2 && in.store->size() == 1; });
    const dsn::ParsedReport report = report_in(in.local.delivered[1]);
    CHECK(report.recipients.at(0).action == dsn::Action::failed);
    CHECK(report.recipients.at(0).status.text() == "4.4.7");
  });
}

TEST_CASE("queued: an agent that is away delays nobody's count and is found when it comes back") {
  Site site;
  async::run([](Site* in) -> Task<void> {
    in->start();
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in->send(std::move(envelope), text);
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(200)));
    CHECK(in->store->find(id) != nullptr);
    CHECK(in->store->find(id)->attempts == 0);
    in->local.open();
    for (int i = 0; i < 40 && in->store->size() > 0; ++i) {
      in->scheduler->tick();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(100)));
    }
    CHECK(in->store->size() == 0);
    CHECK(in->local.count("bob@a.test") == 1);
    co_await in->end();
  }(&site));
}

TEST_CASE("queued: an agent that dies in the middle is tried again within seconds") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.hang_ups = 1;
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] {
      return in.store->find(id) == nullptr || is_at(in, id, queue::Station::waiting);
    });
    for (int i = 0; i < 50 && in.store->size() > 0; ++i) {
      in.scheduler->tick();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(100)));
    }
    CHECK(in.store->size() == 0);
    CHECK(in.local.count("bob@a.test") == 1);
  });
}

TEST_CASE("queued: 452 4.5.3 splits a transaction, nothing is deferred") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.relay.replies["rcpt y@one.test"] = "452 4.5.3 one at a time";
    smtp::Envelope envelope = to({"x@one.test", "y@one.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    // y is refused each time, alone too: then it is a deferral.
    co_await until([&in, id] {
      return in.store->find(id) != nullptr && is_at(in, id, queue::Station::waiting);
    });
    CHECK(in.relay.count("x@one.test") == 1);
    in.relay.replies.clear();
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.relay.count("x@one.test") == 1);
    CHECK(in.relay.count("y@one.test") == 1);
  });
}

TEST_CASE("queued: 451 4.4.5 is no attempt: relayd has its share, the message waits its turn") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.relay.replies["rcpt x@one.test"] = "451 4.4.5 busy with that site";
    smtp::Envelope envelope = to({"x@one.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(300)));
    CHECK(in.store->find(id)->attempts == 0);
    CHECK(is_at(in, id, queue::Station::working));
    in.relay.replies.clear();
    for (int i = 0; i < 40 && in.store->size() > 0; ++i) {
      in.scheduler->tick();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(100)));
    }
    CHECK(in.relay.count("x@one.test") == 1);
  });
}

TEST_CASE("queued: a dead destination rests, and what waits for it is deferred without trying") {
  Site site;
  site.options.destination_concurrency = 1;
  run(site, [](Site& in) -> Task<void> {
    in.relay.replies["rcpt x@dead.test"] = "450 4.4.1 no route to host";
    for (int i = 0; i < 8; ++i) {
      smtp::Envelope envelope = to({"x@dead.test"});
      co_await in.send(std::move(envelope), text);
    }
    smtp::Envelope alive = to({"y@alive.test"});
    co_await in.send(std::move(alive), text);
    co_await until([&in] { return in.relay.count("y@alive.test") == 1; });
    co_await until([&in] {
      std::size_t waiting = 0;
      for (const queue::Message* one : in.store->messages()) {
        waiting += one->station == queue::Station::waiting ? 1 : 0;
      }
      return waiting == 8 && in.store->size() == 8;  // and the other's is gone
    });
    for (const queue::Message* one : in.store->messages()) CHECK(one->attempts == 1);
  });
}

TEST_CASE("queued: what fails in one moment fails once, and a success wakes the destination") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.relay.holds = true;
    for (int i = 0; i < 12; ++i) {
      const std::string address = fmt::format("u{}@one.test", i);
      if (i != 5) in.relay.replies[address] = "451 4.4.2 lost connection";
      smtp::Envelope envelope = to({address});
      co_await in.send(std::move(envelope), text);
    }
    co_await until([&in] { return in.relay.bodies == 12; });
    in.relay.release();
    co_await until([&in] { return in.relay.count("u5@one.test") == 1; });
    in.relay.replies.clear();
    smtp::Envelope envelope = to({"late@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.relay.count("late@one.test") == 1; });
  });
}

TEST_CASE("queued: a destination that hangs delays no other") {
  Site site;
  site.options.destination_concurrency = 2;
  run(site, [](Site& in) -> Task<void> {
    in.relay.holds = true;
    for (int i = 0; i < 20; ++i) {
      smtp::Envelope slow = to({"x@slow.test"});
      co_await in.send(std::move(slow), text);
    }
    smtp::Envelope quick = to({"bob@a.test"});
    co_await in.send(std::move(quick), text);
    co_await until([&in] { return in.local.count("bob@a.test") == 1; });
    CHECK(in.relay.bodies == 2);
    in.relay.release();
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.relay.count("x@slow.test") == 20);
  });
}

TEST_CASE("queued: NOTIFY=SUCCESS is reported as relayed only for an agent without DSN") {
  const bool has_dsn = GENERATE(true, false);
  Site site;
  site.relay.dsn = has_dsn;
  run(site, [](Site& in) -> Task<void> {
    smtp::Envelope envelope = to({"x@one.test"});
    envelope.recipients[0].notify = smtp::Notify(smtp::Notify::success);
    co_await in.send(std::move(envelope), text);
    const std::size_t reports = in.relay.dsn ? 0 : 1;
    co_await until(
        [&in, reports] { return in.store->size() == 0 && in.local.delivered.size() == reports; });
    const bool passed =
        in.relay.delivered.at(0).rcpts.at(0).find("NOTIFY=SUCCESS") != std::string::npos;
    CHECK(passed == in.relay.dsn);
    if (in.relay.dsn) co_return;
    CHECK(report_in(in.local.delivered[0]).recipients.at(0).action == dsn::Action::relayed);
  });
}

TEST_CASE("queued: a message with too many hops comes back as a loop") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    std::string looped;
    for (int i = 0; i < 100; ++i) looped += "Received: by x; date\r\n";
    smtp::Envelope envelope = to({"bob@a.test"});
    co_await in.send(std::move(envelope), looped + text);
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    CHECK(in.local.count("bob@a.test") == 0);
    CHECK(report_in(in.local.delivered[0]).recipients.at(0).status.text() == "5.4.6");
  });
}

TEST_CASE(
    "queued: an alias is expanded once: its members are remembered with what became of them") {
  Site site;
  site.routes.aliases.set("team bob@a.test, x@one.test\n");
  run(site, [](Site& in) -> Task<void> {
    in.relay.replies["x@one.test"] = "450 4.2.1 busy";
    smtp::Envelope envelope = to({"team@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    CHECK(in.local.count("bob@a.test") == 1);
    in.routes.aliases.set("team ann@a.test\n");  // too late for this message
    co_await in.stop();
    in.start();
    in.relay.replies.clear();
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.relay.count("x@one.test") == 1);
    CHECK(in.local.delivered.size() == 1);
  });
}

TEST_CASE("queued: an unknown user waits, and is delivered to when the tables know it") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    smtp::Envelope envelope = to({"late@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    CHECK(in.local.bodies == 0);
    in.routes.users.names.insert("late@a.test");
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.local.count("late@a.test") == 1);
  });
}

TEST_CASE("queued: discard: takes, error: refuses, neither asks an agent") {
  Site site;
  site.routes.transports.set("gone@one.test discard:\nno@one.test error:5.7.1 not here\n");
  run(site, [](Site& in) -> Task<void> {
    smtp::Envelope envelope = to({"gone@one.test", "no@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    CHECK(in.relay.bodies == 0);
    const dsn::ParsedReport report = report_in(in.local.delivered[0]);
    REQUIRE(report.recipients.size() == 1);
    CHECK(report.recipients[0].status.text() == "5.7.1");
  });
}

TEST_CASE("queued: hold keeps a message through a restart, release sends it, delete forgets it") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "450 4.2.1 busy";
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    smtp::Envelope other = to({"bob@a.test"});
    const auto second = co_await in.send(std::move(other), text);
    co_await until([&in, id, second] {
      return is_at(in, id, queue::Station::waiting) && is_at(in, second, queue::Station::waiting);
    });
    auto held = co_await in.scheduler->hold(id, "odd");
    CHECK(held.has_value());
    CHECK_FALSE(in.scheduler->flush(id).has_value());
    co_await in.stop();
    in.start();
    CHECK(in.store->find(id)->held);
    CHECK(is_at(in, id, queue::Station::none));
    in.local.replies.clear();
    REQUIRE(in.scheduler->remove(second).has_value());
    CHECK(in.store->find(second) == nullptr);
    auto released = co_await in.scheduler->release(id);
    CHECK(released.has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.local.count("bob@a.test") == 1);
  });
}

TEST_CASE("queued: a message that is deleted while somebody else reads it goes behind that") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "450 4.2.1 busy";
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    in.scope.spawn([](Site* of, queue::MessageId which) -> Task<void> {
      auto held = co_await of->scheduler->hold(which, "odd");
      CHECK_FALSE(held.has_value());
    }(&in, id));
    REQUIRE(in.store->find(id)->busy);
    REQUIRE(in.scheduler->remove(id).has_value());
    co_await until([&in] {
      in.scheduler->tick();
      return in.store->size() == 0;
    });
    co_await in.stop();
    in.start();
    CHECK(in.store->find(id) == nullptr);
  });
}

TEST_CASE("queued: a message that is being handed over can be held, with the reason") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "450 4.2.1 busy";
    in.local.holds = true;
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.local.bodies == 1; });
    auto held = co_await in.scheduler->hold(id, "odd");
    CHECK(held.has_value());
    auto released = co_await in.scheduler->release(id);
    REQUIRE_FALSE(released.has_value());
    CHECK(released.error().code == "busy");
    in.local.release();
    co_await until([&in, id] { return is_at(in, id, queue::Station::none); });
    const queue::Message* message = in.store->find(id);
    REQUIRE(message != nullptr);
    CHECK(message->held);
    auto loaded = co_await in.store->load(*message);
    REQUIRE(loaded);
    CHECK((*loaded)->state.hold_reason == "odd");
  });
}

TEST_CASE("queued: while outcomes can't be written nothing is tried") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    bool broken = true;
    in.files.set_fault([&broken](queue::MemoryFiles::Call call, const std::string& path) {
      const bool is_outcome = path.ends_with(".out") && call == queue::MemoryFiles::Call::write;
      return broken && is_outcome ? ENOSPC : 0;
    });
    smtp::Envelope first = to({"bob@a.test"});
    co_await in.send(std::move(first), text);
    co_await until([&in] { return !in.store->healthy(); });
    smtp::Envelope second = to({"bob@a.test"});
    co_await in.send(std::move(second), text);
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(200)));
    CHECK(in.local.count("bob@a.test") == 1);
    broken = false;
    for (int i = 0; i < 50 && in.store->size() > 0; ++i) {
      in.scheduler->tick();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(100)));
    }
    CHECK(in.local.count("bob@a.test") == 2);
    in.files.set_fault({});
  });
}

TEST_CASE("queued: a report that finds no room is written later, and the message waits for it") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "550 5.2.1 disabled";
    smtp::Envelope envelope = to({"bob@a.test"});
    bool full = false;
    in.files.set_fault([&full](queue::MemoryFiles::Call call, const std::string& path) {
      const bool is_segment = !path.ends_with(".out");
      return full && is_segment && call == queue::MemoryFiles::Call::write ? EIO : 0;
    });
    in.local.holds = true;
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.local.bodies == 1; });
    full = true;
    in.local.release();
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    CHECK(in.store->find(id)->phases == "b");
    full = false;
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in] { return in.store->size() == 0 && in.local.count("ann@a.test") == 1; });
    CHECK(in.local.bodies == 2);
    in.files.set_fault({});
  });
}

TEST_CASE("queued: a file in drop/ becomes a message, with what it lacks, and is gone") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    DropReader drop(*in.store, in.routes.resolver, in.options, in.scheduler->reporter(), in.log);
    const std::string path = queue::test::layout().drop() + "/one";
    in.files.set_contents(path,
                          "MAIL FROM:<ann@a.test>\nRCPT TO:<bob@a.test>\nDATA\nFrom: ann@a.test\n"
                          "Bcc: eve@a.test\n\n..x\n.\n");
    co_await drop.begin();
    const bool any = co_await drop.look();
    CHECK(any);
    CHECK_FALSE(in.files.exists(path));
    co_await in.scheduler->look();
    co_await until([&in] { return in.store->size() == 0; });
    REQUIRE(in.local.delivered.size() == 1);
    const std::string& body = in.local.delivered[0].body;
    CHECK(body.find("Message-ID: <") != std::string::npos);
    CHECK(body.find("Bcc") == std::string::npos);
    CHECK(body.ends_with("\r\n\r\n.x\r\n"));
  });
}

TEST_CASE("queued: a file in drop/ without its final dot is left alone until it changes") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    DropReader drop(*in.store, in.routes.resolver, in.options, in.scheduler->reporter(), in.log);
    const std::string path = queue::test::layout().drop() + "/one";
    in.files.set_contents(path,
                          "MAIL FROM:<ann@a.test>\nRCPT TO:<bob@a.test>\nDATA\nFrom: ann@a.test\n");
    co_await drop.begin();
    const bool any = co_await drop.look();
    CHECK_FALSE(any);
    CHECK(in.files.exists(path));
    co_await in.scheduler->look();
    CHECK(in.store->size() == 0);
  });
}

TEST_CASE("queued: after a crash a drop file whose messages are in the queue is only unlinked") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    in.local.holds = true;
    DropReader drop(*in.store, in.routes.resolver, in.options, in.scheduler->reporter(), in.log);
    const std::string name = queue::test::layout().drop() + "/two";
    const std::string message = "RCPT TO:<bob@a.test>\nDATA\nFrom: ann@a.test\n\nx\n.\n";
    in.files.set_contents(
        name, "MAIL FROM:<ann@a.test>\n" + message + "MAIL FROM:<ann@a.test>\n" + message);
    // It can't be unlinked: the crash comes before that.
    in.files.set_fault([&name](queue::MemoryFiles::Call call, const std::string& touched) {
      return call == queue::MemoryFiles::Call::unlink && touched == name ? EIO : 0;
    });
    co_await drop.begin();
    const bool any = co_await drop.look();
    CHECK(any);
    co_await in.scheduler->look();
    CHECK(in.store->size() == 2);
    in.files.set_fault({});
    DropReader again(*in.store, in.routes.resolver, in.options, in.scheduler->reporter(), in.log);
    co_await again.begin();
    const bool unlinked = co_await again.look();
    CHECK(unlinked);
    CHECK_FALSE(in.files.exists(name));
    co_await in.scheduler->look();
    CHECK(in.store->size() == 2);
    in.local.release();
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.local.count("bob@a.test") == 2);
  });
}

TEST_CASE("queued: a dropped message that is no message is answered to its sender") {
  Site site;
  run(site, [](Site& in) -> Task<void> {
    DropReader drop(*in.store, in.routes.resolver, in.options, in.scheduler->reporter(), in.log);
    const std::string path = queue::test::layout().drop() + "/one";
    in.files.set_contents(
        path, "MAIL FROM:<ann@a.test>\nRCPT TO:<bob@a.test>\nDATA\nno header line\n\nx\n.\n");
    co_await drop.begin();
    const bool any = co_await drop.look();
    CHECK(any);
    co_await in.scheduler->look();
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    CHECK(in.local.count("bob@a.test") == 0);
    CHECK(report_in(in.local.delivered[0]).recipients.at(0).status.text() == "5.6.0");
  });
}
