#include "libmail/smtp/client_lines.h"

#include <catch2/catch.hpp>

using namespace posthorn::smtp;

TEST_CASE("parse_extensions: keywords in any case, what can't be understood is not offered") {
  const ServerExtensions server = parse_extensions(
      "mx.example PIPELINING\npipelining\nSIZE x\nAUTH PLAIN login plain\nLIMITS RCPTMAX=0 "
      "MAILMAX=7 X=1\n\nAUTH=PLAIN\nUNKNOWN 1");
  CHECK(server.pipelining);
  CHECK(server.size_offered);
  CHECK(server.size_limit == 0);
  CHECK(server.auth_mechanisms == std::vector<std::string>{"PLAIN", "LOGIN"});
  CHECK_FALSE(server.max_recipients);
  CHECK(server.max_transactions == 7);
  CHECK_FALSE(parse_extensions("PIPELINING").pipelining);
}

TEST_CASE("mail_line: parameters only where they are offered") {
  Envelope envelope;
  envelope.reverse_path = Mailbox("ann", "m\xc3\xbcller.example");
  envelope.size = 7;
  envelope.body = Body::eight_bit_mime;
  envelope.ret = Ret::full;
  envelope.auth = ReversePath();
  ServerExtensions server;
  CHECK(mail_line(envelope, server, Utf8::refused) == "MAIL FROM:<ann@xn--mller-kva.example>\r\n");
  server.size_offered = true;
  server.eight_bit_mime = true;
  server.smtputf8 = true;
  server.dsn = true;
  server.auth_mechanisms = {"PLAIN"};
  CHECK(mail_line(envelope, server, Utf8::allowed) ==
        "MAIL FROM:<ann@m\xc3\xbcller.example> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=FULL AUTH=<>\r\n");
}

TEST_CASE(
    "xclient_line: a program of this machine is at home, and a name that is too long is left out") {
  Envelope envelope;
  envelope.client.local = true;
  envelope.client.helo = std::string(200, 'h');
  envelope.user = "ann b";
  ServerExtensions server;
  CHECK(xclient_line(envelope, server).empty());
  server.xclient = {"NAME", "ADDR", "HELO", "LOGIN"};
  CHECK(xclient_line(envelope, server) ==
        "XCLIENT NAME=localhost ADDR=127.0.0.1 HELO=[UNAVAILABLE] LOGIN=ann+20b\r\n");
  envelope.client.local = false;
  envelope.client.address = "2001:db8::1";
  server.xclient = {"ADDR", "PROTO", "DESTADDR"};
  CHECK(xclient_line(envelope, server) == "XCLIENT ADDR=IPV6:2001:db8::1 PROTO=ESMTP\r\n");
}

TEST_CASE("xforward_lines: XFORWARD is cut into lines of 512 octets") {
  Envelope envelope;
  envelope.client.name = std::string(240, 'n');
  envelope.client.helo = std::string(240, 'h');
  envelope.client.address = "192.0.2.7";
  envelope.trace_id = std::string(60, 'i');
  ServerExtensions server;
  server.xforward = {"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"};
  const std::vector<std::string> lines = xforward_lines(envelope, server);
  REQUIRE(lines.size() == 2);
  for (const std::string& line : lines) CHECK(line.size() <= 512);
}
