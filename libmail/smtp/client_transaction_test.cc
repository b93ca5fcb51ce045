// A client's transactions: groups of commands, bodies, extensions, and whose every reply is.
#include "libmail/smtp/test_client.h"

namespace posthorn::smtp {

using namespace test;

TEST_CASE("client: with CHUNKING the whole transaction is one group") {
  ClientCore core = ready_core(modern);
  Envelope envelope = envelope_for({"bob", "eve"});
  envelope.size = 4;
  say_envelope(core, envelope);
  core.begin_body();
  REQUIRE(core.body_open());
  core.body("a\r\n", LastPiece::yes);
  CHECK(taken(core) ==
        "MAIL FROM:<ann@here.example> SIZE=4\r\nRCPT TO:<bob@there.example>\r\n"
        "RCPT TO:<eve@there.example>\r\nBDAT 3 LAST\r\na\r\n");
  CHECK_FALSE(core.finished());
  core.receive("250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no eve\r\n250 2.0.0 queued as 1\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"2.0.0", "5.1.1"});
  CHECK(core.results()[1].text == "host mx.example[192.0.2.1] said: 550 5.1.1 no eve");
  CHECK(core.reusable());
}

TEST_CASE("client: replies of a group find their recipient however they are cut") {
  const std::string replies =
      "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550-5.1.1 no\r\n550 5.1.1 eve\r\n451 4.3.0 later\r\n";
  for (std::size_t cut = 0; cut <= replies.size(); ++cut) {
    ClientCore core = ready_core(modern);
    say_envelope(core, envelope_for({"bob", "eve"}));
    core.begin_body();
    core.body("a\r\n", LastPiece::yes);
    core.receive(replies.substr(0, cut));
    core.receive(replies.substr(cut));
    CAPTURE(cut);
    REQUIRE(core.finished());
    CHECK(codes(core) == Codes{"4.3.0", "5.1.1"});
  }
}

TEST_CASE("client: without PIPELINING each command waits for the reply before") {
  ClientCore core = ready_core(bare);
  say_envelope(core, envelope_for({"bob", "eve"}));
  core.begin_body();
  CHECK(taken(core) == "MAIL FROM:<ann@here.example>\r\n");
  core.receive("250 ok\r\n");
  CHECK(taken(core) == "RCPT TO:<bob@there.example>\r\n");
  core.receive("250 ok\r\n");
  CHECK(taken(core) == "RCPT TO:<eve@there.example>\r\n");
  core.receive("250 ok\r\n");
  CHECK(taken(core) == "DATA\r\n");
  CHECK_FALSE(core.body_open());
  core.receive("354 go\r\n");
  REQUIRE(core.body_open());
  core.body(".dot\r\nend", LastPiece::yes);
  CHECK(taken(core) == "..dot\r\nend\r\n.\r\n");
  core.receive("250 ok\r\n");
  CHECK(codes(core) == Codes{"2.0.0", "2.0.0"});
}

TEST_CASE(
    "client: without PIPELINING nothing is said behind a refused MAIL or the last refused RCPT") {
  ClientCore core = ready_core(bare);
  say_envelope(core, envelope_for({"bob", "eve"}));
  core.begin_body();
  taken(core);
  core.receive("550 5.7.1 not you\r\n");
  CHECK(taken(core).empty());
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"5.7.1", "5.7.1"});

  ClientCore second = ready_core(bare);
  say_envelope(second, envelope_for({"bob"}));
  second.begin_body();
  second.receive("250 ok\r\n550 5.1.1 no\r\n");
  CHECK(taken(second) == "MAIL FROM:<ann@here.example>\r\nRCPT TO:<bob@there.example>\r\n");
  REQUIRE(second.finished());
  second.reset();
  second.mail(envelope_for({}));
  CHECK(taken(second) == "RSET\r\n");
}

TEST_CASE("client: DATA accepted for nobody gets an empty message, and its 250 counts for nobody") {
  ClientCore core = ready_core(classic);
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  taken(core);
  core.receive("250 ok\r\n550 5.1.1 no\r\n");
  CHECK_FALSE(core.body_open());
  CHECK_FALSE(core.finished());
  core.receive("354 go\r\n");
  CHECK(taken(core) == ".\r\n");
  core.receive("250 2.0.0 taken\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"5.1.1"});
}

TEST_CASE("client: a refused MAIL refuses all recipients, whatever their RCPT was answered") {
  ClientCore core = ready_core(classic);
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  core.receive("451 4.7.1 greylisted\r\n503 5.5.1 no MAIL\r\n503 5.5.1 no RCPT\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"4.7.1"});
}

TEST_CASE("client: LMTP gives one reply a recipient, in order") {
  ClientCore core = ready_core(modern, ClientDialect::lmtp);
  say_envelope(core, envelope_for({"a", "b", "c", "d"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 ok\r\n250 ok\r\n550 5.1.1 no b\r\n250 ok\r\n250 ok\r\n");
  core.receive("250 2.1.5 a\r\n452 4.2.2 c full\r\n");
  CHECK_FALSE(core.finished());
  core.receive("552 5.2.3 d\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"2.1.5", "5.1.1", "4.2.2", "5.2.3"});
  CHECK(core.reusable());
}

TEST_CASE("client: a connection lost between LMTP replies keeps those that came") {
  ClientCore core = ready_core(modern, ClientDialect::lmtp);
  say_envelope(core, envelope_for({"a", "b"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 ok\r\n250 ok\r\n250 ok\r\n250 2.0.0 a is done\r\n");
  core.lost("lost connection");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"2.0.0", "4.4.2"});
  CHECK(core.results()[1].text ==
        "host mx.example[192.0.2.1]: lost connection while waiting for the reply to the end of the "
        "message (it may arrive twice)");
}

TEST_CASE("client: a success where none is possible is no success") {
  ClientCore data = ready_core(classic);
  say_envelope(data, envelope_for({"bob"}));
  data.begin_body();
  data.receive("250 ok\r\n250 ok\r\n250 2.0.0 thanks for the DATA\r\n");
  REQUIRE(data.finished());
  CHECK(codes(data) == Codes{"4.5.0"});

  ClientCore mail = ready_core(classic);
  say_envelope(mail, envelope_for({"bob"}));
  mail.receive("354 go\r\n");
  REQUIRE(mail.finished());
  CHECK(codes(mail) == Codes{"4.5.0"});
}

TEST_CASE("client: what the server does not offer is refused without a word, or left out") {
  Envelope envelope = envelope_for({"bob"});
  envelope.smtputf8 = true;
  ClientCore utf8 = ready_core(classic);
  say_envelope(utf8, envelope);
  CHECK(codes(utf8) == Codes{"5.6.7"});
  CHECK(taken(utf8).empty());

  envelope = envelope_for({"bob"});
  envelope.requiretls = true;
  ClientCore tls = ready_core(classic);
  say_envelope(tls, envelope);
  CHECK(codes(tls) == Codes{"5.7.30"});

  envelope = envelope_for({"bob"});
  envelope.size = 1001;
  ClientCore size = ready_core(modern);
  say_envelope(size, envelope);
  CHECK(codes(size) == Codes{"5.3.4"});

  envelope = envelope_for({"bob"});
  envelope.body = Body::eight_bit_mime;
  envelope.ret = Ret::headers;
  envelope.envid = "QQ1";
  ClientCore eight = ready_core(classic);
  say_envelope(eight, envelope);
  CHECK(taken(eight) == "MAIL FROM:<ann@here.example>\r\nRCPT TO:<bob@there.example>\r\n");

  ClientOptions strict = options_for(ClientDialect::smtp);
  strict.refuse_unoffered_8bit = true;
  ClientCore refusing(strict);
  refusing.receive("220 mx\r\n250 mx\r\n");
  say_envelope(refusing, envelope);
  CHECK(codes(refusing) == Codes{"5.6.3"});
}

TEST_CASE("client: an address beyond ASCII is refused alone, its domain travels as A-label") {
  Envelope envelope = envelope_for({"bob"});
  envelope.recipients.emplace_back(Mailbox("j\xc3\xbcrgen", "there.example"));
  envelope.recipients.emplace_back(Mailbox("eve", "m\xc3\xbcller.example"));
  ClientCore core = ready_core(classic);
  say_envelope(core, envelope);
  CHECK(taken(core) ==
        "MAIL FROM:<ann@here.example>\r\nRCPT TO:<bob@there.example>\r\n"
        "RCPT TO:<eve@xn--mller-kva.example>\r\n");
  REQUIRE(core.rcpt_status(1));
  CHECK(core.rcpt_status(1)->enhanced == EnhancedStatus(5, 6, 7));
}

TEST_CASE("client: RCPTMAX and MAILMAX of the server are kept") {
  ClientCore core = ready_core({"PIPELINING", "CHUNKING", "LIMITS RCPTMAX=1 MAILMAX=1"});
  say_envelope(core, envelope_for({"bob", "eve"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 ok\r\n250 ok\r\n250 ok\r\n");
  CHECK(codes(core) == Codes{"2.0.0", "4.5.3"});
  CHECK_FALSE(core.reusable());
}

TEST_CASE("client: DSN parameters and XFORWARD go where they are offered") {
  Envelope envelope = envelope_for({"bob"});
  envelope.ret = Ret::headers;
  envelope.envid = "a+b";
  envelope.trace_id = "4XQ7k2";
  envelope.client.address = "2001:db8::1";
  envelope.client.helo = "a b";
  envelope.recipients[0].notify = Notify(Notify::success | Notify::failure);
  envelope.recipients[0].orcpt = OriginalRecipient("rfc822", "bob+x@there.example");
  ClientCore core =
      ready_core({"PIPELINING", "DSN", "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"});
  say_envelope(core, envelope);
  CHECK(
      taken(core) ==
      "XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] "
      "HELO=a+20b IDENT=4XQ7k2 SOURCE=REMOTE\r\n"
      "MAIL FROM:<ann@here.example> RET=HDRS ENVID=a+2Bb\r\n"
      "RCPT TO:<bob@there.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+2Bx@there.example\r\n");
  core.receive("501 5.5.4 what is XFORWARD\r\n250 ok\r\n250 ok\r\n");
  CHECK(core.envelope_answered());
  CHECK(core.accepted() == 1);
}

TEST_CASE("client: stray CR and LF become spaces in every cut, with DATA and with BDAT") {
  const std::string message = "a\nb\rc\r\n.\r\n\n.\n\r\r\nend\r\n";
  const std::string clean = "a b c\r\n.\r\n . \x20\r\nend\r\n";
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    CAPTURE(cut);
    ClientCore core = ready_core(modern);
    say_envelope(core, envelope_for({"bob"}));
    core.begin_body();
    taken(core);
    core.body(message.substr(0, cut), LastPiece::no);
    core.body(message.substr(cut), LastPiece::yes);
    std::string sent;
    std::string wire = taken(core);
    while (!wire.empty()) {
      REQUIRE(wire.substr(0, 5) == "BDAT ");
      const std::size_t size = std::stoul(wire.substr(5));
      wire.erase(0, wire.find("\r\n") + 2);
      sent += wire.substr(0, size);
      wire.erase(0, size);
    }
    CHECK(sent == clean);

    ClientCore data = ready_core(classic);
    say_envelope(data, envelope_for({"bob"}));
    data.begin_body();
    data.receive("250 ok\r\n250 ok\r\n354 go\r\n");
    taken(data);
    data.body(message.substr(0, cut), LastPiece::no);
    data.body(message.substr(cut), LastPiece::yes);
    CHECK(taken(data) == "a b c\r\n..\r\n . \x20\r\nend\r\n.\r\n");
  }
}

TEST_CASE("client: CHUNKING without PIPELINING sends each chunk behind the reply before") {
  ClientCore core = ready_core({"CHUNKING"});
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  CHECK_FALSE(core.body_open());
  core.receive("250 ok\r\n250 ok\r\n");
  REQUIRE(core.body_open());
  taken(core);
  core.body("x\r\n", LastPiece::no);
  CHECK_FALSE(core.body_open());
  core.receive("250 ok\r\n");
  REQUIRE(core.body_open());
  core.body("y\r\n", LastPiece::yes);
  CHECK(taken(core) == "BDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n");
  core.receive("250 2.0.0 done\r\n");
  CHECK(codes(core) == Codes{"2.0.0"});
}

TEST_CASE(
    "client: REQUIRETLS goes over TLS and Unix sockets to servers that offer it, nowhere else") {
  Envelope envelope = envelope_for({"bob"});
  envelope.requiretls = true;
  ClientCore in_clear = ready_core({"PIPELINING", "REQUIRETLS"});
  say_envelope(in_clear, envelope);
  CHECK(codes(in_clear) == Codes{"5.7.30"});

  ClientOptions options = options_for(ClientDialect::smtp);
  options.private_path = true;
  ClientCore local(options);
  local.receive("220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 REQUIRETLS\r\n");
  taken(local);
  say_envelope(local, envelope);
  CHECK(taken(local).starts_with("MAIL FROM:<ann@here.example> REQUIRETLS\r\n"));
}

TEST_CASE("client: a refused chunk ends the connection, its reply is everybody's") {
  ClientCore core = ready_core(modern);
  say_envelope(core, envelope_for({"bob", "eve"}));
  core.begin_body();
  core.receive("250 ok\r\n250 ok\r\n250 ok\r\n");
  core.body("x\r\n", LastPiece::no);
  core.body("y\r\n", LastPiece::no);
  core.receive("552 5.3.4 too big\r\n");
  CHECK_FALSE(core.body_wanted());
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"5.3.4", "5.3.4"});
}

TEST_CASE("client: a refusal in the middle of DATA is the message's reply") {
  ClientCore core = ready_core(classic);
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  core.receive("250 ok\r\n250 ok\r\n354 go\r\n");
  core.body("x\r\n", LastPiece::no);
  core.receive("552 5.3.4 too big already\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"5.3.4"});
}

TEST_CASE("client: a refused BDAT is followed by RSET before the next MAIL") {
  ClientCore core = ready_core(modern);
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 ok\r\n250 ok\r\n554 5.6.0 no\r\n");
  REQUIRE(core.reusable());
  taken(core);
  say_envelope(core, envelope_for({"eve"}));
  CHECK(taken(core) == "RSET\r\nMAIL FROM:<ann@here.example>\r\nRCPT TO:<eve@there.example>\r\n");
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 ok\r\n250 ok\r\n250 ok\r\n250 2.0.0 done\r\n");
  CHECK(codes(core) == Codes{"2.0.0"});
}

TEST_CASE(
    "client: a transaction given up while replies are on their way leaves the next one in step") {
  ClientCore core = ready_core(modern);
  say_envelope(core, envelope_for({"bob"}));
  taken(core);
  core.reset();
  REQUIRE(core.phase() == Phase::ready);
  say_envelope(core, envelope_for({"eve"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  core.receive("250 mail\r\n250 rcpt\r\n250 rset\r\n250 mail\r\n550 5.1.1 no eve\r\n");
  core.receive("554 5.5.1 nobody\r\n");
  REQUIRE(core.finished());
  CHECK(codes(core) == Codes{"5.1.1"});
}

TEST_CASE("client: 552 5.5.3 to RCPT means too many for now") {
  ClientCore core = ready_core(modern);
  say_envelope(core, envelope_for({"bob"}));
  core.receive("250 ok\r\n552 5.5.3 too many\r\n");
  CHECK(core.rcpt_status(0)->enhanced == EnhancedStatus(4, 5, 3));
}

}  // namespace posthorn::smtp
