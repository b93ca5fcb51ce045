// What becomes of a message on its way through a filter: to a queue, to a next hop, and when the filter fails.
#include "libmail/reception/filtered_intake.h"

#include <catch2/catch.hpp>
#include <vector>

#include "libmail/async/loop.h"
#include "libmail/filter/filter_gate.h"
#include "libmail/smtp/replies.h"
#include "test/support/scripted_filter.h"

namespace posthorn::reception {

using async::Task;
using smtp::Reply;
using std::string_literals::operator""s;
using test::said;
using test::ScriptedFilter;

namespace {

const std::string received = "Received: us\r\n";
const std::string letter = "Subject: one\r\n\r\nbody\r\n";

// Where messages go: notes its calls, and the octets.
class Way final : public session::Intake {
 public:
  std::string calls, octets;
  smtp::Envelope taken;
  bool has_queue = true;

  std::string next_id() override { return "ID"; }
  std::unique_ptr<session::IntakeTransaction> begin(const smtp::SessionInfo&) override;
  [[nodiscard]] bool can_hold() const override { return has_queue; }
  Task<void> stop() override { co_return; }
};

class WayTransaction final : public session::IntakeTransaction {
 public:
  explicit WayTransaction(Way& way) : way_(way) { way_.octets.clear(); }
  Task<Reply> mail(const smtp::Envelope& envelope) override {
    way_.calls += "mail" + smtp::format_path(envelope.reverse_path) + " ";
    co_return smtp::reply::mail_ok;
  }
  Task<Reply> rcpt(const smtp::Recipient& recipient) override {
    way_.calls += recipient.mailbox.local_part + " ";
    co_return smtp::reply::rcpt_ok;
  }
  Task<Reply> data() override {
    way_.calls += "data ";
    co_return smtp::reply::start_body;
  }
  Task<Reply> write(std::string_view piece) override {
    way_.octets += piece;
    co_return smtp::reply::ok;
  }
  Task<Reply> finish(const smtp::Envelope& envelope) override {
    way_.calls += envelope.hold_reason.empty() ? "finish" : "hold";
    way_.taken = envelope;
    co_return smtp::reply::ok;
  }
  Task<void> abort() override {
    way_.calls += "abort ";
    co_return;
  }

 private:
  Way& way_;
};

std::unique_ptr<session::IntakeTransaction> Way::begin(const smtp::SessionInfo&) {
  return std::make_unique<WayTransaction>(*this);
}

// A message from ann to bob and cid.
struct Passage {
  ScriptedFilter filter;
  Way way;
  std::string without = "tempfail";
  std::string octets = letter;
  std::uint64_t in_memory = 1 << 20;
  Reply reply;
  bool discarded = false;

  void run() { async::run(play(this)); }

  static Task<Reply> visit(Passage* self, filter::FilterGate* gate) {
    smtp::SessionInfo session;
    session.client.helo = "c.test";
    smtp::Envelope envelope;
    envelope.id = envelope.trace_id = "ID";
    envelope.reverse_path = smtp::Mailbox("ann", "a.test");
    Reply answer = co_await gate->connect(session);
    if (!answer.negative()) answer = co_await gate->hello(session);
    if (!answer.negative()) answer = co_await gate->mail(envelope, session);
    if (answer.negative()) co_return answer;
    FilteredIntake intake(*gate, self->way);
    const std::unique_ptr<session::IntakeTransaction> transaction = intake.begin(session);
    (void)co_await transaction->mail(envelope);
    for (const char* name : {"bob", "cid"}) {
      smtp::Recipient to(smtp::Mailbox(name, "b.test"));
      answer = co_await gate->rcpt(envelope, to);
      if (answer.negative()) continue;
      (void)co_await transaction->rcpt(to);
      envelope.recipients.push_back(std::move(to));
    }
    answer = co_await gate->data(envelope);
    if (!answer.negative()) answer = co_await transaction->data();
    if (!answer.negative()) answer = co_await transaction->write(received);
    for (std::size_t at = 0; at < self->octets.size() && !answer.negative(); at += 7) {
      const std::string_view piece = std::string_view(self->octets).substr(at, 7);
      answer = co_await transaction->write(piece);
    }
    if (answer.negative()) {
      co_await transaction->abort();
      co_return answer;
    }
    answer = co_await transaction->finish(envelope);
    co_return answer;
  }

  static Task<void> play(Passage* self) {
    self->filter.start();
    service::Log log("test", service::Log::Format::kv, service::Level::error, -1);
    service::Metrics metrics;
    filter::FilterOptions options("smtpd");
    options.milters = {"unix:" + self->filter.path()};
    options.when_unavailable = self->without;
    const std::string folder = self->filter.folder.path(".");
    filter::Filters filters(service::Site::find("/nowhere"), log, metrics,
                            filter::HoldingPlace(folder, self->in_memory));
    filters.load(options, "mx.test");
    auto gate = std::make_unique<filter::FilterGate>(filters);
    self->reply = co_await visit(self, gate.get());
    self->discarded = gate->discards();
    co_await gate->reset();
    gate.reset();
    co_await filters.stop();
    co_await self->filter.stop();
  }
};

}  // namespace

TEST_CASE("filter gate: a message that nobody changes goes on as it is") {
  Passage passage;
  passage.run();
  CHECK(passage.reply.code == 250);
  CHECK(passage.way.calls == "mail<ann@a.test> bob cid data finish");
  CHECK(passage.way.octets == received + letter);
  CHECK(passage.way.taken.size == passage.way.octets.size());
  CHECK(passage.filter.told.starts_with("OCHMRRTLNBE"));
}

TEST_CASE(
    "filter gate: a recipient more is said before the body, one less begins the envelope anew") {
  Passage more;
  more.filter.answers['E'] = said('+', "<eve@b.test>\0"s) + said('c');
  more.run();
  CHECK(more.way.calls == "mail<ann@a.test> bob cid eve data finish");
  Passage less;
  less.filter.answers['E'] = said('-', "<bob@b.test>\0"s) + said('e', "<>\0"s) + said('c');
  less.run();
  CHECK(less.way.calls == "mail<ann@a.test> bob cid abort mail<> cid data finish");
}

TEST_CASE("filter gate: a message that is for nobody any more is taken and thrown away") {
  Passage passage;
  passage.filter.answers['E'] =
      said('-', "<bob@b.test>\0"s) + said('-', "<cid@b.test>\0"s) + said('c');
  passage.run();
  CHECK(passage.reply.code == 250);
  CHECK(passage.discarded);
  CHECK(passage.way.calls.ends_with("abort "));
}

TEST_CASE("filter gate: a quarantine holds in the queue, and without one it is later") {
  Passage passage;
  passage.filter.answers['E'] = said('q', "odd\0"s) + said('c');
  passage.run();
  CHECK(passage.way.calls.ends_with("hold"));
  CHECK(passage.way.taken.hold_reason == "odd");
  Passage next_hop;
  next_hop.way.has_queue = false;
  next_hop.filter.answers = passage.filter.answers;
  next_hop.run();
  CHECK(next_hop.reply.code == 451);
  CHECK(next_hop.way.calls.ends_with("abort "));
}

TEST_CASE("filter gate: a large message waits in a file, and comes out as it went in") {
  Passage passage;
  passage.in_memory = 100;
  std::string body;
  for (int line = 0; line < 3000; ++line) body += "line " + std::to_string(line) + "\r\n";
  passage.octets = "Subject: large\r\n\r\n" + body;
  passage.run();
  CHECK(passage.reply.code == 250);
  CHECK((passage.way.octets == received + passage.octets));
  CHECK((passage.filter.body == body));
}

TEST_CASE("filter gate: a new body has CRLF at each line's end, wherever it is cut") {
  Passage passage;
  passage.filter.answers['E'] =
      said('b', "a\nb\r") + said('b', "\nc\r") + said('b', "d\xc3\xa4") + said('c');
  passage.run();
  CHECK(passage.way.octets == received + "Subject: one\r\n\r\na\r\nb\r\nc\r\nd\xc3\xa4\r\n");
  CHECK(passage.way.taken.body == smtp::Body::eight_bit_mime);
}

TEST_CASE("filter gate: a filter that goes at any step: as configured") {
  for (const char step : std::string("OCHMRTLNBE")) {
    for (const auto& [action, code] : {std::pair("tempfail", 451), std::pair("reject", 550),
                                       std::pair("accept", 250), std::pair("quarantine", 250)}) {
      CAPTURE(step, action);
      Passage passage;
      passage.without = action;
      passage.filter.answers[step] = "";
      passage.run();
      CHECK(passage.reply.code == code);
      CHECK(passage.way.calls.ends_with("hold") == (std::string(action) == "quarantine"));
      CHECK(passage.way.calls.ends_with("finish") == (std::string(action) == "accept"));
    }
  }
}

TEST_CASE("filter gate: of changes of which one can't be made none is") {
  Passage passage;
  passage.without = "accept";
  passage.filter.answers['E'] =
      said('h', "X-A\0b\0"s) + said('b', "new\r\n") + said('+', "<nobody\0"s) + said('c');
  passage.run();
  CHECK(passage.way.calls == "mail<ann@a.test> bob cid data finish");
  CHECK(passage.way.octets == received + letter);
}

TEST_CASE("filter gate: where a filter is, and what becomes of mail without it") {
  const auto plain = filter::parse_filter("inet:127.0.0.1:8891");
  REQUIRE(plain);
  CHECK(plain->endpoint.port == 8891);
  CHECK_FALSE(plain->without.has_value());
  const auto own = filter::parse_filter("accept=unix:/run/a=b.sock");
  REQUIRE(own);
  CHECK(own->endpoint.path == "/run/a=b.sock");
  CHECK(own->without == filter::WithoutFilter::accept);
  for (const char* text : {"", "8891", "inet:", "perhaps=inet:127.0.0.1:1", "stdio:", "accept="}) {
    CAPTURE(text);
    CHECK_FALSE(filter::parse_filter(text));
  }
}

}  // namespace posthorn::reception
