#include "libmail/session/imap_client.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/deflate_stream.h"
#include "libmail/session/pop3_client.h"
#include "libmail/session/scripted_server.h"

using namespace posthorn;
using namespace posthorn::session;
using namespace posthorn::session::test;
using namespace std::chrono_literals;
using async::Deadline;

namespace {

// Of servers at a TCP port: a Unix socket is as good as TLS.
ImapClientOptions options_for(MailTls tls) {
  ImapClientOptions options;
  options.tls = tls;
  options.login.emplace("ann", "secret");
  options.timeouts.silence = 1s;
  options.timeouts.greeting = 1s;
  return options;
}

async::Endpoint inet(const Server& server) {
  return server.listener->endpoint();
}

async::Task<std::string> opened_by(Server& server, ImapClient& client) {
  async::Scope scope;
  scope.spawn(server.play_all());
  auto opened = co_await client.open(Deadline::in(5s));
  std::string said = "open";
  if (!opened) said = opened.error().text;
  client.close();
  server.listener->close();
  co_await scope.join();
  co_return said;
}

std::string outcome(const Script& script, ImapClientOptions options) {
  Server server({script}, async::Endpoint::inet("127.0.0.1", 0));
  ImapClient client(inet(server), std::move(options));
  return async::run(opened_by(server, client));
}

}  // namespace

TEST_CASE("imap client: no password goes in clear, and no PREAUTH stands in for TLS") {
  const std::string offers = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n";
  CHECK(outcome({Step("", offers)}, options_for(MailTls::starttls)) ==
        "the server offers no STARTTLS");
  CHECK(outcome({Step("", "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n")},
                options_for(MailTls::starttls)) ==
        "the server greets with PREAUTH, so TLS can't begin");
  CHECK(outcome({Step("", offers)}, options_for(MailTls::never)) ==
        "the server offers no log-in that is safe without TLS");
  ImapClientOptions allowed = options_for(MailTls::never);
  allowed.clear_password = true;
  CHECK(outcome({Step("", offers), Step("A1 AUTHENTICATE PLAIN\r\n", "+ \r\n"),
                 Step("AGFubgBzZWNyZXQ=\r\n", "A1 OK [CAPABILITY IMAP4rev1] in\r\n")},
                allowed) == "open");
}

TEST_CASE("imap client: a server that doesn't prove itself by SCRAM isn't believed") {
  CHECK(outcome({Step("", "* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR] hello\r\n"),
                 Step("A1 AUTHENTICATE SCRAM-SHA-256 ", "A1 OK in\r\n")},
                options_for(MailTls::never)) ==
        "AUTHENTICATE: the server doesn't prove that it knows the password");
}

TEST_CASE("imap client: a silent server, a wrong one and one that goes each have their reason") {
  CHECK(outcome({}, options_for(MailTls::never)) == "no answer from the server: timed out");
  CHECK(outcome({Step("", "220 mx ESMTP\r\n")}, options_for(MailTls::never)) ==
        "this is no IMAP server: it said '220 mx ESMTP'");
  CHECK(outcome({Step("", "* OK x\r\n"),
                 Step("CAPABILITY", "* BYE for repairs\r\n", Step::Then::hang_up)},
                options_for(MailTls::never)) == "the server said goodbye: for repairs");
}

namespace {

async::Task<void> close_later(ImapClient& client) {
  co_await async::sleep_until(Deadline::in(50ms));
  client.close();
}

async::Task<ImapError::Kind> closed_in_idle(Server& server, ImapClient& client) {
  async::Scope scope;
  scope.spawn(server.play_all());
  auto opened = co_await client.open(Deadline::in(5s));
  check(opened.has_value(), "the script lets the client in");
  scope.spawn(close_later(client));
  auto ended = co_await client.idle(Deadline::in(5s));
  server.listener->close();
  co_await scope.join();
  co_return ended ? ImapError::Kind::no : ended.error().kind;
}

}  // namespace

TEST_CASE("imap client: close() ends a call that waits") {
  Server server({{Step("", "* PREAUTH [CAPABILITY IMAP4rev1 IDLE] hello\r\n"),
                  Step("A1 IDLE\r\n", "+ idling\r\n")}});
  ImapClient client(async::Endpoint::unix_path(server.path), options_for(MailTls::starttls));
  CHECK(async::run(closed_in_idle(server, client)) == ImapError::Kind::cancelled);
}

namespace {

async::Task<std::string> through_deflate(std::string octets) {
  async::StreamPair pair = async::make_memory_pair(async::Peer(), async::Peer());
  auto left = make_deflate_stream(std::move(pair.left));
  auto right = make_deflate_stream(std::move(pair.right));
  auto written = co_await left->write(octets, Deadline::in(5s));
  check(written.has_value(), "memory takes what is written");
  left->close();
  async::Buffer got;
  std::size_t largest = 0;
  while (true) {
    auto count = co_await right->read(got, Deadline::in(5s));
    if (!count || *count == 0) break;
    largest = std::max(largest, *count);
  }
  check(largest <= 64 * 1024, "a read gives 64 KiB at most");
  co_return std::string(got.view());
}

async::Task<bool> fails_on(std::string octets) {
  async::StreamPair pair = async::make_memory_pair(async::Peer(), async::Peer());
  auto right = make_deflate_stream(std::move(pair.right), std::move(octets));
  async::Buffer got;
  auto count = co_await right->read(got, Deadline::in(1s));
  co_return !count;
}

}  // namespace

TEST_CASE("deflate: what goes in comes out, a piece at a time, and nonsense is an error") {
  CHECK(async::run(through_deflate("short")) == "short");
  const std::string bomb(5'000'000, 'x');
  CHECK(async::run(through_deflate(bomb)) == bomb);
  CHECK(async::run(fails_on("\xff\xff\xff\xff")));
}
