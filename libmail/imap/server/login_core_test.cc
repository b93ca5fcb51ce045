#include "libmail/imap/server/login_core.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::imap;
using Kind = LoginEvent::Kind;

namespace {

LoginSettings settings() {
  LoginSettings settings;
  settings.plaintext = true;
  settings.can_start_tls = true;
  settings.mechanisms = {"PLAIN"};
  return settings;
}

LoginCore greeted(LoginSettings with = settings()) {
  LoginCore core(std::move(with));
  (void)core.take_output();
  return core;
}

// What the server says to `octets`, none of which is a log-in.
std::string said_to(LoginCore& core, std::string_view octets) {
  core.feed(octets);
  while (const auto event = core.next()) {
    if (event->kind == Kind::close) break;
  }
  return core.take_output();
}

}  // namespace

TEST_CASE("login core: the greeting tells what may be done") {
  LoginCore core(settings());
  const std::string greeting = core.take_output();
  CHECK(greeting.starts_with("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 "));
  CHECK(greeting.find(" STARTTLS AUTH=PLAIN] ") != std::string::npos);
  LoginSettings closed = settings();
  closed.plaintext = false;
  LoginCore other(closed);
  CHECK(other.take_output().find(" LOGINDISABLED ") != std::string::npos);
}

TEST_CASE("login core: a LOGIN with literals, cut anywhere, is one event") {
  const std::string dialogue = "a LOGIN {3}\r\nann {6+}\r\nsecret\r\nb NOOP\r\n";
  for (std::size_t cut = 0; cut <= dialogue.size(); ++cut) {
    CAPTURE(cut);
    LoginCore core = greeted();
    core.feed(std::string_view(dialogue).substr(0, cut));
    auto event = core.next();
    if (!event) {
      core.feed(std::string_view(dialogue).substr(cut));
      event = core.next();
    } else {
      core.feed(std::string_view(dialogue).substr(cut));
    }
    REQUIRE(event);
    CHECK(event->kind == Kind::login);
    CHECK(event->user == "ann");
    CHECK(event->password == "secret");
    core.logged_in("IMAP4rev1");
    CHECK(core.take_output() == "+ go ahead\r\na OK [CAPABILITY IMAP4rev1] logged in\r\n");
    CHECK(core.take_rest() == "b NOOP\r\n");
  }
}

TEST_CASE("login core: what stands behind STARTTLS is forgotten") {
  LoginCore core = greeted();
  core.feed("a STARTTLS\r\nb LOGIN ann secret\r\n");
  const auto event = core.next();
  REQUIRE(event);
  CHECK(event->kind == Kind::start_tls);
  core.feed("c LOGIN ann secret\r\n");
  CHECK_FALSE(core.next());
  core.tls_started(settings());
  CHECK_FALSE(core.next());
  CHECK(core.take_output() == "a OK begin TLS now\r\n");
}

TEST_CASE("login core: AUTHENTICATE goes through challenge, response and cancel") {
  LoginCore core = greeted();
  core.feed("a AUTHENTICATE PLAIN\r\n");
  auto event = core.next();
  REQUIRE(event);
  CHECK(event->kind == Kind::sasl_start);
  CHECK_FALSE(event->initial);
  core.challenge("who?");
  CHECK(core.take_output() == "+ d2hvPw==\r\n");
  core.feed("AGFubgB4\r\n");
  event = core.next();
  REQUIRE(event);
  CHECK(event->data == std::string("\0ann\0x", 6));
  core.challenge("again");
  (void)core.take_output();
  core.feed("*\r\n");
  event = core.next();
  REQUIRE(event);
  CHECK(event->kind == Kind::sasl_cancel);
  CHECK(core.take_output().starts_with("a BAD"));
}

TEST_CASE("login core: errors, guesses and commands are counted") {
  LoginCore core = greeted();
  const std::string said = said_to(core, "a X\r\nb X\r\nc X\r\nd X\r\ne X\r\nf NOOP\r\n");
  CHECK(said.find("e BAD") != std::string::npos);
  CHECK(said.ends_with("* BYE too many errors\r\n"));

  LoginCore guessing = greeted();
  for (int i = 0; i < 5; ++i) {
    guessing.feed("a LOGIN ann wrong\r\n");
    const auto event = guessing.next();
    REQUIRE(event);
    REQUIRE(event->kind == Kind::login);
    guessing.refused(no("AUTHENTICATIONFAILED", "log-in failed"));
  }
  const auto event = guessing.next();
  REQUIRE(event);
  CHECK(event->kind == Kind::close);
}

TEST_CASE("login core: a literal over the limit is refused before it comes") {
  LoginCore core = greeted();
  const std::string said = said_to(core, "a LOGIN {999999}\r\n");
  CHECK(said.starts_with("a BAD"));
  CHECK(said.find("+ ") == std::string::npos);
}

TEST_CASE("login core: nothing but log-in is taken") {
  LoginCore core = greeted();
  CHECK(said_to(core, "a SELECT INBOX\r\n") == "a BAD log in first\r\n");
  CHECK(said_to(core, "b NOOP\r\n") == "b OK NOOP done\r\n");
}
