#include "libmail/pop3/server.h"

#include <catch2/catch.hpp>

using namespace posthorn::pop3;
using namespace std::string_literals;

namespace {

struct Drop final : Messages {
  std::vector<std::string> texts{"A: 1\r\n\r\none\r\n", "B: 2\r\n\r\n.dot\r\n",
                                 "C: 3\r\n\r\nthree\r\nlines\r\nhere\r\n"};
  std::size_t count() const override { return texts.size(); }
  std::uint64_t size(std::size_t index) const override { return texts[index].size(); }
  std::string_view uidl(std::size_t index) const override {
    static const std::vector<std::string> names{"aaa", "bbb", "ccc"};
    return names[index];
  }
};

// Answers events as a worker would: ann with secret, EXTERNAL and PLAIN by anybody with "x".
struct Session {
  Drop drop;
  ServerCore core;
  std::string output;
  std::vector<std::size_t> deleted, retrieved;
  bool closed = false, committed = false;
  std::vector<Event::Kind> events;

  static Settings settings() {
    Settings settings;
    settings.plaintext = true;
    settings.can_stls = true;
    settings.mechanisms = {"PLAIN", "EXTERNAL"};
    return settings;
  }
  explicit Session(Settings s = settings()) : core(std::move(s)) { output = core.take_output(); }

  void say(std::string_view octets) {
    core.feed(octets);
    while (const auto event = core.next()) {
      events.push_back(event->kind);
      answer(*event);
    }
    output += core.take_output();
  }
  void answer(const Event& event) {
    switch (event.kind) {
      case Event::Kind::login:
        if (event.user == "ann" && event.password == "secret") return core.logged_in(drop);
        return core.refused(code::authentication, "no");
      case Event::Kind::sasl_start:
        if (!event.initial) return core.challenge("say x");
        return *event.initial == "x" ? core.logged_in(drop)
                                     : core.refused(code::authentication, "no");
      case Event::Kind::sasl_response:
        return event.data == "x" ? core.logged_in(drop) : core.refused(code::authentication, "no");
      case Event::Kind::start_tls:
        output += core.take_output();
        return core.tls_started();
      case Event::Kind::retrieve: {
        const std::string& text = drop.texts[event.index];
        if (!core.message_begins(text.substr(0, 5))) return;
        if (core.wants_parts()) core.message_part(text.substr(5));
        return core.message_ends();
      }
      case Event::Kind::commit:
        committed = true;
        deleted = core.deleted();
        retrieved = core.retrieved();
        return core.committed();
      case Event::Kind::close:
        closed = true;
        return;
      case Event::Kind::sasl_cancel:
        return;
    }
  }
  // What a client line is answered with.
  std::string ask(std::string_view line) {
    output.clear();
    say(std::string(line) + "\r\n");
    return output;
  }
  Session& log_in() {
    ask("USER ann");
    ask("PASS secret");
    REQUIRE(core.in_transaction());
    return *this;
  }
};

bool is_error(const std::string& output) {
  return output.rfind("-ERR", 0) == 0;
}

}  // namespace

TEST_CASE("pop3: greets, logs in, lists, retrieves, deletes, quits") {
  Session session;
  CHECK(session.output == "+OK POP3 server ready\r\n");
  CHECK(session.ask("USER ann") == "+OK send PASS\r\n");
  CHECK(session.ask("PASS secret") == "+OK logged in, 3 messages\r\n");
  CHECK(session.ask("STAT") == "+OK 3 55\r\n");
  CHECK(session.ask("LIST") == "+OK 3 messages (55 octets)\r\n1 13\r\n2 14\r\n3 28\r\n.\r\n");
  CHECK(session.ask("LIST 2") == "+OK 2 14\r\n");
  CHECK(session.ask("UIDL") == "+OK\r\n1 aaa\r\n2 bbb\r\n3 ccc\r\n.\r\n");
  CHECK(session.ask("UIDL 3") == "+OK 3 ccc\r\n");
  CHECK(session.ask("RETR 2") == "+OK 14 octets\r\nB: 2\r\n\r\n..dot\r\n.\r\n");
  CHECK(session.ask("TOP 3 1") == "+OK the top follows\r\nC: 3\r\n\r\nthree\r\n.\r\n");
  CHECK(session.ask("DELE 1") == "+OK marked as deleted\r\n");
  CHECK(session.ask("STAT") == "+OK 2 42\r\n");
  CHECK(session.ask("LIST") == "+OK 2 messages (42 octets)\r\n2 14\r\n3 28\r\n.\r\n");
  CHECK(session.ask("QUIT") == "+OK goodbye\r\n");
  CHECK(session.deleted == std::vector<std::size_t>{0});
  CHECK(session.retrieved == std::vector<std::size_t>{1});  // TOP does not count
  CHECK(session.closed);
}

TEST_CASE("pop3: a pipelined session gives the same octets at every split") {
  const std::string input =
      "CAPA\r\nUSER ann\r\nPASS secret\r\nSTAT\r\nUIDL\nRETR 2\r\nTOP 3 0\r\nDELE 2\r\nRETR "
      "2\r\nRSET\r\nNOOP\r\nQUIT\r\n";
  Session whole;
  whole.say(input);
  CHECK(whole.committed);
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    Session session;
    session.say(input.substr(0, cut));
    session.say(input.substr(cut));
    CHECK(session.output == whole.output);
  }
}

TEST_CASE("pop3: nothing is committed without QUIT in TRANSACTION") {
  Session lost;
  lost.log_in().say("DELE 1\r\nDELE 2\r\n");
  CHECK_FALSE(lost.committed);
  lost.core.end(code::system_temporary, "idle too long");
  const auto event = lost.core.next();
  REQUIRE(event);
  CHECK(event->kind == Event::Kind::close);

  Session early;
  early.ask("QUIT");
  CHECK(early.closed);
  CHECK_FALSE(early.committed);
}

TEST_CASE("pop3: RSET takes the marks away") {
  Session session;
  session.log_in().say("DELE 1\r\nDELE 3\r\nRSET\r\n");
  CHECK(session.ask("STAT") == "+OK 3 55\r\n");
  session.ask("QUIT");
  CHECK(session.deleted.empty());
}

TEST_CASE("pop3: a message that is marked or not there can't be used") {
  Session session;
  session.log_in().ask("DELE 1");
  for (const auto* line :
       {"LIST 1", "UIDL 1", "RETR 1", "TOP 1 0", "DELE 1", "LIST 4", "RETR 4294967295", "DELE 0"})
    CHECK(is_error(session.ask(line)));
}

TEST_CASE("pop3: commands of the other state are refused") {
  Session session;
  for (const auto* line :
       {"STAT", "LIST", "UIDL", "RETR 1", "TOP 1 1", "DELE 1", "RSET", "NOOP", "PASS x"})
    CHECK(is_error(session.ask(line)));
  session.log_in();
  for (const auto* line : {"USER ann", "PASS secret", "AUTH PLAIN eA==", "STLS"})
    CHECK(is_error(session.ask(line)));
}

TEST_CASE("pop3: CAPA shows what can be used now") {
  Session session;
  const std::string before = session.ask("CAPA");
  for (const auto* tag :
       {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "EXPIRE NEVER",
        "USER", "SASL PLAIN EXTERNAL", "STLS", "IMPLEMENTATION Posthorn"})
    CHECK(before.find("\r\n"s + tag + "\r\n") != std::string::npos);
  session.ask("STLS");
  CHECK(session.ask("CAPA").find("STLS") == std::string::npos);
  session.log_in();
  const std::string after = session.ask("CAPA");
  CHECK(after.find("SASL") == std::string::npos);
  CHECK(after.find("PIPELINING") != std::string::npos);
}

TEST_CASE("pop3: what came with STLS is thrown away, and so is the USER before it") {
  Session session;
  session.ask("USER ann");
  CHECK(session.ask("STLS\r\nPASS secret\r\nQUIT") == "+OK begin TLS\r\n");
  CHECK_FALSE(session.closed);
  CHECK(is_error(session.ask("PASS secret")));
  CHECK(is_error(session.ask("STLS")));
}

TEST_CASE("pop3: no STLS behind UTF8") {
  Session session;
  CHECK_FALSE(is_error(session.ask("UTF8")));
  CHECK(is_error(session.ask("STLS")));
}

TEST_CASE("pop3: passwords in clear are refused where they are not allowed") {
  Settings settings = Session::settings();
  settings.plaintext = false;
  settings.mechanisms = {"SCRAM-SHA-256"};
  Session session(settings);
  CHECK(is_error(session.ask("USER ann")));
  CHECK(is_error(session.ask("PASS secret")));
  CHECK(is_error(session.ask("AUTH PLAIN eA==")));
  CHECK(session.events.empty());
  CHECK(session.ask("CAPA").find("\r\nUSER\r\n") == std::string::npos);
}

TEST_CASE("pop3: AUTH with and without initial response, cancelled, broken") {
  CHECK(Session().ask("AUTH PLAIN eA==") == "+OK logged in, 3 messages\r\n");
  Session session;
  CHECK(session.ask("auth external") == "+ c2F5IHg=\r\n");
  CHECK(is_error(session.ask("*")));
  CHECK(session.events.back() == Event::Kind::sasl_cancel);
  CHECK(session.ask("AUTH EXTERNAL") == "+ c2F5IHg=\r\n");
  CHECK(is_error(session.ask("x!")));
  CHECK(session.ask("AUTH EXTERNAL") == "+ c2F5IHg=\r\n");
  CHECK(session.ask("eQ==") == "-ERR [AUTH] no\r\n");
  CHECK(session.ask("AUTH EXTERNAL") == "+ c2F5IHg=\r\n");
  CHECK(session.ask("eA==") == "+OK logged in, 3 messages\r\n");
  CHECK(Session().ask("AUTH") == "+OK mechanisms follow\r\nPLAIN\r\nEXTERNAL\r\n.\r\n");
}

TEST_CASE("pop3: guessing, errors and lines have limits") {
  Session guesser;
  for (int i = 0; i < 5; ++i) guesser.say("USER ann\r\nPASS wrong\r\n");
  CHECK(guesser.closed);
  CHECK(guesser.core.failed_logins() == 5);

  Session fool;
  for (int i = 0; i < 20; ++i) fool.say("NONSENSE\r\n");
  CHECK(fool.closed);

  Session idler;
  for (int i = 0; i < 101; ++i) idler.say("CAPA\r\n");
  CHECK(idler.closed);

  Session flooder;
  flooder.say("USER " + std::string(2049, 'a'));
  CHECK(flooder.closed);
  CHECK(flooder.output.find("-ERR the line is too long") != std::string::npos);

  Session sasl;
  sasl.say("AUTH EXTERNAL\r\n" + std::string(16380, 'A') + "\r\n");
  CHECK_FALSE(sasl.closed);
  sasl.say("AUTH EXTERNAL\r\n" + std::string(16385, 'A') + "\r\n");
  CHECK(sasl.closed);
}

TEST_CASE("pop3: with delete_after_retr what was retrieved goes at QUIT") {
  Settings settings = Session::settings();
  settings.delete_after_retr = true;
  Session session(settings);
  session.log_in().say("RETR 1\r\nTOP 2 0\r\nDELE 3\r\n");
  CHECK(session.ask("CAPA").find("EXPIRE 0\r\n") != std::string::npos);
  session.ask("QUIT");
  CHECK(session.deleted == std::vector<std::size_t>{0, 2});
  CHECK(session.retrieved.empty());
}

TEST_CASE("pop3: refuse_utf8 keeps 8-bit headers from who has not said UTF8") {
  Settings settings = Session::settings();
  settings.refuse_utf8 = true;
  Session session(settings);
  session.drop.texts[0] = "\xc3\xbc: 1\r\n\r\n";
  session.log_in();
  CHECK(session.ask("RETR 1") == "-ERR [UTF8] the header has 8-bit characters: say UTF8 first\r\n");
  session.ask("UTF8");
  CHECK(session.ask("RETR 1") == "+OK 9 octets\r\n\xc3\xbc: 1\r\n\r\n.\r\n");
}

TEST_CASE("pop3: a front hands over, and what was pipelined behind is the worker's") {
  ServerCore core(Session::settings());
  core.feed("USER ann\r\nPASS secret\r\nSTAT\r\nRE");
  const auto event = core.next();
  REQUIRE(event);
  CHECK(event->kind == Event::Kind::login);
  CHECK_FALSE(core.next());
  core.handed_over(Reply(true, "", "3 messages"));
  CHECK(core.take_output() == "+OK POP3 server ready\r\n+OK send PASS\r\n+OK 3 messages\r\n");
  CHECK(core.take_rest() == "STAT\r\nRE");
  CHECK_FALSE(core.next());
}

TEST_CASE("pop3: an end in the middle of a message says nothing more") {
  Session session;
  session.log_in();
  session.core.feed("RETR 1\r\n");
  REQUIRE(session.core.next());
  REQUIRE(session.core.message_begins("A: 1\r\n"));
  (void)session.core.take_output();
  session.core.end(code::system_temporary, "disk trouble");
  CHECK(session.core.take_output().empty());
  CHECK(session.core.next()->kind == Event::Kind::close);
}
