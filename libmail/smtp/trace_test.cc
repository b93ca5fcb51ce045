#include "libmail/smtp/trace.h"

#include <catch2/catch.hpp>

namespace posthorn::smtp {

namespace {

SessionInfo session() {
  SessionInfo info;
  info.client.name = "client.example";
  info.client.address = "192.0.2.1";
  info.client.helo = "client.example";
  info.extended = true;
  return info;
}

Trace trace() {
  Trace made;
  made.by = "mx.example.org";
  made.id = "0123456789ABCDEF";
  made.rcpt = "ann@example.org";
  return made;
}

// The field without its date.
std::string received(const SessionInfo& info, const Envelope& envelope, const Trace& made) {
  const std::string text = format_received(info, envelope, made);
  return text.substr(0, text.rfind(";\r\n\t"));
}

}  // namespace

TEST_CASE("Received names the client, us, the protocol, the id and the only recipient") {
  CHECK(received(session(), Envelope(), trace()) ==
        "Received: from client.example (client.example [192.0.2.1])\r\n"
        "\tby mx.example.org (Posthorn) with ESMTP id 0123456789ABCDEF\r\n"
        "\tfor <ann@example.org>");
  CHECK(format_received(session(), Envelope(), trace()).ends_with("\r\n"));
}

TEST_CASE("TLS stands in a comment of its own") {
  SessionInfo info = session();
  info.tls = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256);
  CHECK(received(info, Envelope(), trace())
            .find("\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256 bits))\r\n\tby ") !=
        std::string::npos);
}

TEST_CASE("the keyword says how the message came (RFC 3848, RFC 6531)") {
  SessionInfo info = session();
  CHECK(with_keyword(info, false) == "ESMTP");
  CHECK(with_keyword(info, true) == "UTF8SMTP");
  info.tls = TlsInfo();
  CHECK(with_keyword(info, false) == "ESMTPS");
  info.user = "ann";
  CHECK(with_keyword(info, false) == "ESMTPSA");
  CHECK(with_keyword(info, true) == "UTF8SMTPSA");
  info.lmtp = true;
  CHECK(with_keyword(info, false) == "LMTPSA");
  info = session();
  info.extended = false;
  CHECK(with_keyword(info, false) == "SMTP");
}

TEST_CASE("nothing that a client said ends a line or a comment") {
  SessionInfo info = session();
  info.client.helo = "a_b";
  info.client.name = "x)\r\nBcc: y (\\";
  const std::string text = received(info, Envelope(), trace());
  CHECK(
      text.starts_with("Received: from [192.0.2.1] (HELO=a_b x???Bcc: y ?? [192.0.2.1])\r\n\tby "));
  info.client.name = "m\xC3\xBCller";
  CHECK(received(info, Envelope(), trace()).find("m??ller") != std::string::npos);
  Envelope utf8;
  utf8.smtputf8 = true;
  CHECK(received(info, utf8, trace()).find("m\xC3\xBCller") != std::string::npos);
}

TEST_CASE("a peer without an address is local, and a submitting client can be hidden") {
  SessionInfo info;
  info.client.helo = "localhost";
  info.client.local = true;
  info.extended = true;
  CHECK(received(info, Envelope(), trace()).starts_with("Received: from localhost (local)\r\n"));
  Trace hidden = trace();
  hidden.hide_client = true;
  CHECK(received(session(), Envelope(), hidden)
            .starts_with("Received: by mx.example.org (Posthorn) with ESMTP id "));
}

TEST_CASE("a UTF-8 recipient is named only in a message with SMTPUTF8") {
  Trace utf8 = trace();
  utf8.rcpt = "m\xC3\xBCller@example.org";
  CHECK(received(session(), Envelope(), utf8).find("for") == std::string::npos);
}

TEST_CASE("the fields of final delivery") {
  CHECK(format_return_path(Mailbox("ann", "example.org")) == "Return-Path: <ann@example.org>\r\n");
  CHECK(format_return_path(ReversePath()) == "Return-Path: <>\r\n");
  CHECK(format_delivered_to(Mailbox("a b", "x.example")) == "Delivered-To: \"a b\"@x.example\r\n");
}

TEST_CASE("Received fields of the header are counted at every split") {
  const std::string message =
      "Received: one\r\n\tReceived: folded\r\nreceived:two\r\nX-Received: no\r\nReceived : no\r\n"
      "\r\nReceived: in the body\r\n";
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    ReceivedCounter counter;
    counter.feed(std::string_view(message).substr(0, cut));
    counter.feed(std::string_view(message).substr(cut));
    CHECK(counter.count() == 2);
    CHECK(counter.header_ended());
    CHECK(counter.header_octets() == message.find("\r\n\r\n") + 4);
  }
}

}  // namespace posthorn::smtp
