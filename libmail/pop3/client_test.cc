#include "libmail/pop3/client.h"

#include <catch2/catch.hpp>

using namespace posthorn::pop3;

namespace {

std::string fed(ClientCore& core, std::string_view octets) {
  std::string log;
  core.feed(octets);
  while (auto event = core.next()) {
    if (auto* done = std::get_if<Answered>(&*event))
      log += std::to_string(done->id) + (done->reply.ok ? " ok;" : " no;");
    if (auto* line = std::get_if<AnswerLine>(&*event)) log += "'" + line->text + "';";
    if (auto* octet = std::get_if<MessageOctets>(&*event)) log += octet->octets;
    if (auto* challenge = std::get_if<Challenge>(&*event))
      log += "challenge " + challenge->text + ";";
    if (std::holds_alternative<Secure>(*event)) log += "handshake;";
    if (auto* ended = std::get_if<Ended>(&*event)) log += "ended: " + ended->why;
  }
  return log;
}

std::string taken(ClientCore& core) {
  return std::exchange(core.output(), "");
}

}  // namespace

TEST_CASE("pop3 client: a session, the same at every split") {
  const std::string said =
      "+OK hello\r\n+OK\r\nTOP\r\nPIPELINING\r\nSASL PLAIN SCRAM-SHA-256\r\n.\r\n+OK\r\n+OK "
      "in\r\n+OK 2\r\n1 a\r\n2 b\r\n.\r\n"
      "+OK\r\nSubject: x\r\n\r\n..dot\r\n.\r\n-ERR [SYS/TEMP] no\r\n+OK bye\r\n";
  const std::string expected =
      "'TOP';'PIPELINING';'SASL PLAIN SCRAM-SHA-256';1 ok;2 ok;3 ok;'1 a';'2 b';4 ok;Subject: "
      "x\r\n\r\n.dot\r\n5 ok;6 no;7 ok;"
      "ended: the session is over";
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    CAPTURE(cut);
    ClientCore core;
    core.send("CAPA", ClientCore::Answer::list);
    core.send_login("USER ann");
    core.send_login("PASS secret");
    core.send("UIDL", ClientCore::Answer::list);
    core.send("RETR 1", ClientCore::Answer::message);
    core.send("TOP 2 0", ClientCore::Answer::message);
    core.send("QUIT");
    std::string log = fed(core, std::string_view(said).substr(0, cut));
    log += fed(core, std::string_view(said).substr(cut));
    CHECK(log == expected);
  }
}

TEST_CASE("pop3 client: a message whose end is the last that came is answered at once") {
  ClientCore core;
  core.send("CAPA", ClientCore::Answer::list);
  (void)fed(core, "+OK hello\r\n-ERR\r\n");
  core.send("RETR 1", ClientCore::Answer::message);
  CHECK(fed(core, "+OK\r\nSubject: x\r\n\r\n.\r\n") == "Subject: x\r\n\r\n2 ok;");
}

TEST_CASE(
    "pop3 client: commands go out together once PIPELINING is offered, log-in and QUIT alone") {
  ClientCore core;
  core.send("CAPA", ClientCore::Answer::list);
  core.send("NOOP");
  core.send("NOOP");
  core.send_login("PASS a\r\nDELE 1");
  CHECK(taken(core).empty());
  (void)fed(core, "+OK x\r\n");
  CHECK(taken(core) == "CAPA\r\n");
  (void)fed(core, "+OK\r\nPIPELINING\r\n.\r\n");
  CHECK(taken(core) == "NOOP\r\nNOOP\r\n");
  (void)fed(core, "+OK\r\n+OK\r\n");
  CHECK(taken(core) == "PASS a  DELE 1\r\n");
}

TEST_CASE("pop3 client: what comes behind the +OK to STLS is thrown away") {
  ClientCore core;
  core.send("STLS");
  CHECK(fed(core, "+OK hello\r\n+OK go\r\n+OK injected\r\n") == "handshake;");
  core.secured();
  CHECK(fed(core, "").empty());
  CHECK(core.phase() == ClientCore::Phase::authorization);
}

TEST_CASE("pop3 client: a SASL exchange") {
  ClientCore core;
  core.send_login("AUTH SCRAM-SHA-256 abc");
  CHECK(fed(core, "+OK x\r\n+ cmVzdA==\r\n") == "challenge cmVzdA==;");
  taken(core);
  core.respond("more");
  CHECK(taken(core) == "bW9yZQ==\r\n");
  CHECK(fed(core, "+OK in\r\n") == "1 ok;");
  CHECK(core.phase() == ClientCore::Phase::transaction);
}

TEST_CASE("pop3 client: a message that ends with what was read is answered") {
  ClientCore core;
  core.send("RETR 1", ClientCore::Answer::message);
  CHECK(fed(core, "+OK hello\r\n+OK\r\nx\r\n.\r\n") == "x\r\n1 ok;");
}

TEST_CASE("pop3 client: nonsense ends it") {
  const auto after = [](std::string_view octets) {
    ClientCore core;
    return fed(core, octets);
  };
  CHECK(after("220 mx\r\n").find("no POP3 server") != std::string::npos);
  CHECK(after("-ERR busy\r\n") == "ended: the server refuses the connection: busy");
  CHECK(after("+OK\r\n+OK\r\n").find("without being asked") != std::string::npos);
  CHECK(after("+OK " + std::string(70000, 'x')).find("too long") != std::string::npos);
}
