// A server's transactions, at every split: the envelope, bodies, LMTP, extensions. Dialogues of many kinds are data in test/transcripts/smtp.
#include <catch2/catch.hpp>

#include "libmail/smtp/test_server.h"

namespace posthorn::smtp {

using namespace test;

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
