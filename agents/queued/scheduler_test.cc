// Messages on their way: handed over, tried again, fair to each other.
#include "agents/queued/scheduler.h"

#include <fmt/format.h>

#include <atomic>

#include "agents/queued/test_site.h"

using namespace posthorn;
using namespace posthorn::queued;
using async::Task;

TEST_CASE("queued: a message is handed over once and then it is gone, for a restart too") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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

TEST_CASE("queued: 4xx is tried again, later, with what was delivered left alone") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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

TEST_CASE("queued: an agent that is away delays nobody's count and is found when it comes back") {
  TestSite site;
  async::run([](TestSite* in) -> Task<void> {
    in->start();
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in->send(std::move(envelope), text);
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(200)));
    CHECK(in->store->find(id) != nullptr);
    CHECK(in->store->find(id)->attempts == 0);
    in->local.open();
    co_await until([in] {
      in->scheduler->tick();
      return in->store->size() == 0;
    });
    CHECK(in->local.count("bob@a.test") == 1);
    co_await in->end();
  }(&site));
}

TEST_CASE("queued: an agent that dies in the middle is tried again within seconds") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    in.local.hang_ups = 1;
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] {
      return in.store->find(id) == nullptr || is_at(in, id, queue::Station::waiting);
    });
    co_await until([&in] {
      in.scheduler->tick();
      return in.store->size() == 0;
    });
    CHECK(in.local.count("bob@a.test") == 1);
  });
}

TEST_CASE("queued: 452 4.5.3 splits a transaction, nothing is deferred") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    in.relay.replies["rcpt x@one.test"] = "451 4.4.5 busy with that site";
    smtp::Envelope envelope = to({"x@one.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.relay.refusals > 0; });
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(100)));
    CHECK(in.store->find(id)->attempts == 0);
    CHECK(is_at(in, id, queue::Station::working));
    in.relay.replies.clear();
    co_await until([&in] {
      in.scheduler->tick();
      return in.store->size() == 0;
    });
    CHECK(in.relay.count("x@one.test") == 1);
  });
}

TEST_CASE("queued: a dead destination rests, and what waits for it is deferred without trying") {
  TestSite site;
  site.options.destination_concurrency = 1;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  site.options.destination_concurrency = 2;
  run(site, [](TestSite& in) -> Task<void> {
    in.relay.holds = true;
    for (int i = 0; i < 20; ++i) {
      smtp::Envelope slow = to({"x@slow.test"});
      co_await in.send(std::move(slow), text);
    }
    smtp::Envelope quick = to({"bob@a.test"});
    co_await in.send(std::move(quick), text);
    co_await until([&in] { return in.local.count("bob@a.test") == 1; });
    co_await until([&in] { return in.relay.bodies >= 2; });
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(50)));
    CHECK(in.relay.bodies == 2);
    in.relay.release();
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.relay.count("x@slow.test") == 20);
  });
}

TEST_CASE(
    "queued: an alias is expanded once: its members are remembered with what became of them") {
  TestSite site;
  site.routes.aliases.set("team bob@a.test, x@one.test\n");
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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

TEST_CASE("queued: an unknown user is looked up again when all have read the tables, then seldom") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    const auto this_second = [] {
      return std::chrono::floor<std::chrono::seconds>(wall_now().time_since_epoch()).count();
    };
    smtp::Envelope envelope = to({"late@a.test", "bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    CHECK(in.local.count("bob@a.test") == 1);
    CHECK(in.store->find(id)->next <= this_second() + 3);  // whole seconds
    REQUIRE(in.scheduler->flush(id).has_value());
    co_await until([&in, id] {
      const queue::Message* message = in.store->find(id);
      return message->station == queue::Station::waiting && message->attempts >= 2;
    });
    CHECK(in.store->find(id)->next >= this_second() + 40);
  });
}

TEST_CASE("queued: discard: takes, error: refuses, neither asks an agent") {
  TestSite site;
  site.routes.transports.set("gone@one.test discard:\nno@one.test error:5.7.1 not here\n");
  run(site, [](TestSite& in) -> Task<void> {
    smtp::Envelope envelope = to({"gone@one.test", "no@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    CHECK(in.relay.bodies == 0);
    const dsn::ParsedReport report = report_in(in.local.delivered[0]);
    REQUIRE(report.recipients.size() == 1);
    CHECK(report.recipients[0].status.text() == "5.7.1");
  });
}

TEST_CASE("queued: while outcomes can't be written nothing is tried") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    std::atomic<bool> broken = true;
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
    co_await until([&in] {
      in.scheduler->tick();
      return in.store->size() == 0;
    });
    CHECK(in.local.count("bob@a.test") == 2);
    in.files.set_fault({});
  });
}
