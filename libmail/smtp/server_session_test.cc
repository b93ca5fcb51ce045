// A server's session: who is there, in clear or not, and what ends it. Dialogues of many kinds are data in test/transcripts/smtp.
#include <catch2/catch.hpp>

#include "libmail/smtp/test_server.h"

namespace posthorn::smtp {

using namespace std::string_literals;
using namespace test;

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
    ServerSettings settings = with_xclient();
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
  const ServerSettings settings = with_xclient();
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
  const ServerSettings settings = with_xclient();
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
  Server server(with_xclient());
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

}  // namespace posthorn::smtp
