// Whom queued tells what became of a message.
#include "agents/queued/reports.h"

#include <atomic>

#include "agents/queued/test_site.h"

using namespace posthorn;
using namespace posthorn::queued;
using async::Task;

TEST_CASE("queued: a refused recipient's sender gets a report with the header of the message") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  site.options.routes.postmaster = "bob@a.test";
  run(site, [](TestSite& in) -> Task<void> {
    in.local.replies["rcpt ann@a.test"] = "550 5.1.1 gone";
    in.relay.replies["x@one.test"] = "550 5.1.1 unknown";
    smtp::Envelope envelope = to({"x@one.test"});
    co_await in.send(std::move(envelope), text);
    co_await until([&in] { return in.store->size() == 0 && in.local.count("bob@a.test") == 1; });
    CHECK(in.local.delivered.size() == 1);
  });
}

TEST_CASE("queued: what the postmaster can't be told either is told to nobody") {
  TestSite site;
  site.options.routes.postmaster = "chief@a.test";
  site.routes.aliases.set("chief bob@a.test, away@two.test\n");
  run(site, [](TestSite& in) -> Task<void> {
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

TEST_CASE("queued: a message that is too old goes back, and a late one's sender is told once") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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

TEST_CASE("queued: NOTIFY=SUCCESS is reported as relayed only for an agent without DSN") {
  const bool has_dsn = GENERATE(true, false);
  TestSite site;
  site.relay.dsn = has_dsn;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    std::string looped;
    for (int i = 0; i < 100; ++i) looped += "Received: by x; date\r\n";
    smtp::Envelope envelope = to({"bob@a.test"});
    co_await in.send(std::move(envelope), looped + text);
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    CHECK(in.local.count("bob@a.test") == 0);
    CHECK(report_in(in.local.delivered[0]).recipients.at(0).status.text() == "5.4.6");
  });
}

TEST_CASE("queued: a report that finds no room is written later, and the message waits for it") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
    in.local.replies["bob@a.test"] = "550 5.2.1 disabled";
    smtp::Envelope envelope = to({"bob@a.test"});
    std::atomic<bool> full = false;
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
