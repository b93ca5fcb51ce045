#include "libmail/session/next_hop_intake.h"

#include <catch2/catch.hpp>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/scripted_server.h"

using namespace posthorn;
using namespace posthorn::session;
using namespace posthorn::session::test;
using Codes = std::vector<std::string>;

namespace {

const std::string offers =
    "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250-CHUNKING\r\n"
    "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n";
const Step greeting("", "220 mx\r\n");
const Step hello("HLO us.example\r\n", offers);
const Step mail("MAIL FROM", "250 x\r\n250 2.1.0 sender ok\r\n");
const Step bob("bob@there.example>\r\n", "251 2.1.5 bob is elsewhere\r\n");
const Step eve("eve@there.example>\r\n", "550 5.1.1 no eve\r\n");

smtp::Envelope envelope() {
  smtp::Envelope one;
  one.reverse_path = smtp::Mailbox("ann", "here.example");
  one.trace_id = "TRACE1";
  one.client.address = "192.0.2.7";
  one.client.helo = "client.example";
  return one;
}

smtp::Recipient recipient(const std::string& name) {
  return smtp::Recipient(smtp::Mailbox(name, "there.example"));
}

SmtpClientOptions options() {
  SmtpClientOptions one;
  one.core.name = "us.example";
  one.timeouts.command = 2s;
  one.timeouts.greeting = 2s;
  one.timeouts.final = 2s;
  return one;
}

// One message to bob and eve; the reply to each step, as "code enhanced text".
struct Said {
  std::vector<std::string> replies;
  void note(const smtp::Reply& reply) {
    replies.push_back(std::to_string(reply.code) + " " + reply.status.text() + " " + reply.text);
  }
};

async::Task<void> send(NextHopIntake& intake, std::vector<std::string> to, std::string body,
                       Said& said, const smtp::SessionInfo& session = {}) {
  const std::unique_ptr<IntakeTransaction> transaction = intake.begin(session);
  smtp::Envelope one = envelope();
  auto reply = co_await transaction->mail(one);
  said.note(reply);
  if (reply.negative()) {
    co_await transaction->abort();
    co_return;
  }
  for (const std::string& name : to) {
    const smtp::Recipient rcpt = recipient(name);
    reply = co_await transaction->rcpt(rcpt);
    said.note(reply);
    if (reply.positive()) one.recipients.push_back(rcpt);
  }
  reply = co_await transaction->data();
  if (reply.negative()) said.note(reply);
  if (reply.negative()) co_return;
  reply = co_await transaction->write(body);
  if (reply.negative()) said.note(reply);
  if (reply.negative()) co_return;
  reply = co_await transaction->finish(one);
  said.note(reply);
}

async::Task<void> send_all(Server& server, NextHopIntake& intake,
                           std::vector<std::vector<std::string>> messages, Said& said) {
  async::Scope scope;
  scope.spawn(server.play_all());
  for (const auto& to : messages) co_await send(intake, to, "hi\r\n", said);
  co_await intake.stop();
  server.listener->close();
  co_await scope.join();
}

// The first client sends twice, with the second one between.
async::Task<void> two_clients(Server& server, NextHopIntake& intake, Said& said) {
  async::Scope scope;
  scope.spawn(server.play_side_by_side());
  smtp::SessionInfo one;
  one.client.address = "192.0.2.7";
  one.client.port = 4711;
  one.server_address = "198.51.100.1";
  one.server_port = 25;
  smtp::SessionInfo other = one;
  other.client.port = 4712;
  const std::vector<const smtp::SessionInfo*> clients{&one, &other, &one};
  for (const smtp::SessionInfo* client : clients) {
    const std::vector<std::string> to(1, "bob");
    co_await send(intake, to, "hi\r\n", said, *client);
  }
  co_await intake.stop();
  server.listener->close();
  co_await scope.join();
}

struct Run {
  Server server;
  service::Log log{"test", service::Log::Format::kv, service::Level::error};
  NextHopIntake intake;
  Said said;

  Run(std::vector<Script> scripts, smtp::ClientDialect dialect,
      std::vector<std::vector<std::string>> messages)
      : server(std::move(scripts)),
        intake(NextHop(dialect, async::Endpoint::unix_path(server.path)), options(),
               service::ProxyVersion::none, NextHopLimits(), log) {
    async::run(send_all(server, intake, std::move(messages), said));
  }
};

smtp::Status status(std::uint8_t status_class, const std::string& text) {
  return smtp::Status(smtp::EnhancedStatus(status_class, 1, 1), text);
}

}  // namespace

TEST_CASE(
    "NextHopIntake: each reply is the next hop's, XFORWARD goes along, the connection is kept") {
  const Step end("LAST\r\nhi\r\n", "250 2.0.0 queued as QQ\r\n");
  Run run({{greeting, hello, mail, bob, eve, end, mail, bob,
            Step("LAST\r\nhi\r\n", "452 4.3.1 full\r\n")}},
          smtp::ClientDialect::smtp, {{"bob", "eve"}, {"bob"}});
  CHECK(run.said.replies == Codes{"250 2.1.0 sender ok", "251 2.1.5 bob is elsewhere",
                                  "550 5.1.1 no eve", "250 2.0.0 queued as QQ",
                                  "250 2.1.0 sender ok", "251 2.1.5 bob is elsewhere",
                                  "452 4.3.1 full"});
  REQUIRE(run.server.heard.size() == 1);
  CHECK(run.server.heard[0].find(
            "XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=[UNAVAILABLE] "
            "PROTO=[UNAVAILABLE] HELO=client.example IDENT=TRACE1 SOURCE=REMOTE\r\n") !=
        std::string::npos);
}

TEST_CASE("NextHopIntake: a next hop that is down, refuses us or says goodbye is 4xx") {
  Run refused({{Step("", "521 5.3.2 no mail here\r\n", Step::Then::hang_up)}},
              smtp::ClientDialect::smtp, {{"bob"}});
  CHECK(refused.said.replies == Codes{"451 4.3.2 no mail here"});

  Run goodbye({{greeting, hello,
                Step("MAIL FROM", "250 x\r\n421 4.3.2 going down\r\n", Step::Then::hang_up)}},
              smtp::ClientDialect::smtp, {{"bob"}});
  CHECK(goodbye.said.replies == Codes{"451 4.3.2 going down"});

  Directory directory;
  service::Log log("test", service::Log::Format::kv, service::Level::error);
  NextHopIntake intake(
      NextHop(smtp::ClientDialect::smtp, async::Endpoint::unix_path(directory.path + "/none")),
      options(), service::ProxyVersion::none, NextHopLimits(), log);
  Said said;
  async::run(send(intake, {"bob"}, "x\r\n", said));
  REQUIRE(said.replies.size() == 1);
  CHECK(said.replies[0].starts_with("451 4.4.1 "));
}

TEST_CASE("NextHopIntake: a kept connection that the next hop has closed is replaced") {
  const Step end_and_gone("LAST\r\nhi\r\n", "250 2.0.0 one\r\n", Step::Then::hang_up);
  Run run({{greeting, hello, mail, bob, end_and_gone},
           {greeting, hello, mail, bob, Step("LAST\r\nhi\r\n", "250 2.0.0 two\r\n")}},
          smtp::ClientDialect::smtp, {{"bob"}, {"bob"}});
  REQUIRE(run.said.replies.size() == 6);
  CHECK(run.said.replies[5] == "250 2.0.0 two");
}

TEST_CASE(
    "NextHopIntake: a PROXY header is the first that a next hop hears, and a connection is for one "
    "client") {
  const Script script{Step(" 25\r\n", "220 mx\r\n"),
                      hello,
                      mail,
                      bob,
                      Step("LAST\r\nhi\r\n", "250 2.0.0 queued\r\n"),
                      mail,
                      bob,
                      Step("LAST\r\nhi\r\n", "250 2.0.0 queued\r\n")};
  Server server({script, script});
  service::Log log("test", service::Log::Format::kv, service::Level::error);
  NextHopIntake intake(NextHop(smtp::ClientDialect::smtp, async::Endpoint::unix_path(server.path)),
                       options(), service::ProxyVersion::v1, NextHopLimits(), log);
  Said said;
  async::run(two_clients(server, intake, said));
  CHECK(std::count(said.replies.begin(), said.replies.end(), "250 2.0.0 queued") == 3);
  REQUIRE(server.heard.size() == 2);
  CHECK(server.heard[0].starts_with("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\nEHLO"));
  CHECK(server.heard[1].starts_with("PROXY TCP4 192.0.2.7 198.51.100.1 4712 25\r\nEHLO"));
}

TEST_CASE("NextHopIntake: an LMTP next hop's replies become one") {
  const Step other("eve@there.example>\r\n", "250 2.1.5 ok\r\n");
  Run mixed({{greeting, hello, mail, bob, other,
              Step("LAST\r\nhi\r\n", "250 2.1.5 bob\r\n550 5.2.1 eve is closed\r\n")}},
            smtp::ClientDialect::lmtp, {{"bob", "eve"}});
  CHECK(mixed.said.replies.back() ==
        "554 5.3.0 Delivered to 1 of 2 recipients, refused for 1:\n<eve@there.example>: 5.2.1 eve "
        "is closed");
}

TEST_CASE("NextHopIntake: a refused message is told in the next hop's own code, whoever says it") {
  Run chunk({{greeting, hello, mail, bob, Step("LAST\r\nhi\r\n", "552 5.3.4 too large\r\n")}},
            smtp::ClientDialect::smtp, {{"bob"}});
  CHECK(chunk.said.replies.back() == "552 5.3.4 too large");

  const std::string no_chunks = "250-mx\r\n250 PIPELINING\r\n";
  Run data({{greeting, Step("HLO us.example\r\n", no_chunks),
             Step("MAIL FROM", "250 2.1.0 sender ok\r\n"), bob,
             Step("DATA\r\n", "554 5.7.1 not today\r\n")}},
           smtp::ClientDialect::smtp, {{"bob"}});
  CHECK(data.said.replies.back() == "554 5.7.1 not today");

  Run lmtp({{greeting, hello, mail, bob, Step("LAST\r\nhi\r\n", "554 5.7.1 no\r\n")}},
           smtp::ClientDialect::lmtp, {{"bob"}});
  CHECK(lmtp.said.replies.back() == "554 5.7.1 no");
}

TEST_CASE("merge_verdicts: all alike, one to try again, some for good") {
  const auto merge = [](std::vector<std::pair<smtp::Status, int>> all) {
    std::vector<Verdict> verdicts;
    const char* names[] = {"a@x", "b@x", "c@x"};
    for (auto& [one, code] : all) verdicts.emplace_back(one, code, names[verdicts.size()]);
    return merge_verdicts(verdicts);
  };
  CHECK(merge({{status(2, "one"), 250}, {status(2, "two"), 250}}).text == "one");
  CHECK(merge({{status(5, "one"), 554}, {status(5, "two"), 550}}).code == 554);
  CHECK(merge({{status(5, "ours"), 0}}).code == 550);
  const smtp::Reply later =
      merge({{status(2, "one"), 250}, {status(5, "two"), 550}, {status(4, "three"), 452}});
  CHECK(later.code == 452);
  CHECK(later.text == "three");
  CHECK(merge({{status(4, "going down"), 421}}).code == 451);
  const smtp::Reply mixed =
      merge({{status(2, "one"), 250}, {status(5, "two"), 552}, {status(5, "three"), 550}});
  CHECK(mixed.code == 554);
  CHECK(mixed.text ==
        "Delivered to 1 of 3 recipients, refused for 2:\n<b@x>: 5.1.1 two\n<c@x>: 5.1.1 three");
}
