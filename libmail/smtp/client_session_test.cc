// A client's session: greeting, STARTTLS, AUTH, XCLIENT, and servers that talk nonsense.
#include "libmail/smtp/test_client.h"

namespace posthorn::smtp {

using namespace test;

TEST_CASE("client: greeting, EHLO and the extensions, however the octets are cut") {
  const std::string replies = "220-mx\r\n220 hello\r\n250-mx\r\n250-SIZE 500\r\n250 PIPELINING\r\n";
  for (std::size_t cut = 0; cut <= replies.size(); ++cut) {
    ClientCore core(options_for(ClientDialect::smtp));
    core.receive(replies.substr(0, cut));
    core.receive(replies.substr(cut));
    CAPTURE(cut);
    REQUIRE(core.phase() == Phase::ready);
    CHECK(core.output() == "EHLO us.example\r\n");
    CHECK(core.extensions().pipelining);
    CHECK(core.extensions().size_limit == 500);
  }
}

TEST_CASE("client: a server that does not know EHLO gets HELO") {
  ClientCore core(options_for(ClientDialect::smtp));
  core.receive("220 mx\r\n");
  taken(core);
  core.receive("502 what?\r\n");
  CHECK(taken(core) == "HELO us.example\r\n");
  core.receive("250 mx\r\n");
  CHECK(core.phase() == Phase::ready);
  CHECK_FALSE(core.extensions().pipelining);
}

TEST_CASE("client: LMTP says LHLO and takes no for a passing no") {
  ClientCore core(options_for(ClientDialect::lmtp));
  core.receive("220 agent\r\n");
  CHECK(taken(core) == "LHLO us.example\r\n");
  core.receive("500 5.5.1 I speak SMTP\r\n");
  CHECK(core.phase() == Phase::closed);
  CHECK(core.trouble().is_transient());
}

TEST_CASE("client: a 554 greeting does not bounce, a 521 does") {
  ClientCore busy(options_for(ClientDialect::smtp));
  busy.receive("554 mx no service for you\r\n");
  CHECK(busy.phase() == Phase::closed);
  CHECK(busy.trouble().is_transient());
  CHECK(busy.trouble().text == "host mx.example[192.0.2.1] said: 554 mx no service for you");
  CHECK(busy.trouble().remote_mta == "mx.example [192.0.2.1]");
  ClientCore never(options_for(ClientDialect::smtp));
  never.receive("521 5.3.2 takes no mail\r\n");
  CHECK(never.trouble().is_permanent());
}

TEST_CASE("client: STARTTLS is asked for, and what was known before is forgotten") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.tls = TlsLevel::opportunistic;
  ClientCore core(options);
  core.receive("220 mx\r\n250-mx\r\n250-CHUNKING\r\n250 STARTTLS\r\n");
  CHECK(taken(core) == "EHLO us.example\r\nSTARTTLS\r\n");
  core.receive("220 go\r\n");
  REQUIRE(core.phase() == Phase::handshake);
  core.secured();
  CHECK(taken(core) == "EHLO us.example\r\n");
  CHECK_FALSE(core.extensions().chunking);
  core.receive("250-mx\r\n250 STARTTLS\r\n");
  CHECK(core.phase() == Phase::ready);
  CHECK(core.secure());
}

TEST_CASE("client: octets behind the reply to STARTTLS end the connection") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.tls = TlsLevel::opportunistic;
  ClientCore core(options);
  core.receive("220 mx\r\n250-mx\r\n250 STARTTLS\r\n");
  core.receive("220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n");
  CHECK(core.phase() == Phase::closed);
  CHECK(core.trouble().enhanced == EnhancedStatus(4, 7, 0));
}

TEST_CASE(
    "client: TLS that is required and not to be had is 4.7.4, opportunistic goes on in clear") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.tls = TlsLevel::required;
  ClientCore strict(options);
  strict.receive("220 mx\r\n250 mx\r\n");
  CHECK(strict.phase() == Phase::closed);
  CHECK(strict.trouble().enhanced == EnhancedStatus(4, 7, 4));
  ClientCore refused(options);
  refused.receive("220 mx\r\n250-mx\r\n250 STARTTLS\r\n554 5.7.3 no\r\n");
  CHECK(refused.trouble().enhanced == EnhancedStatus(4, 7, 4));
  options.tls = TlsLevel::opportunistic;
  ClientCore lenient(options);
  lenient.receive("220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 4.7.0 not now\r\n");
  CHECK(lenient.phase() == Phase::ready);
}

TEST_CASE("client: AUTH PLAIN, AUTH LOGIN, and no password in clear") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.login = Credentials{"ann", "secret"};
  ClientCore clear(options);
  clear.receive("220 mx\r\n250-mx\r\n250 AUTH PLAIN\r\n");
  CHECK(clear.phase() == Phase::closed);
  CHECK(clear.trouble().enhanced == EnhancedStatus(4, 7, 4));
  CHECK(taken(clear) == "EHLO us.example\r\n");

  options.private_path = true;
  ClientCore plain(options);
  plain.receive("220 mx\r\n250-mx\r\n250 AUTH LOGIN PLAIN\r\n");
  CHECK(taken(plain) == "EHLO us.example\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\n");
  plain.receive("235 2.7.0 ok\r\n");
  CHECK(plain.phase() == Phase::ready);

  ClientCore login(options);
  login.receive("220 mx\r\n250-mx\r\n250 AUTH LOGIN\r\n");
  taken(login);
  login.receive("334 VXNlcm5hbWU6\r\n");
  CHECK(taken(login) == "YW5u\r\n");
  login.receive("334 UGFzc3dvcmQ6\r\n");
  CHECK(taken(login) == "c2VjcmV0\r\n");
  login.receive("535 5.7.8 no\r\n");
  CHECK(login.trouble().enhanced == EnhancedStatus(4, 7, 8));
}

TEST_CASE(
    "client: a token goes by the best mechanism offered, and its refusal is heard to the end") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.private_path = true;
  options.login = Credentials{"ann", "", {{"OAUTHBEARER", "bearer"}, {"XOAUTH2", "user token"}}};
  ClientCore both(options);
  both.receive("220 mx\r\n250-mx\r\n250 AUTH PLAIN XOAUTH2 OAUTHBEARER\r\n");
  CHECK(taken(both) == "EHLO us.example\r\nAUTH OAUTHBEARER YmVhcmVy\r\n");
  both.receive("235 2.7.0 ok\r\n");
  CHECK(both.phase() == Phase::ready);

  ClientCore refused(options);
  refused.receive("220 mx\r\n250-mx\r\n250 AUTH XOAUTH2\r\n");
  CHECK(taken(refused) == "EHLO us.example\r\nAUTH XOAUTH2 dXNlciB0b2tlbg==\r\n");
  refused.receive("334 eyJzdGF0dXMiOiI0MDEifQ==\r\n");
  CHECK(taken(refused) == "\r\n");
  refused.receive("535 5.7.8 expired\r\n");
  CHECK(refused.trouble().enhanced == EnhancedStatus(4, 7, 8));

  ClientCore only_passwords(options);
  only_passwords.receive("220 mx\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n");
  CHECK(only_passwords.trouble().text.find("takes a token") != std::string::npos);

  options.login->tokens = {{"OAUTHBEARER", std::string(600, 'x')}};
  ClientCore long_one(options);
  long_one.receive("220 mx\r\n250-mx\r\n250 AUTH OAUTHBEARER\r\n");
  CHECK(taken(long_one) == "EHLO us.example\r\nAUTH OAUTHBEARER\r\n");
  long_one.receive("334 \r\n");
  CHECK(taken(long_one).size() == 802);
}

TEST_CASE("client: 421 at any step gives everybody a transient status and ends it") {
  const std::vector<std::string> steps = {"250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
  for (std::size_t step = 0; step <= steps.size(); ++step) {
    ClientCore core = ready_core(classic);
    say_envelope(core, envelope_for({"bob", "eve"}));
    core.begin_body();
    for (std::size_t i = 0; i < step; ++i) core.receive(steps[i]);
    if (step == steps.size()) core.body("x\r\n", LastPiece::yes);
    core.receive("421 4.3.2 going down\r\n");
    CAPTURE(step);
    CHECK(core.phase() == Phase::closed);
    CHECK(codes(core) == Codes{"4.3.2", "4.3.2"});
  }
}

TEST_CASE("client: endless and senseless replies end the connection") {
  ClientCore endless = ready_core(classic);
  say_envelope(endless, envelope_for({"bob"}));
  for (int i = 0; i < 10000 && endless.phase() != Phase::closed; ++i)
    endless.receive("250-and on and on\r\n");
  CHECK(codes(endless) == Codes{"4.5.0"});

  ClientCore long_line = ready_core(classic);
  say_envelope(long_line, envelope_for({"bob"}));
  long_line.receive("250 " + std::string(100000, 'x'));
  CHECK(codes(long_line) == Codes{"4.5.0"});

  ClientCore garbage = ready_core(classic);
  say_envelope(garbage, envelope_for({"bob"}));
  garbage.receive("HTTP/1.1 200 OK\r\n");
  CHECK(codes(garbage) == Codes{"4.5.0"});
}

TEST_CASE("client: a reply to nothing makes an idle connection unusable") {
  ClientCore core = ready_core(classic);
  core.receive("421 4.4.2 idle too long\r\n");
  CHECK(core.phase() == Phase::closed);
  ClientCore other = ready_core(classic);
  other.receive("250 ok\r\n");
  CHECK(other.phase() == Phase::closed);
}

TEST_CASE("client: control octets of a hostile server do not get into a status") {
  ClientCore core = ready_core(modern);
  say_envelope(core, envelope_for({"bob"}));
  core.begin_body();
  core.body("x\r\n", LastPiece::yes);
  std::string replies = "250 ok\r\n550-5.1.1 a\x1b[2J\r\n550 5.1.1 b";
  replies += '\0';
  replies += "c\rFrom x\r\n503 no\r\n";
  core.receive(replies);
  REQUIRE(core.finished());
  const std::string text = core.results()[0].text;
  for (const char c : text) CHECK(static_cast<unsigned char>(c) >= 32);
}

namespace {

ClientCore introducing_core() {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.xclient = true;
  ClientCore core(options);
  core.receive("220 mx.example ESMTP\r\n");
  core.receive(
      "250-mx.example\r\n250-PIPELINING\r\n250-XFORWARD ADDR\r\n"
      "250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n");
  REQUIRE(core.phase() == Phase::ready);
  core.output().clear();
  return core;
}

Envelope from_client(const std::string& user) {
  Envelope envelope = envelope_for({"bob"});
  envelope.client.address = "192.0.2.7";
  envelope.client.helo = "h.example";
  envelope.client.protocol = "ESMTP";
  envelope.user = user;
  return envelope;
}

const std::string ann_introduced =
    "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=[UNAVAILABLE] PROTO=ESMTP HELO=h.example "
    "LOGIN=ann\r\n";

}  // namespace

TEST_CASE("client: XCLIENT goes first, and each step waits for the one before") {
  ClientCore core = introducing_core();
  say_envelope(core, from_client("ann"));
  CHECK(taken(core) == ann_introduced);
  core.receive("220 mx.example ESMTP\r\n");
  CHECK(taken(core) == "EHLO us.example\r\n");
  core.receive("250-mx.example\r\n250-PIPELINING\r\n250 XCLIENT ADDR LOGIN\r\n");
  CHECK(taken(core) == "MAIL FROM:<ann@here.example>\r\n");
  core.receive("250 ok\r\n");
  CHECK(taken(core) == "RCPT TO:<bob@there.example>\r\n");
  core.receive("250 ok\r\n");
  CHECK(core.accepted() == 1);
}

TEST_CASE("client: XCLIENT is said again for another client or user only") {
  ClientCore core = introducing_core();
  say_envelope(core, from_client("ann"));
  core.receive("220 x\r\n");
  core.receive("250-x\r\n250-PIPELINING\r\n250 XCLIENT LOGIN\r\n");
  core.receive("250 ok\r\n");
  core.receive("250 ok\r\n");
  core.reset();
  core.output().clear();
  core.mail(from_client("bob"));
  CHECK(taken(core) == "RSET\r\n");
  core.receive("250 ok\r\n");
  CHECK(taken(core) == "XCLIENT LOGIN=bob\r\n");
  core.receive("220 x\r\n");
  core.receive("250-x\r\n250-PIPELINING\r\n250 XCLIENT LOGIN\r\n");
  core.receive("250 ok\r\n");
  core.reset();
  core.output().clear();
  core.mail(from_client("bob"));
  CHECK(taken(core) == "RSET\r\nMAIL FROM:<ann@here.example>\r\n");
}

TEST_CASE(
    "client: a server that refuses XCLIENT is our trouble, one that refuses the client is not") {
  const auto [reply, code] = GENERATE(table<std::string, std::string>({
      {"550 5.7.0 not from you\r\n", "4.7.0"},
      {"554 5.7.1 not this one\r\n", "5.7.1"},
      {"421 4.7.0 later\r\n", "4.7.0"},
      {"220 x\r\n451 4.3.0 no EHLO\r\n", "4.3.0"},
  }));
  ClientCore core = introducing_core();
  say_envelope(core, from_client("ann"));
  core.receive(reply);
  REQUIRE(core.phase() == Phase::closed);
  REQUIRE(core.mail_status());
  CHECK(core.mail_status()->enhanced.text() == code);
  CHECK(codes(core) == Codes{code});
}

TEST_CASE("client: whom we have a message from is said by neither command if it must not be") {
  ClientOptions options = options_for(ClientDialect::smtp);
  options.xforward = false;
  ClientCore core(options);
  core.receive("220 mx.example ESMTP\r\n");
  core.receive("250-mx.example\r\n250-XFORWARD ADDR\r\n250 XCLIENT ADDR\r\n");
  core.output().clear();
  core.mail(from_client("ann"));
  CHECK(taken(core) == "MAIL FROM:<ann@here.example>\r\n");
}

}  // namespace posthorn::smtp
