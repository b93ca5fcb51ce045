// What becomes of a message when policy servers have their say: in which order, for how long, and who gets it then.
#include "libmail/reception/policy_gate.h"

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/smtp/replies.h"
#include "test/support/test_folder.h"

namespace posthorn::reception {

using async::Deadline;
using async::Task;
using smtp::Reply;

namespace {

smtp::Mailbox mailbox(std::string_view text) {
  auto parsed = smtp::parse_mailbox(text, smtp::Utf8::allowed);
  REQUIRE(parsed);
  return std::move(*parsed);
}

// Notes its calls: "mail rcpt(bob@b.example) data finish(bob@b.example)".
class NotedTransaction final : public session::IntakeTransaction {
 public:
  explicit NotedTransaction(std::string& calls) : calls_(calls) {}
  Task<Reply> mail(const smtp::Envelope&) override {
    calls_ += "mail ";
    co_return smtp::reply::mail_ok;
  }
  Task<Reply> rcpt(const smtp::Recipient& recipient) override {
    calls_ += "rcpt(" + smtp::format_mailbox(recipient.mailbox) + ") ";
    const bool refused = recipient.mailbox.local_part == "no";
    co_return refused ? smtp::reply::no_such_user : smtp::reply::rcpt_ok;
  }
  Task<Reply> data() override {
    calls_ += "data ";
    co_return smtp::reply::start_body;
  }
  Task<Reply> write(std::string_view) override { co_return smtp::reply::ok; }
  Task<Reply> finish(const smtp::Envelope& envelope) override {
    calls_ += envelope.hold_reason.empty() ? "finish(" : "held(";
    for (const smtp::Recipient& to : envelope.recipients) {
      calls_ += smtp::format_mailbox(to.mailbox);
      calls_ += (to.notify.bits & smtp::Notify::never) != 0 ? "! " : " ";
    }
    calls_ += ") ";
    co_return smtp::reply::ok;
  }
  Task<void> abort() override {
    calls_ += "abort ";
    co_return;
  }

 private:
  std::string& calls_;
};

class NotedIntake final : public session::Intake {
 public:
  std::string calls;
  std::string next_id() override { return "ID"; }
  std::unique_ptr<session::IntakeTransaction> begin(const smtp::SessionInfo&) override {
    return std::make_unique<NotedTransaction>(calls);
  }
  Task<void> stop() override { co_return; }
};

// Policy servers whose every answer is a test's; without an answer, a server closes. `asked` notes "0:RCPT" for the
// first one.
struct Servers {
  using Answer = std::function<std::string(const std::string& request)>;
  TestFolder folder;
  std::vector<Answer> answers;
  std::vector<std::unique_ptr<async::Listener>> listeners;
  std::vector<std::string> asked;
  async::Scope scope;

  [[nodiscard]] std::string path(std::size_t index) const {
    return folder.path("s" + std::to_string(index));
  }
  void start() {
    for (std::size_t i = 0; i < answers.size(); ++i) {
      auto socket = async::open_listening_socket(async::Endpoint::unix_path(path(i)));
      REQUIRE(socket);
      auto listening = async::listen_on(std::move(*socket));
      REQUIRE(listening);
      listeners.push_back(std::move(*listening));
      scope.spawn(accept_all(i));
    }
  }
  Task<void> accept_all(std::size_t index) {
    for (;;) {
      auto stream = co_await listeners[index]->accept();
      if (!stream) co_return;
      scope.spawn(serve(index, std::move(*stream)));
    }
  }
  Task<void> serve(std::size_t index, std::unique_ptr<async::Stream> stream) {
    async::Buffer input;
    for (;;) {
      auto count = co_await stream->read(input, Deadline::in(std::chrono::seconds(20)));
      if (!count || *count == 0) co_return;
      const std::size_t end = input.view().find("\n\n");
      if (end == std::string_view::npos) continue;
      const std::string request(input.view().substr(0, end + 1));
      input.consume(end + 2);
      const std::size_t at = request.find("protocol_state=") + 15;
      asked.push_back(std::to_string(index) + ":" +
                      request.substr(at, request.find('\n', at) - at));
      const std::string action = answers[index](request);
      if (action.empty()) co_return;
      const std::string answer = "action=" + action + "\n\n";
      auto written = co_await stream->write(answer, Deadline::in(std::chrono::seconds(20)));
      if (!written) co_return;
    }
  }
  Task<void> stop() {
    for (const auto& listener : listeners) listener->close();
    co_await scope.join();
  }
};

// One client's message to bob and cid, asked about at all stages.
struct Visit {
  Servers servers;
  std::string stages = "connect,helo,mail,rcpt,data,end-of-message";
  bool has_queue = true;
  std::string when_unavailable = "451 4.3.0 no judge";
  std::vector<std::string> spared;
  std::vector<std::string> to = {"bob@b.example", "cid@b.example"};

  NotedIntake intake;
  std::string replies;    // their codes, "250 " ...
  std::string prepended;  // when DATA was said
  Reply last;

  explicit Visit(std::vector<Servers::Answer> answers) { servers.answers = std::move(answers); }
  explicit Visit(Servers::Answer answer) { servers.answers = {std::move(answer)}; }
  explicit Visit(std::string always) : Visit([always](const std::string&) { return always; }) {}

  bool go_on(const Reply& reply) {
    replies += std::to_string(reply.code) + " ";
    last = reply;
    return !reply.negative();
  }
  Visit& run() {
    async::run(come());
    return *this;
  }
  Task<void> come() {
    servers.start();
    service::Log log("test", service::Log::Format::kv, service::Level::error);
    service::Metrics metrics;
    PolicyOptions options;
    for (std::size_t i = 0; i < servers.answers.size(); ++i) {
      options.servers.push_back(stages + "=unix:" + servers.path(i));
    }
    options.when_unavailable = when_unavailable;
    options.limits.answer_time = std::chrono::seconds(20);
    PolicyServers known(service::Site::find(servers.folder.path("site")), options, metrics,
                        has_queue);
    PolicyGate gate(known, *service::Networks::parse(spared), log);
    co_await talk(gate);
    known.close();
    co_await servers.stop();
  }
  Task<void> talk(PolicyGate& gate) {
    smtp::SessionInfo session;
    session.client.address = "192.0.2.7";
    session.extended = true;
    Reply reply = co_await gate.connect(session);
    if (!go_on(reply)) co_return;
    reply = co_await gate.hello(session);
    if (!go_on(reply)) co_return;
    smtp::Envelope envelope;
    envelope.reverse_path = mailbox("ann@a.example");
    reply = co_await gate.mail(envelope, session);
    if (!go_on(reply)) co_return;
    auto transaction = intake.begin(session);
    (void)co_await transaction->mail(envelope);
    for (const std::string& text : to) {
      const smtp::Recipient recipient(mailbox(text));
      reply = co_await gate.rcpt(envelope, recipient, session);
      if (!go_on(reply)) continue;
      (void)co_await transaction->rcpt(recipient);
      envelope.recipients.push_back(recipient);
    }
    if (envelope.recipients.empty()) co_return;
    reply = co_await gate.data(envelope, session, transaction, intake);
    prepended = gate.prepended();
    if (!go_on(reply)) co_return;
    reply = co_await gate.end(envelope, session, *transaction);
    go_on(reply);
  }
};

// Answers `action` at `stage`, DUNNO elsewhere.
Servers::Answer at(std::string stage, std::string action) {
  return [stage, action](const std::string& request) {
    return request.find("protocol_state=" + stage + "\n") != std::string::npos ? action : "DUNNO";
  };
}

const std::string in_clear = "mail rcpt(bob@b.example) rcpt(cid@b.example) ";

}  // namespace

TEST_CASE("a policy server's name says when it is asked") {
  const auto plain = parse_policy_server("inet:127.0.0.1:10023");
  REQUIRE(plain);
  CHECK(plain->stages == std::vector{session::PolicyStage::rcpt});
  CHECK(plain->endpoint.port == 10023);
  const auto two = parse_policy_server("connect,end-of-message=unix:run/policy.sock");
  REQUIRE(two);
  CHECK(two->stages ==
        std::vector{session::PolicyStage::connect, session::PolicyStage::end_of_message});
  for (const std::string_view text : {"", "inet:127.0.0.1", "rcpt=", "ehlo=inet:127.0.0.1:1",
                                      "=inet:127.0.0.1:1", "fd:3", "stdio:", "rcpt,=unix:x"}) {
    INFO(text);
    CHECK_FALSE(parse_policy_server(text));
  }
}

TEST_CASE("policy: a message that nobody minds goes in, and each stage is asked about once") {
  Visit visit("DUNNO");
  visit.run();
  CHECK(visit.replies == "250 250 250 250 250 354 250 ");
  CHECK(visit.intake.calls == in_clear + "data finish(bob@b.example cid@b.example ) ");
  CHECK(visit.servers.asked == std::vector<std::string>{"0:CONNECT", "0:EHLO", "0:MAIL", "0:RCPT",
                                                        "0:RCPT", "0:DATA", "0:END-OF-MESSAGE"});
}

TEST_CASE("policy: a refusal at each stage is the client's") {
  const auto [stage, replies] = GENERATE(table<std::string, std::string>({
      {"CONNECT", "554 "},
      {"EHLO", "250 554 "},
      {"MAIL", "250 250 554 "},
      {"RCPT", "250 250 250 554 554 "},
      {"DATA", "250 250 250 250 250 554 "},
      {"END-OF-MESSAGE", "250 250 250 250 250 354 554 "},
  }));
  Visit visit({at(stage, "REJECT no thanks")});
  visit.run();
  CHECK(visit.replies == replies);
  CHECK(visit.last.text == "no thanks");
  CHECK(visit.intake.calls.find("finish") == std::string::npos);
  if (stage == "END-OF-MESSAGE") CHECK(visit.intake.calls.ends_with("abort "));
}

TEST_CASE("policy: OK spares the servers behind, DUNNO and a header field do not") {
  Visit visit({at("RCPT", "OK"), at("RCPT", "REJECT")});
  CHECK(visit.run().replies == "250 250 250 250 250 354 250 ");
  Visit both({at("RCPT", "PREPEND X-A: b"), at("RCPT", "REJECT")});
  CHECK(both.run().replies == "250 250 250 554 554 ");
}

TEST_CASE("policy: who has a server that does not answer gets what the configuration says") {
  Visit later([](const std::string&) { return std::string(); });
  CHECK(later.run().replies == "451 ");
  CHECK(later.last.text == "no judge");
  Visit taken([](const std::string&) { return std::string(); });
  taken.when_unavailable = "DUNNO";
  CHECK(taken.run().replies == "250 250 250 250 250 354 250 ");
  Visit unknown("FILTER smtp:[192.0.2.1]");
  CHECK(unknown.run().replies == "451 ");
}

TEST_CASE("policy: DEFER_IF_PERMIT waits for RCPT, where a refusal for good is stronger") {
  Visit deferred({at("EHLO", "DEFER_IF_PERMIT greylisted")});
  CHECK(deferred.run().replies == "250 250 250 450 450 ");
  CHECK(deferred.last.text == "greylisted");
  Visit refused({at("MAIL", "DEFER_IF_PERMIT"), at("RCPT", "REJECT")});
  CHECK(refused.run().replies == "250 250 250 554 554 ");
  const auto only_bob = [](const std::string& request) {
    return request.find("\nrecipient=bob@") != std::string::npos ? "DEFER_IF_PERMIT" : "DUNNO";
  };
  Visit one(only_bob);
  one.stages = "rcpt";
  CHECK(one.run().replies == "250 250 250 450 250 354 250 ");
}

TEST_CASE("policy: DEFER_IF_REJECT makes a refusal for good one for now") {
  Visit visit({at("MAIL", "DEFER_IF_REJECT 4.7.0 unsure"), at("RCPT", "REJECT")});
  CHECK(visit.run().replies == "250 250 250 450 450 ");
  CHECK(visit.last.text == "unsure");
}

TEST_CASE("policy: header fields go on top once, whoever wants them how often") {
  Visit visit([](const std::string& request) {
    if (request.find("=CONNECT\n") != std::string::npos) return "PREPEND X-A: 1";
    return request.find("=RCPT\n") != std::string::npos ? "PREPEND X-B: 2" : "DUNNO";
  });
  CHECK(visit.run().prepended == "X-A: 1\r\nX-B: 2\r\n");
  Visit late({at("END-OF-MESSAGE", "PREPEND X-A: 1")});
  CHECK(late.run().replies == "250 250 250 250 250 354 451 ");
}

TEST_CASE("policy: DISCARD takes the message and throws it away") {
  Visit visit({at("RCPT", "DISCARD spam")});
  CHECK(visit.run().replies == "250 250 250 250 250 354 250 ");
  CHECK(visit.intake.calls == in_clear + "data abort ");
}

TEST_CASE("policy: HOLD keeps the message in the queue, and is refused where there is none") {
  const std::string stage = GENERATE("CONNECT", "RCPT", "END-OF-MESSAGE");
  Visit visit({at(stage, "HOLD look")});
  CHECK(visit.run().intake.calls == in_clear + "data held(bob@b.example cid@b.example ) ");
  Visit passed_on({at(stage, "HOLD look")});
  passed_on.has_queue = false;
  CHECK(passed_on.run().last.code == 451);
}

TEST_CASE("policy: REDIRECT and BCC change who gets it, and a next hop hears of it") {
  Visit redirected({at("RCPT", "REDIRECT abuse@a.example")});
  CHECK(redirected.run().intake.calls ==
        in_clear + "abort mail rcpt(abuse@a.example) data finish(abuse@a.example ) ");
  Visit copied({at("RCPT", "BCC log@a.example")});
  CHECK(copied.run().intake.calls ==
        in_clear + "rcpt(log@a.example) data finish(bob@b.example cid@b.example log@a.example! ) ");
  Visit late({at("END-OF-MESSAGE", "REDIRECT abuse@a.example")});
  CHECK(late.run().intake.calls == in_clear + "data finish(abuse@a.example ) ");
  Visit too_late({at("END-OF-MESSAGE", "BCC log@a.example")});
  too_late.has_queue = false;
  CHECK(too_late.run().replies == "250 250 250 250 250 354 451 ");
  Visit refused({at("RCPT", "BCC no@a.example")});
  CHECK(refused.run().replies == "250 250 250 250 250 451 ");
}

TEST_CASE("policy: nobody is asked about who is spared") {
  Visit visit("REJECT");
  visit.spared = {"192.0.2.0/24"};
  CHECK(visit.run().replies == "250 250 250 250 250 354 250 ");
  CHECK(visit.servers.asked.empty());
}

}  // namespace posthorn::reception
