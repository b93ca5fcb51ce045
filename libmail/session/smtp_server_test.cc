// What a transcript can't show: how sessions end when the server wants it, and who is told what. The dialogues are in
// test/transcripts/smtp.
#include "libmail/session/smtp_server.h"

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/fd.h"
#include "libmail/session/test_smtp.h"

namespace posthorn::session {

using async::Task;
using smtp::Reply;
using test::SmtpTestClient;

namespace {

// Notes its calls: "mail rcpt data body end reset".
class NotingHandler final : public SmtpHandler {
 public:
  explicit NotingHandler(std::string& calls) : calls_(calls) {}
  Task<Reply> on_mail(smtp::Envelope& envelope, const smtp::SessionInfo&) override {
    calls_ += "mail ";
    envelope.id = "ID";
    envelope.trace_id = "TRACE";
    client_ = envelope.client.name;
    co_return smtp::reply::mail_ok;
  }
  Task<Reply> on_rcpt(const smtp::Envelope&, smtp::Recipient&, const smtp::SessionInfo&) override {
    calls_ += "rcpt ";
    co_return smtp::reply::rcpt_ok;
  }
  Task<Reply> on_data(const smtp::Envelope&, const smtp::SessionInfo&) override {
    calls_ += "data ";
    co_return smtp::reply::start_body;
  }
  Task<Reply> on_body(std::string_view) override {
    calls_ += "body ";
    co_return smtp::reply::ok;
  }
  Task<std::vector<Reply>> on_message_end(smtp::Envelope&, const smtp::SessionInfo&) override {
    calls_ += "end ";
    std::vector<Reply> replies(1, smtp::reply::ok);
    co_return replies;
  }
  Task<void> on_reset() override {
    calls_ += "reset ";
    co_return;
  }

 private:
  std::string& calls_;
  std::string client_;
};

// A server, and clients that come to it.
struct House {
  service::Log log;
  SmtpSessions sessions;
  async::Scope scope;
  std::string calls;

  explicit House(service::Level level = service::Level::error, int log_to = STDERR_FILENO)
      : log("test", service::Log::Format::kv, level, log_to) {}

  std::unique_ptr<SmtpTestClient> visit(async::Peer peer = test::test_peer()) {
    async::StreamPair pair = async::make_memory_pair(async::Peer(), std::move(peer));
    SmtpSessionSettings settings;
    settings.log = &log;
    settings.sessions = &sessions;
    std::unique_ptr<SmtpHandler> handler = std::make_unique<NotingHandler>(calls);
    scope.spawn(
        serve_smtp(std::move(pair.right), std::move(settings), std::move(handler), nullptr));
    return std::make_unique<SmtpTestClient>(std::move(pair.left));
  }
};

}  // namespace

TEST_CASE("SmtpSessions: who waits for a command is sent away at once") {
  House house;
  const auto talk = [](House* at) -> Task<void> {
    auto client = at->visit();
    const std::string greeting = co_await client->reply();
    CHECK(greeting.starts_with("220 "));
    at->sessions.stop();
    const std::string goodbye = co_await client->reply();
    CHECK(goodbye == "421 4.3.2 Service shutting down");
    const std::string end = co_await client->reply();
    CHECK(end.empty());
    co_await at->scope.join();
  };
  async::run(talk(&house));
}

TEST_CASE("SmtpSessions: who is in a transaction may end it") {
  House house;
  const auto talk = [](House* at) -> Task<void> {
    auto client = at->visit();
    (void)co_await client->reply();
    (void)co_await client->ask("EHLO c.example");
    (void)co_await client->ask("MAIL FROM:<a@x.example>");
    at->sessions.stop();
    const std::string rcpt = co_await client->ask("RCPT TO:<b@y.example>");
    CHECK(rcpt.starts_with("250 "));
    const std::string data = co_await client->ask("DATA");
    CHECK(data.starts_with("354 "));
    const std::string taken = co_await client->ask("x\r\n.");
    CHECK(taken.starts_with("250 "));
    const std::string goodbye = co_await client->reply();
    CHECK(goodbye.starts_with("421 4.3.2"));
    co_await at->scope.join();
  };
  async::run(talk(&house));
  CHECK(house.calls == "mail rcpt data body end ");
}

TEST_CASE("SmtpSessions: who comes later is not greeted") {
  House house;
  const auto talk = [](House* at) -> Task<void> {
    at->sessions.stop();
    auto client = at->visit();
    const std::string first = co_await client->reply();
    CHECK(first.starts_with("421 4.3.2"));
    co_await at->scope.join();
  };
  async::run(talk(&house));
  CHECK(house.calls.empty());
}

TEST_CASE("serve_smtp: a client that goes away in a transaction resets it once") {
  const std::string last =
      GENERATE("MAIL FROM:<a@x.example>", "RCPT TO:<b@y.example>", "DATA", "x");
  House house;
  const auto talk = [](House* at, std::string until) -> Task<void> {
    auto client = at->visit();
    (void)co_await client->reply();
    (void)co_await client->ask("EHLO c.example");
    constexpr std::array<const char*, 4> commands = {"MAIL FROM:<a@x.example>",
                                                     "RCPT TO:<b@y.example>", "DATA", "x"};
    for (const char* command : commands) {
      (void)co_await client->send(std::string(command) + "\r\n");
      if (until == command) break;
      (void)co_await client->reply();
    }
    client->close();
    co_await at->scope.join();
  };
  async::run(talk(&house, last));
  CAPTURE(last);
  CHECK(house.calls.starts_with("mail "));
  CHECK(house.calls.ends_with("reset "));
  CHECK(house.calls.find("reset") == house.calls.rfind("reset"));
}

TEST_CASE(
    "serve_smtp: a Unix-socket peer is offered XFORWARD, and no length of session is too long") {
  House house;
  const auto talk = [](House* at) -> Task<void> {
    auto client = at->visit(test::test_peer(async::Peer::Kind::unix_socket));
    (void)co_await client->reply();
    (void)co_await client->ask("EHLO c.example");
    const std::string answer = co_await client->ask("XFORWARD NAME=c.example");
    CHECK(answer.starts_with("250 "));
    for (int i = 0; i < 300; ++i) {
      const std::string noop = co_await client->ask("NOOP");
      CHECK(noop == "250 2.0.0 OK");
    }
    const std::string bye = co_await client->ask("QUIT");
    CHECK(bye.starts_with("221 "));
    co_await at->scope.join();
  };
  async::run(talk(&house));
}

TEST_CASE("serve_smtp: the log line of a refused message has its trace id") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  House house(service::Level::info, write_end.get());
  const auto talk = [](House* at) -> Task<void> {
    auto client = at->visit();
    (void)co_await client->reply();
    for (const char* line :
         {"EHLO c.example", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"}) {
      (void)co_await client->ask(line);
    }
    const std::string answer = co_await client->ask(std::string("\0\r\n.", 4));
    CHECK(answer.starts_with("554 5.6.0"));
    client->close();
    co_await at->scope.join();
  };
  async::run(talk(&house));
  house.log.flush();
  std::array<char, 4096> text{};
  const ssize_t count = ::read(read_end.get(), text.data(), text.size());
  REQUIRE(count > 0);
  CHECK_THAT(std::string(text.data(), static_cast<std::size_t>(count)),
             Catch::Contains("]: TRACE message-refused "));
}

TEST_CASE("serve_smtp: what a handler does not know about VRFY and EXPN is 252") {
  House house;
  const auto talk = [](House* at) -> Task<void> {
    auto client = at->visit();
    (void)co_await client->reply();
    const std::string vrfy = co_await client->ask("VRFY ann");
    CHECK(vrfy.starts_with("252 "));
    const std::string expn = co_await client->ask("EXPN all");
    CHECK(expn.starts_with("252 "));
    client->close();
    co_await at->scope.join();
  };
  async::run(talk(&house));
}

}  // namespace posthorn::session
