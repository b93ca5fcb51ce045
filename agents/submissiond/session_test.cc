#include "agents/submissiond/session.h"

#include <unistd.h>

#include "libmail/async/scope.h"
#include "libmail/route/test_tables.h"

using namespace posthorn;
using namespace posthorn::submissiond;
using async::Deadline;
using async::Task;

namespace {

// Keeps what it is given.
class MemoryIntake final : public session::Intake {
 public:
  struct Message {
    smtp::Envelope envelope;
    std::string octets;
  };
  std::string next_id() override { return "ID" + std::to_string(++ids_); }
  std::unique_ptr<session::IntakeTransaction> begin(const smtp::SessionInfo&) override;
  Task<void> stop() override { co_return; }

  std::vector<Message> taken;
  int aborted = 0;
  bool full = false;

 private:
  int ids_ = 0;
};

class MemoryTransaction final : public session::IntakeTransaction {
 public:
  explicit MemoryTransaction(MemoryIntake& intake) : intake_(intake) {}
  Task<smtp::Reply> mail(const smtp::Envelope&) override { co_return smtp::reply::mail_ok; }
  Task<smtp::Reply> rcpt(const smtp::Recipient&) override { co_return smtp::reply::rcpt_ok; }
  Task<smtp::Reply> data() override { co_return smtp::reply::start_body; }
  Task<smtp::Reply> write(std::string_view octets) override {
    octets_.append(octets);
    co_return smtp::reply::ok;
  }
  Task<smtp::Reply> finish(const smtp::Envelope& envelope) override {
    if (intake_.full) co_return smtp::reply::no_storage;
    intake_.taken.push_back({envelope, octets_});
    co_return smtp::Reply(250, {2, 0, 0}, "queued");
  }
  Task<void> abort() override {
    ++intake_.aborted;
    co_return;
  }

 private:
  MemoryIntake& intake_;
  std::string octets_;
};

std::unique_ptr<session::IntakeTransaction> MemoryIntake::begin(const smtp::SessionInfo&) {
  return std::make_unique<MemoryTransaction>(*this);
}

// PLAIN, and the password is "secret".
class PlainServer final : public session::SaslServer {
 public:
  Task<std::vector<std::string>> mechanisms(const session::SaslContext&) override {
    std::vector<std::string> names(1, "PLAIN");
    co_return names;
  }
  Task<session::SaslResult> start(std::string, std::optional<std::string> initial,
                                  const session::SaslContext&) override {
    session::SaslResult result(session::SaslResult::Kind::refused);
    if (initial == std::string("\0ann@a.test\0secret", 18)) {
      result.kind = session::SaslResult::Kind::ok;
      result.user = "ann@a.test";
    }
    co_return result;
  }
  Task<session::SaslResult> step(std::string) override {
    co_return session::SaslResult(session::SaslResult::Kind::refused);
  }
  void cancel() override {}
};

constexpr const char* login = "AUTH PLAIN AGFubkBhLnRlc3QAc2VjcmV0";

struct Step {
  std::string say;
  std::string hear;  // the last line of the reply begins so
};

// A submissiond of memory, and what a client says to it.
struct Dialogue {
  route::TestSite site;
  MemoryIntake intake;
  service::Metrics metrics;
  reception::PolicyOptions no_servers;
  reception::PolicyServers servers{service::Site::find("/nowhere"), no_servers, metrics, true};
  Counters counters{metrics};
  service::Log log{"test", service::Log::Format::kv, service::Level::error, -1};
  filter::Filters no_filters{service::Site::find("/nowhere"), log, metrics, filter::HoldingPlace()};
  std::shared_ptr<Policy> policy = std::make_shared<Policy>();
  session::SmtpSessions sessions;
  session::SmtpSessionSettings settings;
  async::Peer peer;
  LocalUser local;
  std::string transcript;

  Dialogue() {
    policy->hostname = "mx.a.test";
    peer.kind = async::Peer::Kind::inet;
    peer.address = "192.0.2.7";
    settings.server.hostname = "mx.a.test";
    settings.server.auth_in_clear = true;
    settings.log = &log;
    settings.sessions = &sessions;
  }
  void on_unix_socket(std::string user, bool is_root) {
    peer = async::Peer();
    peer.kind = async::Peer::Kind::unix_socket;
    local.is_local = true;
    local.name = std::move(user);
    local.is_root = is_root;
  }
  void run(std::vector<Step> steps) { async::run(all(this, std::move(steps))); }

  static Task<std::string> hear(async::Stream* stream, async::Buffer* input) {
    for (;;) {
      const std::string_view text = input->view();
      std::size_t begin = 0;
      for (std::size_t end = text.find("\r\n"); end != std::string_view::npos;
           end = text.find("\r\n", begin)) {
        const std::string line(text.substr(begin, end - begin));
        begin = end + 2;
        if (line.size() < 4 || line[3] != '-') {
          input->consume(begin);
          co_return line;
        }
      }
      const Deadline deadline = Deadline::in(std::chrono::seconds(10));
      auto count = co_await stream->read(*input, deadline);
      if (!count || *count == 0) co_return "(closed)";
    }
  }
  static Task<void> all(Dialogue* self, std::vector<Step> steps) {
    async::Scope scope;
    async::Peer server_peer;
    async::StreamPair pair = async::make_memory_pair(server_peer, self->peer);
    Services services(self->site.resolver, self->intake, self->log, self->counters);
    std::unique_ptr<session::SmtpHandler> handler = std::make_unique<Session>(
        services, self->policy, self->local,
        std::make_unique<reception::Gates>(self->servers, service::Networks(), self->no_filters,
                                           self->intake, self->log));
    std::unique_ptr<session::SaslServer> sasl = std::make_unique<PlainServer>();
    scope.spawn(session::serve_smtp(std::move(pair.right), self->settings, std::move(handler),
                                    std::move(sasl)));
    async::Buffer input;
    const std::string greeting = co_await hear(pair.left.get(), &input);
    CHECK(greeting.substr(0, 4) == "220 ");
    for (const Step& step : steps) {
      const std::string line = step.say + "\r\n";
      const Deadline deadline = Deadline::in(std::chrono::seconds(10));
      auto written = co_await pair.left->write(line, deadline);
      CHECK(written);
      const std::string reply = co_await hear(pair.left.get(), &input);
      INFO(step.say << " -> " << reply);
      CHECK(reply.substr(0, step.hear.size()) == step.hear);
      self->transcript += reply + "\n";
    }
    pair.left->close();
    co_await scope.join();
  }
};

const Step ehlo{"EHLO client.test", "250 "};
const Step authenticate{login, "235 "};

}  // namespace

TEST_CASE("submissiond: takes nothing from a stranger") {
  Dialogue dialogue;
  dialogue.run({ehlo,
                {"MAIL FROM:<ann@a.test>", "530 5.7.0"},
                {"RCPT TO:<bob@a.test>", "503 "},
                {"VRFY ann", "252 "},
                {"EXPN all", "252 "}});
  CHECK(dialogue.intake.taken.empty());
}

TEST_CASE("submissiond: does not offer AUTH in clear text") {
  Dialogue dialogue;
  dialogue.settings.server.auth_in_clear = false;
  dialogue.run({ehlo, {login, "5"}, {"MAIL FROM:<ann@a.test>", "530 5.7.0"}});
  CHECK(dialogue.transcript.find("235") == std::string::npos);
}

TEST_CASE("submissiond: takes a message for any domain from who logged in, and completes it") {
  Dialogue dialogue;
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<ann@a.test>", "250 2.1.0"},
                {"RCPT TO:<carl@other.test>", "250 2.1.5"},
                {"RCPT TO:<bob@a.test>", "250 2.1.5"},
                {"RCPT TO:<nobody@a.test>", "550 5.1.1"},
                {"RCPT TO:<Postmaster>", "550 5.1.1"},
                {"DATA", "354 "},
                {"From: ann@a.test\r\nBcc: x@other.test\r\n\r\n..body\r\n.", "250 2.0.0"}});
  REQUIRE(dialogue.intake.taken.size() == 1);
  const auto& message = dialogue.intake.taken[0];
  CHECK(message.envelope.user == "ann@a.test");
  CHECK(message.envelope.id == "ID1");
  CHECK(message.envelope.trace_id == "ID1");
  CHECK(message.envelope.recipients.size() == 2);
  CHECK(message.envelope.size == message.octets.size());
  const message::Header header = message::Header::parse(message.octets);
  REQUIRE_FALSE(header.fault());
  CHECK(header.name(header.fields()[0]) == "Received");
  CHECK(header.value(header.fields()[0]).find("ESMTPA") != std::string::npos);
  CHECK(header.count("Bcc") == 0);
  CHECK(header.count("Date") == 1);
  CHECK(header.value(*header.find("Message-ID")).find("@mx.a.test>") != std::string::npos);
  CHECK(message.octets.substr(header.body()) == ".body\r\n");
}

TEST_CASE("submissiond: refuses a sender that the user does not own") {
  Dialogue dialogue;
  dialogue.site.aliases.set("support ann, bob\n");
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<bob@a.test>", "553 5.7.1"},
                {"MAIL FROM:<ann@other.test>", "553 5.7.1"},
                {"MAIL FROM:<support@a.test>", "250 "},
                {"RSET", "250 "},
                {"MAIL FROM:<ANN+tag@a.test>", "250 "},
                {"RSET", "250 "},
                {"MAIL FROM:<>", "250 "},
                {"RSET", "250 "},
                {"MAIL FROM:<a@b@c>", "501 5.1.7"},
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<a@b@c>", "501 5.1.3"}});
  CHECK(dialogue.intake.aborted == 4);
}

TEST_CASE("submissiond: look-ups that fail are 451") {
  Dialogue dialogue;
  dialogue.site.aliases.set("x ann\n");
  dialogue.site.aliases.fails = true;
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<support@a.test>", "451 4.3.0"},
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "451 4.3.0"},
                {"RCPT TO:<carl@other.test>", "250 "}});
}

TEST_CASE("submissiond: a Unix-socket peer is the user it runs as") {
  Dialogue dialogue;
  dialogue.on_unix_socket("sys", false);
  dialogue.run({ehlo,
                {"MAIL FROM:<ann@a.test>", "553 5.7.1"},
                {"MAIL FROM:<sys@b.test>", "250 "},
                {"RCPT TO:<carl@other.test>", "250 "},
                {"DATA", "354 "},
                {"From: sys\r\n\r\n.", "250 "},
                {"VRFY ann", "250 2.1.5 <ann@a.test>"}});
  REQUIRE(dialogue.intake.taken.size() == 1);
  CHECK(dialogue.intake.taken[0].envelope.user == "sys");
}

TEST_CASE("submissiond: root and trusted users may write any sender") {
  Dialogue root;
  root.on_unix_socket("root", true);
  root.run({ehlo, {"MAIL FROM:<any@where.test>", "250 "}});
  Dialogue trusted;
  trusted.policy->trusted_users = {"ann@a.test"};
  trusted.run({ehlo, authenticate, {"MAIL FROM:<any@where.test>", "250 "}});
  // Who logged in on root's socket is who logged in.
  Dialogue gateway;
  gateway.on_unix_socket("root", true);
  gateway.run({ehlo, authenticate, {"MAIL FROM:<any@where.test>", "553 5.7.1"}});
}

TEST_CASE("submissiond: a bad header is 554 5.6.0 with field and line, and the session goes on") {
  const auto [message, reply] = GENERATE(table<std::string, std::string>({
      {"Subject: x\r\n\r\nbody", "554 5.6.0 From field: missing, the header ends after line 1"},
      {"From: ann@a.test\r\nno field\r\n\r\nbody",
       "554 5.6.0 header in line 2: this is no header field"},
      {"From: ann@a.test\r\nTo: a b\r\n\r\nbody",
       "554 5.6.0 To field in line 2: no address list: "},
      {"just text", "554 5.6.0 header in line 1: this is no header field"},
      {"", "554 5.6.0 From field: missing"},
  }));
  Dialogue dialogue;
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {message.empty() ? "." : message + "\r\n.", reply},
                {"MAIL FROM:<ann@a.test>", "250 "}});
  CHECK(dialogue.intake.taken.empty());
  CHECK(dialogue.intake.aborted == 2);
}

TEST_CASE("submissiond: a header above the limit and one that went round are refused") {
  Dialogue dialogue;
  dialogue.policy->message.header.header_bytes = 1000;
  std::string received;
  for (int i = 0; i < 51; ++i) received += "Received: x\r\n";
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {"From: ann@a.test\r\nX: " + std::string(900, 'x') +
                     "\r\nY: " + std::string(100, 'y') + "\r\n\r\nbody\r\n.",
                 "554 5.6.0 header in line 3: the header is larger than 1000 octets"},
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {"From: ann@a.test\r\n" + received + "\r\n.", "554 5.4.6"}});
}

TEST_CASE("submissiond: what the intake says at the end is the reply") {
  Dialogue dialogue;
  dialogue.intake.full = true;
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {"From: ann@a.test\r\n\r\n.", "452 4.3.1"}});
  CHECK(dialogue.counters.messages.value() == 0);
  CHECK(dialogue.counters.messages_refused.value() == 1);
}

TEST_CASE("submissiond: may hide where a message came from") {
  Dialogue dialogue;
  dialogue.policy->hide_client = true;
  dialogue.run({ehlo,
                authenticate,
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {"From: ann@a.test\r\n\r\n.", "250 "}});
  REQUIRE(dialogue.intake.taken.size() == 1);
  CHECK(dialogue.intake.taken[0].octets.find("192.0.2.7") == std::string::npos);
}

TEST_CASE("submissiond: users may VRFY and EXPN") {
  Dialogue dialogue;
  dialogue.site.lists.set("all ann, bob\n");
  dialogue.run({ehlo,
                authenticate,
                {"VRFY ann@a.test", "250 2.1.5 <ann@a.test>"},
                {"VRFY nobody", "550 5.1.1"},
                {"EXPN all", "250 2.1.5 <bob@a.test>"},
                {"EXPN ann", "550 5.1.1"}});
}

TEST_CASE("submissiond: who a proxy says has logged in has, and only until it names another") {
  Dialogue dialogue;
  dialogue.settings.xclient_networks = *service::Networks::parse({"192.0.2.0/24"});
  dialogue.run({ehlo,
                {"MAIL FROM:<ann@a.test>", "530 5.7.0"},
                {"XCLIENT ADDR=198.51.100.9 LOGIN=ann@a.test", "220 "},
                ehlo,
                {"MAIL FROM:<bob@a.test>", "553 5.7.1"},
                {"MAIL FROM:<ann@a.test>", "250 "},
                {"RCPT TO:<bob@a.test>", "250 "},
                {"DATA", "354 "},
                {"From: ann@a.test\r\n\r\n.", "250 "},
                {"XCLIENT ADDR=198.51.100.10", "220 "},
                ehlo,
                {"MAIL FROM:<ann@a.test>", "530 5.7.0"}});
  REQUIRE(dialogue.intake.taken.size() == 1);
  CHECK(dialogue.intake.taken[0].octets.find("198.51.100.9") != std::string::npos);
  Dialogue stranger;
  stranger.settings.xclient_networks = *service::Networks::parse({"198.51.100.0/24"});
  stranger.run({ehlo, {"XCLIENT LOGIN=ann@a.test", "502 5.5.1"}});
}

TEST_CASE("find_local_user: knows who is at the other end of a Unix socket") {
  async::Peer peer;
  peer.kind = async::Peer::Kind::unix_socket;
  peer.uid = 0;
  const LocalUser root = async::run(find_local_user(peer, false));
  CHECK(root.name == "root");
  CHECK(root.is_root);
  peer.uid = 4000000000;
  const LocalUser unknown = async::run(find_local_user(peer, true));
  CHECK(unknown.name == "4000000000");
  CHECK_FALSE(unknown.is_root);
  peer.uid = ::geteuid();
  CHECK(async::run(find_local_user(peer, true)).is_root);
  peer.kind = async::Peer::Kind::inet;
  CHECK_FALSE(async::run(find_local_user(peer, true)).is_local);
}
