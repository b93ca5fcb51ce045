// The state machine at every split. Dialogues of many kinds are data in test/transcripts/smtp.
#include "libmail/smtp/server.h"

#include <catch2/catch.hpp>

#include "libmail/smtp/replies.h"

namespace posthorn::smtp {

namespace {

using namespace std::string_literals;

// A server whose answers are fixed: user "nobody" is unknown, "later" is deferred, all else is taken.
class Server {
 public:
  explicit Server(ServerSettings settings = {}, Client peer = {})
      : core_(std::move(settings), std::move(peer)) {
    core_.start();
  }

  // Feeds `wire` in pieces of `step` octets; stops when the server hangs up.
  Server& feed(std::string_view wire, std::size_t step = std::string_view::npos) {
    while (!wire.empty() && !closed) {
      const std::string_view piece = wire.substr(0, step);
      wire.remove_prefix(piece.size());
      core_.feed(piece);
      while (!closed) {
        const Event event = core_.next();
        if (event == Event::need_input) break;
        react(event);
      }
    }
    return *this;
  }

  // The codes of all replies since the last call: "250 250 354".
  std::string codes() {
    std::string text;
    std::string_view out = core_.output();
    while (!out.empty()) {
      const std::string_view line = out.substr(0, out.find("\r\n"));
      out.remove_prefix(line.size() + 2);
      if (line.size() > 3 && line[3] == '-') continue;
      if (!text.empty()) text.push_back(' ');
      text.append(line.substr(0, 3));
    }
    core_.output().clear();
    return text;
  }

  ServerCore& core() { return core_; }
  std::string events;               // one letter an event
  std::vector<std::string> bodies;  // of messages that ended
  std::vector<Envelope> envelopes;
  bool closed = false;

 private:
  void react(Event event) {
    constexpr std::string_view letters =
        "nhmrdbexf"
        "asctvpXq";
    events.push_back(letters[static_cast<std::size_t>(event)]);
    switch (event) {
      case Event::hello:
        core_.set_auth_mechanisms({"PLAIN", "LOGIN"});
        return core_.answer(reply::ok);
      case Event::mail: {
        const ReversePath& from = core_.envelope().reverse_path;
        const bool closes = from && from->local_part == "close";
        return core_.answer(closes ? reply::shutting_down : reply::mail_ok);
      }
      case Event::rcpt:
        return core_.answer(verdict());
      case Event::data:
        body_.clear();
        return core_.answer(reply::start_body);
      case Event::body:
        body_.append(core_.octets());
        return;
      case Event::message_end:
        return take();
      case Event::auth:
        return core_.auth_initial() ? core_.authenticated("ann") : core_.challenge("Username:");
      case Event::auth_response:
        return core_.octets() == "ann" ? core_.authenticated("ann")
                                       : core_.refuse_auth(reply::auth_failed);
      case Event::start_tls:
        return core_.tls_started(TlsInfo("TLSv1.3", "X", 256));
      case Event::vrfy:
      case Event::expn:
        return core_.answer(reply::cannot_vrfy);
      case Event::xclient: {
        const bool refused = core_.session().client.address == "192.0.2.66";
        return core_.answer(refused ? reply::relaying_denied : reply::ok);
      }
      case Event::close:
        closed = true;
        return;
      case Event::reset:
      case Event::refused:
      case Event::auth_cancelled:
      case Event::need_input:
        return;
    }
  }
  Reply verdict() {
    if (core_.recipient().mailbox.local_part == "nobody") return reply::no_such_user;
    if (core_.recipient().mailbox.local_part == "later") return reply::try_later;
    if (core_.recipient().mailbox.local_part == "close") return Reply(521, {5, 7, 1}, "no");
    return reply::rcpt_ok;
  }
  void take() {
    bodies.push_back(body_);
    envelopes.push_back(core_.envelope());
    const bool lmtp = core_.settings().protocol == Protocol::lmtp;
    core_.answer_message(
        std::vector<Reply>(lmtp ? core_.envelope().recipients.size() : 1, reply::ok));
  }

  ServerCore core_;
  std::string body_;
};

ServerSettings lmtp() {
  ServerSettings settings;
  settings.protocol = Protocol::lmtp;
  return settings;
}

const std::string opening = "EHLO client.example\r\n";
const std::string transaction = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n";

}  // namespace

TEST_CASE("a session is the same at every split") {
  const std::string wire = opening + transaction +
                           "RCPT TO:<nobody@y.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"
                           "NOOP\r\nFOO\r\n" +
                           transaction + "BDAT 5\r\nQUIT\nBDAT 7 LAST\r\nab\r\ncd\nRSET\r\n" +
                           transaction + "BDAT 6\r\n.\r\n.\r\nBDAT 0 LAST\r\nQUIT\r\n";
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    CAPTURE(step);
    Server server;
    server.feed(wire, step);
    CHECK(server.codes() ==
          "220 250 250 250 550 354 250 250 500 250 250 554 503 250 250 250 250 250 221");
    REQUIRE(server.bodies.size() == 2);
    CHECK(server.bodies[0] == "Subject: x\r\n\r\n.dot\r\n");
    CHECK(server.bodies[1] == ".\r\n.\r\n");
    CHECK(server.envelopes[0].recipients.size() == 1);
    CHECK(server.envelopes[0].size == server.bodies[0].size());
    CHECK(server.closed);
  }
}

TEST_CASE("a pipelined group is answered in one batch") {
  Server server;
  server.feed(opening);
  (void)server.codes();
  server.feed(transaction + "DATA\r\n");
  CHECK(server.codes() == "250 250 354");
}

TEST_CASE("the envelope holds what the commands said") {
  ServerSettings settings;
  settings.xforward = true;
  Client peer;
  peer.local = true;
  Server server(settings, peer);
  server.feed(
      opening +
      "XFORWARD NAME=mail.example ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP HELO=h.example\r\n"
      "XFORWARD IDENT=0123456789ABCDEF SOURCE=REMOTE\r\n"
      "MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME RET=FULL ENVID=e+2B1 SMTPUTF8\r\n"
      "RCPT TO:<b@y.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;c@z.example\r\n"
      "DATA\r\n.\r\n");
  REQUIRE(server.envelopes.size() == 1);
  const Envelope& envelope = server.envelopes[0];
  CHECK(envelope.reverse_path == Mailbox("a", "x.example"));
  CHECK(envelope.body == Body::eight_bit_mime);
  CHECK(envelope.ret == Ret::full);
  CHECK(envelope.envid == "e+1");
  CHECK(envelope.smtputf8);
  CHECK(envelope.client.name == "mail.example");
  CHECK(envelope.client.address == "2001:db8::1");
  CHECK(envelope.client.port == 25);
  CHECK(envelope.client.helo == "h.example");
  CHECK(envelope.client.protocol == "ESMTP");
  CHECK_FALSE(envelope.client.local);
  CHECK(envelope.trace_id == "0123456789ABCDEF");
  REQUIRE(envelope.recipients.size() == 1);
  CHECK(envelope.recipients[0].orcpt == OriginalRecipient("rfc822", "c@z.example"));
  CHECK(envelope.recipients[0].notify.bits == (Notify::success | Notify::failure));
}

TEST_CASE("XFORWARD holds for one transaction, and only where it is offered") {
  ServerSettings settings;
  settings.xforward = true;
  Server server(settings);
  server.feed(opening + "XFORWARD IDENT=one\r\n" + transaction + "DATA\r\n.\r\n" + transaction +
              "DATA\r\n.\r\n");
  REQUIRE(server.envelopes.size() == 2);
  CHECK(server.envelopes[0].trace_id == "one");
  CHECK(server.envelopes[1].trace_id.empty());
  Server stranger;
  stranger.feed(opening + "XFORWARD IDENT=one\r\n");
  CHECK(stranger.codes() == "220 250 502");
}

TEST_CASE("XCLIENT begins the session again, for the client it names") {
  const std::string wire = opening +
                           "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"
                           "XCLIENT NAME=mail.example REVERSE_NAME=rev.example "
                           "ADDR=IPV6:2001:db8::1 PORT=4711 PROTO=ESMTP HELO=h.example "
                           "LOGIN=bob+40x.example DESTADDR=192.0.2.25 DESTPORT=587\r\n"
                           "MAIL FROM:<a@x.example>\r\n"
                           "EHLO again.example\r\n" +
                           transaction + "DATA\r\n.\r\n";
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    ServerSettings settings;
    settings.xclient = true;
    settings.auth_in_clear = true;
    Client peer;
    peer.local = true;
    Server server(settings, peer);
    server.feed(wire, step);
    REQUIRE(server.codes() == "220 250 235 220 503 250 250 250 354 250");
    const SessionInfo& session = server.core().session();
    CHECK(session.client.name == "mail.example");
    CHECK(session.reverse_name == "rev.example");
    CHECK(session.client.address == "2001:db8::1");
    CHECK(session.client.port == 4711);
    CHECK_FALSE(session.client.local);
    CHECK(session.client.helo == "again.example");
    CHECK(session.user == "bob@x.example");
    CHECK(session.mechanism.empty());
    CHECK(session.server_address == "192.0.2.25");
    CHECK(session.server_port == 587);
    REQUIRE(server.envelopes.size() == 1);
    CHECK(server.envelopes[0].client.address == "2001:db8::1");
    CHECK(server.envelopes[0].user == "bob@x.example");
  }
}

TEST_CASE("XCLIENT: what is not said stays, but the log-in and the HELO end") {
  ServerSettings settings;
  settings.xclient = true;
  Client peer;
  peer.name = "proxy.example";
  peer.address = "192.0.2.1";
  Server server(settings, peer);
  server.feed("XCLIENT LOGIN=ann\r\n");
  CHECK(server.core().session().user == "ann");
  CHECK(server.core().session().client.address == "192.0.2.1");
  CHECK(server.core().session().client.name == "proxy.example");
  server.feed("EHLO one.example\r\nXCLIENT ADDR=192.0.2.7\r\n");
  CHECK(server.core().session().user.empty());
  CHECK(server.core().session().client.helo.empty());
  CHECK(server.core().session().client.name.empty());
  CHECK(server.core().session().client.address == "192.0.2.7");
  server.feed("XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL] LOGIN=[UNAVAILABLE]\r\n");
  CHECK(server.core().session().client.address.empty());
  CHECK(server.codes() == "220 220 250 220 220");
}

TEST_CASE(
    "XCLIENT is refused where it is not offered, in a transaction, and with nonsense, which "
    "changes nothing") {
  Server stranger;
  stranger.feed(opening + "XCLIENT ADDR=192.0.2.7\r\n");
  CHECK(stranger.codes() == "220 250 502");
  ServerSettings settings;
  settings.xclient = true;
  for (const std::string words : {"ADDR=nonsense", "PORT=0", "PORT=70000", "PROTO=LMTP", "FOO=bar",
                                  "NAME=", "LOGIN=a+0D+0Ab", "ADDR", "LOGIN=ann ADDR=1.2.3",
                                  "DESTPORT=x", "DESTADDR=::x", "IDENT=a", "SOURCE=LOCAL", ""}) {
    INFO(words);
    Server server(settings);
    server.feed(opening + "XCLIENT " + words + "\r\n");
    CHECK(server.codes() == "220 250 501");
    CHECK(server.core().session().user.empty());
    CHECK_FALSE(server.core().session().client.helo.empty());
  }
  Server busy(settings);
  busy.feed(opening + transaction + "XCLIENT ADDR=192.0.2.7\r\n");
  CHECK(busy.codes() == "220 250 250 250 503");
}

TEST_CASE("a client that XCLIENT names can be refused in place of the greeting") {
  ServerSettings settings;
  settings.xclient = true;
  Server server(settings);
  server.feed(opening + "XCLIENT ADDR=192.0.2.66\r\nEHLO x.example\r\nQUIT\r\n");
  CHECK(server.codes() == "220 250 554 503 221");
}

TEST_CASE("an answer of 421 or 521 closes the channel, whatever it answers") {
  const auto [wire, codes] = GENERATE(table<std::string, std::string>({
      {"MAIL FROM:<close@x.example>\r\nNOOP\r\n", "220 250 421"},
      {"MAIL FROM:<a@x.example>\r\nRCPT TO:<close@x.example>\r\nNOOP\r\n", "220 250 250 521"},
  }));
  Server server;
  server.feed(opening + wire);
  CHECK(server.codes() == codes);
  CHECK(server.closed);
}

TEST_CASE("every end of a transaction but its message is told once") {
  // h hello, m mail, r rcpt, d data, b body, e end, x reset, f refused
  const auto [wire, events] = GENERATE(table<std::string, std::string>({
      {"RSET\r\n", "hmrx"},
      {"EHLO again.example\r\n", "hmrxh"},
      {"DATA\r\na\r\n.\r\n", "hmrdbe"},
      {"DATA\r\na\nb\r\n.\r\n", "hmrdx"},
      {"BDAT 3 LAST\r\na\nb", "hmrdx"},
      {"BDAT 3\r\na\nbBDAT 0 LAST\r\n", "hmrdx"},
      {"BDAT 1\r\naRSET\r\n", "hmrdbx"},
      {"BDAT 1\r\naDATA\r\n", "hmrdbx"},
      {"BDAT 1\r\naRCPT TO:<c@y.example>\r\n", "hmrdbf"},
      {"VRFY x\r\n", "hmrv"},
      {"MAIL FROM:<>\r\n", "hmrf"},
  }));
  CAPTURE(wire);
  Server server;
  server.feed(opening + transaction + wire);
  CHECK(server.events == events);
}

TEST_CASE("LMTP answers the end of a message once for each recipient that was taken") {
  Server server(lmtp());
  server.feed(
      "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nRCPT TO:<nobody@y.example>\r\n"
      "RCPT TO:<a@y.example>\r\nDATA\r\nx\r\n.\r\n");
  CHECK(server.codes() == "220 250 250 250 550 250 354 250 250");
  server.feed(
      "MAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\ny\r\n.\r\n");
  CHECK(server.codes() == "250 250 250 354 554 554");
  server.feed(
      "MAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nRCPT TO:<b@y.example>\r\n"
      "BDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n");
  CHECK(server.codes() == "250 250 250 250 250 250");
}

TEST_CASE("LMTP without a recipient refuses DATA with 503, and SMTP's greetings with 500") {
  Server server(lmtp());
  server.feed(
      "EHLO c.example\r\nHELO c.example\r\nLHLO c.example\r\nMAIL FROM:<>\r\n"
      "RCPT TO:<nobody@y.example>\r\nDATA\r\nBDAT 2 LAST\r\nx\n");
  CHECK(server.codes() == "220 500 500 250 250 550 503 503");
}

TEST_CASE("plaintext behind STARTTLS is never a command, and TLS forgets what was said") {
  ServerSettings settings;
  settings.starttls = true;
  Server attacked(settings);
  attacked.feed(opening + "STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n");
  CHECK(attacked.codes() == "220 250 554");
  CHECK(attacked.closed);

  Server server(settings);
  server.feed(opening + "STARTTLS\r\n");
  CHECK(server.core().session().tls);
  server.feed("MAIL FROM:<a@x.example>\r\nSTARTTLS\r\n" + opening + "MAIL FROM:<a@x.example>\r\n");
  CHECK(server.codes() == "220 250 220 503 503 250 250");
}

TEST_CASE("STARTTLS is refused where it makes no sense") {
  Server server;
  server.feed(opening + "STARTTLS\r\n");
  CHECK(server.codes() == "220 250 502");
  ServerSettings settings;
  settings.starttls = true;
  Server busy(settings);
  busy.feed(opening + transaction + "STARTTLS\r\n");
  CHECK(busy.codes() == "220 250 250 250 503");
  settings.starttls_required = true;
  Server strict(settings);
  strict.feed(opening +
              "NOOP\r\nMAIL FROM:<>\r\nAUTH PLAIN AA==\r\nVRFY x\r\nBDAT 2 LAST\r\nx\nQUIT\r\n");
  CHECK(strict.codes() == "220 250 250 530 530 530 503 221");
}

TEST_CASE("AUTH is a dialogue that can be cancelled") {
  ServerSettings settings;
  settings.auth_in_clear = true;
  settings.auth_required = true;
  const auto [wire, codes] = GENERATE(table<std::string, std::string>({
      {"AUTH PLAIN AGFubgB4\r\nMAIL FROM:<>\r\nAUTH PLAIN AA==\r\n", "235 250 503"},
      {"AUTH LOGIN\r\nYW5u\r\n", "334 235"},
      {"AUTH LOGIN\r\n*\r\nMAIL FROM:<>\r\n", "334 501 530"},
      {"AUTH LOGIN\r\n!bad\r\nNOOP\r\n", "334 501 250"},
      {"AUTH LOGIN\r\n" + std::string(20000, 'A') + "\r\nNOOP\r\n", "334 501 250"},
      {"AUTH LOGIN\r\nYm9i\r\nNOOP\r\n", "334 535 250"},
      {"AUTH LOGIN YW5u\r\nNOOP\r\n", "235 250"},
      {"AUTH LOGIN =\r\nNOOP\r\n", "235 250"},
      {"AUTH GSSAPI\r\nAUTH PLAIN A\r\nAUTH\r\n", "504 501 501"},
      {"VRFY a\r\nEXPN a\r\nRCPT TO:<a@y.example>\r\nDATA\r\n", "530 530 503 503"},
  }));
  CAPTURE(wire);
  for (const std::size_t step : {std::size_t{1}, std::size_t{100000}}) {
    Server server(settings);
    server.feed("AUTH PLAIN AA==\r\n" + opening);
    CHECK(server.codes() == "220 503 250");
    server.feed(wire, step);
    CHECK(server.codes() == codes);
  }
}

TEST_CASE("AUTH in clear is refused unless it is allowed") {
  Server server;
  server.feed(opening + "AUTH PLAIN AA==\r\n");
  CHECK(server.codes() == "220 250 502");
  ServerSettings settings;
  settings.starttls = true;
  Server other(settings);
  other.feed(opening + "AUTH PLAIN AA==\r\n");
  CHECK(other.codes() == "220 250 538");
}

TEST_CASE("a message over the limit is refused at SIZE= and at its end, and the session goes on") {
  ServerSettings settings;
  settings.limits.message_size = 10;
  Server server(settings);
  server.feed(opening + "MAIL FROM:<> SIZE=11\r\n" + transaction + "DATA\r\n" +
              std::string(100, 'x') + "\r\n.\r\nNOOP\r\n");
  CHECK(server.codes() == "220 250 552 250 250 354 552 250");
  server.feed(transaction + "BDAT 8\r\n1234567\nBDAT 8\r\n");
  CHECK(server.codes() == "250 250 554");
  server.feed("123456\r\nBDAT 0 LAST\r\nNOOP\r\n");
  CHECK(server.codes() == "503 503 250");
  server.feed(transaction + "BDAT 8\r\n123456\r\nBDAT 8 LAST\r\n123456\r\nNOOP\r\n");
  CHECK(server.codes() == "250 250 250 552 250");
  CHECK(server.bodies.empty());
}

TEST_CASE("a refused body is read only so far") {
  ServerSettings settings;
  settings.limits.message_size = 10;
  settings.limits.discarded = 1000;
  Server server(settings);
  server.feed(opening + transaction + "DATA\r\n");
  for (int i = 0; i < 20; ++i) server.feed(std::string(98, 'x') + "\r\n");
  CHECK(server.codes() == "220 250 250 250 354 552");
  CHECK(server.closed);
}

TEST_CASE("BDAT is framed whatever is wrong with it") {
  const auto [wire, codes] = GENERATE(table<std::string, std::string>({
      {"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 250"},                      // no transaction
      {"MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "250 503 250"},  // no recipient
      {"MAIL FROM:<>\r\nRCPT TO:<nobody@y.example>\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n",
       "250 550 554 250"},
      {transaction + "BDAT 0\r\nBDAT 0 LAST\r\nNOOP\r\n", "250 250 250 250 250"},
      {transaction + "BDAT 0 LAST\r\nBDAT 0 LAST\r\nNOOP\r\n", "250 250 250 503 250"},
      {transaction + "BDAT 2\r\na\nRCPT TO:<c@y.example>\r\n", "250 250 554 503"},
      {transaction + "BDAT 2\r\nabMAIL FROM:<>\r\nBDAT 2 LAST\r\n\r\n", "250 250 250 503 250"},
      {transaction + "BDAT 2\r\nabDATA\r\nBDAT 2 LAST\r\n\r\n", "250 250 250 503 503"},
      {transaction + "BDAT 3 LAST\r\nab\rNOOP\r\n", "250 250 554 250"},
  }));
  CAPTURE(wire);
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    Server server;
    server.feed(opening);
    (void)server.codes();
    server.feed(wire, step);
    CHECK(server.codes() == codes);
  }
  Server server;
  server.feed(opening + transaction + "BDAT x LAST\r\nRSET\r\n");
  CHECK(server.codes() == "220 250 250 250 501");
  CHECK(server.closed);
}

TEST_CASE("many tiny chunks are one message") {
  Server server;
  server.feed(opening + transaction);
  for (int i = 0; i < 10000; ++i) server.feed("BDAT 1\r\nx");
  server.feed("BDAT 2 LAST\r\n\r\n");
  REQUIRE(server.bodies.size() == 1);
  CHECK(server.bodies[0].size() == 10002);
}

TEST_CASE("a command line is limited, and one without an end ends the session") {
  Server server;
  server.feed(opening + "NOOP " + std::string(5000, 'x') + "\r\nNOOP\r\n");
  CHECK(server.codes() == "220 250 500 250");
  const std::string block(65536, 'x');
  for (int i = 0; i < 32; ++i) server.feed(block);
  CHECK(server.codes() == "421");
  CHECK(server.closed);
}

TEST_CASE("lines that don't end with CRLF are no commands") {
  Server server;
  server.feed(opening + "NOOP\nRSET\r\nNO\rOP\r\n" + "NOOP\0x\r\n"s + "NOOP\r\n");
  CHECK(server.codes() == "220 250 500 250 500 500 250");
}

TEST_CASE("sessions that bring nothing end") {
  ServerSettings settings;
  settings.limits.errors = 3;
  Server wrong(settings);
  wrong.feed(opening + "A\r\nB\r\nC\r\nNOOP\r\n");
  CHECK(wrong.codes() == "220 250 500 500 500 421");
  CHECK(wrong.closed);

  settings = {};
  settings.limits.idle_commands = 5;
  Server idle(settings);
  for (int i = 0; i < 10; ++i) idle.feed("NOOP\r\n");
  CHECK(idle.codes() == "220 250 250 250 250 250 421");

  settings = {};
  settings.limits.refused_recipients = 2;
  Server guesser(settings);
  guesser.feed(opening + transaction +
               "RCPT TO:<nobody@y.example>\r\nRCPT TO:<nobody@y.example>\r\nNOOP\r\n");
  CHECK(guesser.codes() == "220 250 250 250 550 550 421");

  settings = {};
  settings.limits.transactions = 1;
  Server busy(settings);
  busy.feed(opening + transaction + "RSET\r\nMAIL FROM:<>\r\n");
  CHECK(busy.codes() == "220 250 250 250 250 421");

  settings = {};
  settings.auth_in_clear = true;
  settings.limits.auth_attempts = 2;
  Server knocker(settings);
  knocker.feed(opening + "AUTH LOGIN\r\nYm9i\r\nAUTH LOGIN\r\nYm9i\r\nAUTH LOGIN\r\n");
  CHECK(knocker.codes() == "220 250 334 535 334 535 421");
}

TEST_CASE("a peer that is one of us may err, but not on and on") {
  ServerSettings settings;
  settings.unlimited = true;
  settings.limits.errors = 2;
  settings.limits.errors_in_a_row = 3;
  Server patient(settings);
  patient.feed(opening + "A\r\nB\r\nNOOP\r\nC\r\nD\r\nNOOP\r\n");
  CHECK(patient.codes() == "220 250 500 500 250 500 500 250");
  // What follows could be a message whose beginning was refused.
  Server lost(settings);
  lost.feed(opening + "A\r\nB\r\nC\r\nNOOP\r\n");
  CHECK(lost.codes() == "220 250 500 500 500 421");
  CHECK(lost.closed);
}

TEST_CASE("more recipients than allowed get 452 and no more than that") {
  ServerSettings settings;
  settings.limits.recipients = 2;
  Server server(settings);
  server.feed(opening + transaction +
              "RCPT TO:<c@y.example>\r\nRCPT TO:<d@y.example>\r\nDATA\r\nx\r\n.\r\n");
  CHECK(server.codes() == "220 250 250 250 250 452 354 250");
}

TEST_CASE("extensions that are not offered are not taken") {
  ServerSettings settings;
  settings.dsn = settings.smtputf8 = settings.chunking = false;
  Server server(settings);
  server.feed(opening);
  CHECK(server.core().output().find("DSN") == std::string::npos);
  CHECK(server.core().output().find("CHUNKING") == std::string::npos);
  (void)server.codes();
  server.feed(
      "MAIL FROM:<> RET=FULL\r\nMAIL FROM:<> SMTPUTF8\r\nMAIL FROM:<> REQUIRETLS\r\n"
      "MAIL FROM:<>\r\nRCPT TO:<a@y.example> NOTIFY=NEVER\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
  CHECK(server.codes() == "555 555 555 250 555 502 250");
}

TEST_CASE("EHLO says what is offered, HELO nothing") {
  ServerSettings settings;
  settings.hostname = "mx.example.org";
  settings.starttls = true;
  settings.auth_in_clear = true;
  settings.limits.message_size = 1000;
  Server server(settings);
  CHECK(server.core().output() == "220 mx.example.org ESMTP Posthorn\r\n");
  (void)server.codes();
  server.feed(opening);
  CHECK(server.core().output() ==
        "250-mx.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
        "250-SIZE 1000\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250-STARTTLS\r\n"
        "250-AUTH PLAIN LOGIN\r\n250-VRFY\r\n250-EXPN\r\n250 LIMITS RCPTMAX=1000 MAILMAX=1000\r\n");
  (void)server.codes();
  server.feed("HELO client.example\r\n");
  CHECK(server.core().output() == "250 mx.example.org\r\n");
}

TEST_CASE("what a stranger says in AUTH= counts for nothing") {
  Server server;
  server.feed(
      opening +
      "MAIL FROM:<a@x.example> AUTH=boss+40x.example\r\nRCPT TO:<b@y.example>\r\nDATA\r\n.\r\n");
  REQUIRE(server.envelopes.size() == 1);
  REQUIRE(server.envelopes[0].auth);
  CHECK_FALSE(server.envelopes[0].auth->has_value());
}

TEST_CASE("SMTPUTF8 holds for its transaction only") {
  Server server;
  server.feed(
      opening + "MAIL FROM:<a@x.example> SMTPUTF8\r\nRCPT TO:<m\xC3\xBC@y.example>\r\nRSET\r\n" +
      transaction + "RCPT TO:<m\xC3\xBC@y.example>\r\nVRFY m\xC3\xBC SMTPUTF8\r\nDATA\r\n.\r\n");
  CHECK(server.codes() == "220 250 250 250 250 250 250 553 252 354 250");
}

TEST_CASE("a server that refuses service says so until QUIT") {
  ServerCore core{ServerSettings(), Client()};
  core.start_refusing(Reply(554, {5, 7, 1}, "No service for you"));
  core.feed("EHLO x\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nFOO\r\nQUIT\r\n");
  while (true) {
    const Event event = core.next();
    CHECK(event != Event::hello);
    if (event == Event::close) break;
    REQUIRE(event != Event::need_input);
  }
  CHECK(core.output() ==
        "554 5.7.1 No service for you\r\n503 5.5.1 Service refused, send QUIT\r\n"
        "503 5.5.1 Service refused, send QUIT\r\n503 5.5.1 Service refused, send QUIT\r\n"
        "503 5.5.1 Service refused, send QUIT\r\n221 2.0.0 Bye\r\n");
}

TEST_CASE("a body that the handler refuses is read to its end and answered there") {
  ServerCore core{ServerSettings(), Client()};
  core.start();
  const std::string wire = "EHLO x\r\n" + transaction + "DATA\r\na\r\n..b\r\n.\r\n";
  core.feed(wire);
  std::string events;
  for (Event event = core.next(); event != Event::need_input; event = core.next()) {
    switch (event) {
      case Event::body:
        events += 'b';
        core.refuse_body(reply::no_storage);
        break;
      case Event::reset:
        events += 'x';
        break;
      default:
        core.answer(reply::ok);
    }
  }
  CHECK(events == "bx");
  CHECK(
      core.output().ends_with("354 End data with <CRLF>.<CRLF>\r\n"
                              "452 4.3.1 Not enough storage, try again later\r\n"));
}

}  // namespace posthorn::smtp
