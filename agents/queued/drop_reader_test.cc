// From a file in drop/ to a message.
#include "agents/queued/drop_reader.h"

#include "agents/queued/test_site.h"

using namespace posthorn;
using namespace posthorn::queued;
using async::Task;

TEST_CASE("queued: a file in drop/ becomes a message, with what it lacks, and is gone") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
    co_await until([&in] { return in.store->size() == 0 && in.local.delivered.size() == 1; });
    const std::string& body = in.local.delivered[0].body;
    CHECK(body.find("Message-ID: <") != std::string::npos);
    CHECK(body.find("Bcc") == std::string::npos);
    CHECK(body.ends_with("\r\n\r\n.x\r\n"));
  });
}

TEST_CASE("queued: a file in drop/ without its final dot is left alone until it changes") {
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
    co_await until([&in] { return in.store->size() == 2; });
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
  TestSite site;
  run(site, [](TestSite& in) -> Task<void> {
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
