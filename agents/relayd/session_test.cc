#include "agents/relayd/session.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "agents/relayd/fakes.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/scripted_server.h"

using namespace posthorn;
using namespace posthorn::relayd;
using namespace posthorn::relayd::test;
using namespace posthorn::session::test;
using async::Deadline;
using Texts = std::vector<std::string>;
using Then = Step::Then;

namespace {

const std::string offers = "250-mx.there.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n";
const Step greeting("", "220 mx\r\n");
const Step hello("EHLO mail.us.example\r\n", offers);
const Step hello_without_dsn("EHLO mail.us.example\r\n",
                             "250-mx.there.example\r\n250-CHUNKING\r\n250 PIPELINING\r\n");

Step group(const std::string& replies, Then then = Then::go_on) {
  return {"LAST\r\nhi\r\n", replies, then};
}

// relayd without its main: tables, fake DNS, and hosts on loopback addresses that share one port.
struct Relay {
  FakeDns dns;
  MapTable routes;
  MapTable logins;
  service::Log log{"test", service::Log::Format::kv, service::Level::error};
  service::Metrics metrics;
  Destinations destinations{routes, logins, dns, log};
  Connections connections{metrics};
  RelayedReports reports{log};
  Counters counters{metrics};
  queue::IdSource ids;
  std::vector<std::unique_ptr<Server>> hosts;
  std::uint16_t port = 0;
  async::Scope sessions;
  SessionOptions options;
  ConnectionOptions limits;

  // One MX host for each list of scripts, best first; without scripts nobody listens there.
  explicit Relay(std::vector<std::vector<Script>> servers) {
    std::vector<dns::MailHost> list;
    for (std::size_t i = 0; i < servers.size(); ++i) {
      const std::string address = "127.0.7." + std::to_string(i + 1);
      list.push_back(host("mx" + std::to_string(i + 1) + ".there.example",
                          static_cast<std::uint16_t>(10 * i), {address}));
      if (servers[i].empty()) continue;
      hosts.push_back(
          std::make_unique<Server>(std::move(servers[i]), async::Endpoint::inet(address, port)));
      port = hosts.back()->listener->endpoint().port;
    }
    dns.routes["there.example"] = route_of(dns::MailRoute::Outcome::hosts, std::move(list));
    limits.hostname = "mail.us.example";
    limits.security = Security::off;
    limits.timeouts.connect = 2s;
    limits.timeouts.greeting = 2s;
    limits.timeouts.command = 2s;
    limits.timeouts.final = 2s;
    options.held = 1024;
  }

  // A client of ours, as queued would be.
  async::Task<std::unique_ptr<session::SmtpClient>> connect() {
    destinations.configure(destination_options());
    connections.configure(limits);
    async::Peer local;
    local.kind = async::Peer::Kind::unix_socket;
    auto pair = async::make_memory_pair(local, local);
    session::SmtpSessionSettings settings;
    settings.server.protocol = smtp::Protocol::lmtp;
    settings.server.requiretls = true;
    settings.log = &log;
    const Services services(destinations, connections, reports, ids, log, counters);
    sessions.spawn(session::serve_smtp(std::move(pair.right), settings,
                                       std::make_unique<Session>(services, options), nullptr));
    session::SmtpClientOptions queued;
    queued.core.name = "queued";
    const session::NextHop hop(smtp::ClientDialect::lmtp, async::Endpoint::unix_path("memory"));
    auto client = std::make_unique<session::SmtpClient>(hop, queued);
    const auto opened = co_await client->open_on(std::move(pair.left), Deadline::in(5s));
    CHECK(opened);
    co_return client;
  }

  [[nodiscard]] DestinationOptions destination_options() const {
    DestinationOptions one;
    one.hostname = "mail.us.example";
    one.default_port = port;
    return one;
  }

  async::Task<void> stop() {
    co_await connections.stop();
    for (const auto& server : hosts) server->listener->close();
  }
};

smtp::Envelope envelope_for(const Texts& recipients) {
  smtp::Envelope envelope;
  envelope.reverse_path = smtp::Mailbox("ann", "us.example");
  envelope.trace_id = "TRACE1";
  for (const std::string& one : recipients) {
    const std::size_t at = one.find('@');
    envelope.recipients.emplace_back(smtp::Mailbox(one.substr(0, at), one.substr(at + 1)));
  }
  return envelope;
}

async::Task<Texts> send_all(Relay& relay, std::vector<smtp::Envelope> messages, std::string body) {
  async::Scope playing;
  for (const auto& server : relay.hosts) playing.spawn(server->play_all());
  Texts replies;
  auto client = co_await relay.connect();
  for (const smtp::Envelope& envelope : messages) {
    const auto statuses =
        co_await client->deliver(envelope, session::WholeBody(body), Deadline::in(20s));
    for (const smtp::Status& status : statuses)
      replies.push_back(status.enhanced.text() + " " + status.text);
  }
  co_await client->quit(Deadline::in(1s));
  co_await relay.sessions.join();
  co_await relay.stop();
  co_await playing.join();
  co_return replies;
}

Texts send(Relay& relay, std::vector<smtp::Envelope> messages, const std::string& body = "hi\r\n") {
  return async::run(send_all(relay, std::move(messages), body));
}

std::string lines(std::size_t size) {
  std::string text;
  while (text.size() < size)
    text += "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
  return text;
}

const std::string bob = "bob@there.example";
const std::string eve = "eve@there.example";

}  // namespace

TEST_CASE("relayd: each recipient gets the remote host's own words, in one group") {
  Relay relay(
      {{{greeting, hello,
         group("250 ok\r\n250 ok\r\n550 5.1.1 no eve here\r\n250 2.0.0 queued as 7\r\n")}}});
  CHECK(send(relay, {envelope_for({bob, eve})}) ==
        Texts{"2.0.0 host mx1.there.example[127.0.7.1] said: 250 2.0.0 queued as 7",
              "5.1.1 host mx1.there.example[127.0.7.1] said: 550 5.1.1 no eve here"});
  CHECK(relay.hosts[0]->heard[0] ==
        "EHLO mail.us.example\r\nMAIL FROM:<ann@us.example>\r\nRCPT TO:<bob@there.example>\r\n"
        "RCPT TO:<eve@there.example>\r\nBDAT 4 LAST\r\nhi\r\nQUIT\r\n");
  CHECK(relay.counters.sent.value() == 1);
  CHECK(relay.counters.refused.value() == 1);
}

TEST_CASE("relayd: a connection is used again") {
  const Step taken = group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n");
  Relay relay({{{greeting, hello, taken, taken}}});
  CHECK(send(relay, {envelope_for({bob}), envelope_for({eve})}).size() == 2);
  CHECK(relay.hosts[0]->heard.size() == 1);
  CHECK(relay.counters.sent.value() == 2);
}

TEST_CASE("relayd: hosts that are down, refuse or break are followed by the next one") {
  const Step taken = group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n");
  const Script good = {greeting, hello, taken};
  for (const Script& bad :
       {Script{}, Script{Step("", "554 no service\r\n", Then::hang_up)},
        Script{Step("", "421 4.3.2 busy\r\n", Then::hang_up)},
        Script{greeting, Step("EHLO", "", Then::hang_up)},
        Script{greeting, hello, group("451 4.7.1 not now\r\n503 x\r\n503 x\r\n")},
        Script{greeting, hello, group("250 ok\r\n451 4.2.0 not now\r\n554 nobody\r\n")},
        Script{greeting, hello, group("", Then::hang_up)}}) {
    Relay relay({bad.empty() ? std::vector<Script>() : std::vector<Script>{bad}, {good}});
    const Texts replies = send(relay, {envelope_for({bob})});
    REQUIRE(replies.size() == 1);
    CHECK(replies[0] == "2.0.0 host mx2.there.example[127.0.7.2] said: 250 2.0.0 done");
  }
}

TEST_CASE("relayd: a transaction ends at its own deadline, whatever the host still has time for") {
  Relay relay({{{greeting, hello, group("250 ok\r\n250 ok\r\n"), Step("a word", "")}}});
  relay.options.transaction_time = 300ms;
  relay.limits.timeouts.final = 20s;
  const MonoTime begin = std::chrono::steady_clock::now();
  const Texts replies = send(relay, {envelope_for({bob})});
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].starts_with("4.4.2 host mx1.there.example[127.0.7.1]"));
  CHECK(std::chrono::steady_clock::now() - begin < 4s);
}

TEST_CASE("relayd: what a host says about the message is the last word") {
  for (const std::string last : {"451 4.3.0 later\r\n", "554 5.6.0 bad\r\n"}) {
    Relay relay({{{greeting, hello, group("250 ok\r\n250 ok\r\n" + last)}},
                 {{greeting, hello, group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n")}}});
    const Texts replies = send(relay, {envelope_for({bob})});
    CHECK(replies[0].find("mx1.there.example") != std::string::npos);
    CHECK(relay.hosts[1]->heard.empty());
  }
}

TEST_CASE("relayd: only those whom the first host did not take go to the second") {
  Relay relay(
      {{{greeting, hello, group("250 ok\r\n250 ok\r\n450 4.2.0 eve is busy\r\n250 2.0.0 one\r\n")}},
       {{greeting, hello, group("250 ok\r\n250 ok\r\n250 2.0.0 two\r\n")}}});
  const Texts replies = send(relay, {envelope_for({bob, eve})});
  CHECK(replies[0].find("mx1") != std::string::npos);
  CHECK(replies[1] == "2.0.0 host mx2.there.example[127.0.7.2] said: 250 2.0.0 two");
  CHECK(relay.hosts[1]->heard[0].find("bob") == std::string::npos);
}

TEST_CASE("relayd: nobody there is 4.4.1 at RCPT, and one of a second destination gets 4.5.3") {
  Relay down(std::vector<std::vector<Script>>(1));
  down.port = 1;
  CHECK(send(down, {envelope_for({bob})})[0].starts_with("4.4.1 "));

  Relay two({{{greeting, hello, group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n")}}});
  two.dns.routes["else.example"] = two.dns.routes["there.example"];
  const Texts replies = send(two, {envelope_for({bob, "ann@else.example"})});
  CHECK(replies[0].starts_with("2.0.0 "));
  CHECK(replies[1].starts_with("4.5.3 "));
}

TEST_CASE("relayd: what DNS says comes back at RCPT") {
  Relay relay(std::vector<std::vector<Script>>(1));
  relay.dns.routes["null.example"] = route_of(dns::MailRoute::Outcome::null_mx);
  relay.dns.routes["none.example"] = route_of(dns::MailRoute::Outcome::no_such_domain);
  const Texts replies =
      send(relay, {envelope_for({"a@null.example", "b@none.example", "c@null.example"})});
  CHECK(replies[0].starts_with("5.1.10 "));
  CHECK(replies[1].starts_with("5.1.2 "));
  CHECK(replies[2].starts_with("5.1.10 "));
}

TEST_CASE("relayd: a host that calls itself as we do is a loop") {
  const Step mirror("EHLO mail.us.example\r\n",
                    "250-MAIL.us.example greets you\r\n250 PIPELINING\r\n");
  Relay relay({{{greeting, mirror}}});
  CHECK(send(relay, {envelope_for({bob})})[0].starts_with("5.4.6 "));
}

TEST_CASE("relayd: a long message is streamed to the first host that accepts somebody") {
  const std::string body = lines(300000);
  Relay relay(
      {{{greeting, hello, Step("RCPT", "250 ok\r\n451 4.7.1 not now\r\n")}},
       {{greeting, hello, Step("RCPT", "250 ok\r\n250 ok\r\n"),
         Step(" LAST\r\n",
              "250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n250 6\r\n250 7\r\n250 8\r\n250 9\r\n"
              "250 2.0.0 done\r\n")}}});
  relay.options.held = 32 * 1024;
  const Texts replies = send(relay, {envelope_for({bob})}, body);
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].starts_with("2.0.0 host mx2.there.example[127.0.7.2] said: 250"));
  std::string wire = relay.hosts[1]->heard[0];
  wire.erase(0, wire.find("BDAT"));
  std::string sent;
  while (wire.starts_with("BDAT ")) {
    const std::size_t size = std::stoul(wire.substr(5));
    wire.erase(0, wire.find("\r\n") + 2);
    sent += wire.substr(0, size);
    wire.erase(0, size);
  }
  CHECK(sent == body);
}

TEST_CASE(
    "relayd: a host that breaks in the middle of a long message is no reason to send it twice") {
  const std::string body = lines(200000);
  Relay relay(
      {{{greeting, hello, Step("RCPT", "250 ok\r\n250 ok\r\n"), Step("BDAT", "", Then::hang_up)}},
       {{greeting, hello, Step("RCPT", "250 ok\r\n250 ok\r\n")}}});
  const Texts replies = send(relay, {envelope_for({bob})}, body);
  CHECK(replies[0].starts_with("4.4.2 host mx1.there.example[127.0.7.1]: lost connection"));
  CHECK(relay.hosts[1]->heard.empty());
}

TEST_CASE("relayd: nobody takes a long message: everybody's status, and the session goes on") {
  const std::string body = lines(100000);
  Relay relay({{{greeting, hello, Step("RCPT", "250 ok\r\n550 5.1.1 no\r\n"),
                 group("250 rset\r\n250 ok\r\n250 ok\r\n250 2.0.0 done\r\n")}}});
  async::run([](Relay& one, std::string large) -> async::Task<void> {
    async::Scope playing;
    playing.spawn(one.hosts[0]->play_all());
    auto client = co_await one.connect();
    const smtp::Envelope envelope = envelope_for({bob});
    const session::WholeBody first(large);
    auto statuses = co_await client->deliver(envelope, first, Deadline::in(5s));
    CHECK(statuses[0].enhanced.text() == "5.1.1");
    const session::WholeBody second("hi\r\n");
    statuses = co_await client->deliver(envelope, second, Deadline::in(5s));
    CHECK(statuses[0].succeeded());
    co_await client->quit(Deadline::in(1s));
    co_await one.sessions.join();
    co_await one.stop();
    co_await playing.join();
  }(relay, body));
}

TEST_CASE("relayd: REQUIRETLS is kept: a host without TLS does not get the message") {
  Relay relay({{{greeting, hello, group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n")}}});
  smtp::Envelope envelope = envelope_for({bob});
  envelope.requiretls = true;
  CHECK(send(relay, {envelope})[0].starts_with("4.7.4 "));
  CHECK(relay.hosts[0]->heard[0] == "EHLO mail.us.example\r\n");
}

TEST_CASE("relayd: the share of connections to a host is kept, and says so at once") {
  Relay relay({{{greeting, hello, group("250 ok\r\n250 ok\r\n250 2.0.0 done\r\n")}}, {}});
  relay.limits.per_host = 1;
  async::run([](Relay& one) -> async::Task<void> {
    async::Scope playing;
    playing.spawn(one.hosts[0]->play_all());
    auto first = co_await one.connect();
    auto second = co_await one.connect();
    const smtp::Envelope envelope = envelope_for({bob});
    const auto mail = co_await first->mail(envelope, Deadline::in(5s));
    CHECK(mail.succeeded());
    const auto rcpt = co_await first->rcpt(envelope.recipients[0], Deadline::in(5s));
    CHECK(rcpt.succeeded());
    const session::WholeBody body("hi\r\n");
    const auto statuses = co_await second->deliver(envelope, body, Deadline::in(5s));
    CHECK(statuses[0].enhanced.text() == "4.4.5");
    first->reset();
    co_await first->quit(Deadline::in(1s));
    co_await second->quit(Deadline::in(1s));
    co_await one.sessions.join();
    co_await one.stop();
    co_await playing.join();
  }(relay));
}

TEST_CASE("relayd: a host without DSN makes us report `relayed`, one with DSN does not") {
  const Directory queue;
  std::filesystem::create_directory(queue.path + "/drop");
  smtp::Envelope envelope = envelope_for({bob, eve});
  envelope.recipients[0].notify = smtp::Notify(smtp::Notify::success);
  envelope.envid = "ENV1";
  const Step taken = group("250 ok\r\n250 ok\r\n250 ok\r\n250 2.0.0 done\r\n");
  const auto dropped = [&queue] {
    std::vector<std::string> texts;
    for (const auto& entry : std::filesystem::directory_iterator(queue.path + "/drop")) {
      std::ifstream in(entry.path(), std::ios::binary);
      texts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return texts;
  };

  Relay with({{{greeting, hello, taken}}});
  with.reports.configure(queue.path, "mail.us.example");
  CHECK(send(with, {envelope}).size() == 2);
  CHECK(dropped().empty());
  CHECK(with.hosts[0]->heard[0].find("RCPT TO:<bob@there.example> NOTIFY=SUCCESS\r\n") !=
        std::string::npos);

  Relay without({{{greeting, hello_without_dsn, taken}}});
  without.reports.configure(queue.path, "mail.us.example");
  CHECK(send(without, {envelope}).size() == 2);
  REQUIRE(dropped().size() == 1);
  const std::string report = dropped()[0];
  CHECK(report.starts_with("MAIL FROM:<>\r\nRCPT TO:<ann@us.example> NOTIFY=NEVER\r\nDATA\r\n"));
  for (const char* part :
       {"\r\nAction: relayed\r\n", "\r\nFinal-Recipient: rfc822;bob@there.example\r\n",
        "\r\nRemote-MTA: dns; mx1.there.example", "\r\nOriginal-Envelope-Id: ENV1\r\n"}) {
    CAPTURE(part);
    CHECK(report.find(part) != std::string::npos);
  }
  CHECK(report.find("eve@") == std::string::npos);
  CHECK(without.hosts[0]->heard[0].find("NOTIFY") == std::string::npos);
}
