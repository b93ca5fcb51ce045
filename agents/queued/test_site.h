// For tests: a whole queued, its store on a disk in memory, its agents on real sockets.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "agents/queued/scheduler.h"
#include "agents/queued/test_agent.h"
#include "libmail/dsn/parse.h"
#include "libmail/queue/test_queue.h"
#include "libmail/route/test_tables.h"
#include "test/support/test_folder.h"

namespace posthorn::queued {

struct TestSite {
  posthorn::TestFolder directory;
  queue::MemoryFiles files;
  route::TestSite routes;
  Options options;
  service::Log log{"queued", service::Log::Format::kv, service::Level::error, -1};
  service::Metrics metrics;
  test::TestAgent local{directory.path("local")};
  test::TestAgent relay{directory.path("relay")};
  std::unique_ptr<queue::Store> store;
  std::unique_ptr<Scheduler> scheduler;
  async::Scope scope;
  bool stopping = false;

  TestSite() {
    options.host.hostname = "mx.a.test";
    options.host.domains = {"a.test"};
    options.retry_first = std::chrono::seconds(60);
    routes.resolver.set_defaults(
        route::Transport::lmtp(async::Endpoint::unix_path(directory.path("local"))),
        route::Transport::lmtp(async::Endpoint::unix_path(directory.path("relay"))));
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
  async::Task<void> keep_looking() {
    while (!stopping) {
      co_await scheduler->look();
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(10)));
    }
  }
  async::Task<void> stop() {
    stopping = true;
    co_await scheduler->stop(async::Deadline::in(std::chrono::seconds(1)));
    co_await store->stop();
    co_await scope.join();
    scheduler.reset();
    store.reset();
  }
  async::Task<void> end() {
    co_await stop();
    co_await local.close();
    co_await relay.close();
  }

  std::uint64_t came_in() {
    return metrics.counter("posthorn_queued_messages_total", "messages that came in").value();
  }
  // A message from ann to `to`, taken into the queue.
  async::Task<queue::MessageId> send(smtp::Envelope envelope, std::string body) {
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

inline bool is_at(const TestSite& site, const queue::MessageId& id, queue::Station station) {
  const queue::Message* message = site.store->find(id);
  return message != nullptr && message->station == station;
}

inline smtp::Envelope to(std::vector<std::string> addresses) {
  smtp::Envelope envelope;
  envelope.reverse_path.emplace("ann", "a.test");
  for (const std::string& address : addresses) {
    envelope.recipients.emplace_back(route::TestSite::mailbox(address));
  }
  return envelope;
}

inline const std::string text = "Subject: hello\r\n\r\nbody\r\n";

// Until `condition` holds; fails the test after a minute, which is for machines with other things to do.
template <class Condition>
async::Task<void> until(Condition condition,
                        std::source_location caller = std::source_location::current()) {
  const async::Deadline deadline = async::Deadline::in(std::chrono::minutes(1));
  while (!condition() && !deadline.passed()) {
    co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(10)));
  }
  INFO("waited for in " << caller.file_name() << ":" << caller.line());
  REQUIRE(condition());
}

inline dsn::ParsedReport report_in(const test::Delivered& delivered) {
  auto parsed = dsn::parse_report(delivered.body);
  if (!parsed) FAIL(parsed.error());
  return std::move(*parsed);
}

inline void run(TestSite& site, async::Task<void> (*story)(TestSite&)) {
  async::run([](TestSite* in, async::Task<void> (*tell)(TestSite&)) -> async::Task<void> {
    in->start();
    in->local.open();
    in->relay.open();
    co_await tell(*in);
    co_await in->end();
  }(&site, story));
}

}  // namespace posthorn::queued
