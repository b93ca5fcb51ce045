// What the operator does to messages: hold, release, delete.
#include "agents/queued/ops.h"
#include "agents/queued/test_site.h"

using namespace posthorn;
using namespace posthorn::queued;
using async::Task;

TEST_CASE("queued: hold keeps a message through a restart, release sends it, delete forgets it") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "450 4.2.1 busy";
    smtp::Envelope envelope = to({"bob@a.test"});
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] { return is_at(in, id, queue::Station::waiting); });
    in.scope.spawn([](TestSite* of, queue::MessageId which) -> Task<void> {
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

TEST_CASE("queued: what an intake wants held is held once, until it is released") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    smtp::Envelope envelope = to({"bob@a.test"});
    envelope.hold_reason = "a policy server";
    const auto id = co_await in.send(std::move(envelope), text);
    co_await until([&in, id] {
      const queue::Message* message = in.store->find(id);
      return message != nullptr && message->held;
    });
    CHECK(in.local.bodies == 0);
    auto loaded = co_await in.store->load(*in.store->find(id));
    REQUIRE(loaded);
    CHECK((*loaded)->state.hold_reason == "a policy server");
    co_await in.stop();
    in.start();
    CHECK(in.store->find(id)->held);
    auto released = co_await in.scheduler->release(id);
    CHECK(released.has_value());
    co_await until([&in] { return in.store->size() == 0; });
    CHECK(in.local.count("bob@a.test") == 1);
  });
}

TEST_CASE("queued: a message that is being handed over can be held, with the reason") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
