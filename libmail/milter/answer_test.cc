#include "libmail/milter/answer.h"

#include <catch2/catch.hpp>

#include "libmail/milter/protocol.h"

using namespace posthorn;
using namespace posthorn::milter;
using Kind = Verdict::Kind;
using std::string_literals::operator""s;

namespace {

Answer parsed(char letter, std::string data = {}) {
  auto answer = parse_answer(Packet(letter, std::move(data)));
  REQUIRE(answer.has_value());
  return std::move(*answer);
}

template <class T>
T changed(char letter, std::string data) {
  const Answer answer = parsed(letter, std::move(data));
  REQUIRE(std::holds_alternative<Change>(answer));
  REQUIRE(std::holds_alternative<T>(std::get<Change>(answer)));
  return std::get<T>(std::get<Change>(answer));
}

Verdict verdict(char letter, std::string data = {}) {
  const Answer answer = parsed(letter, std::move(data));
  REQUIRE(std::holds_alternative<Verdict>(answer));
  return std::get<Verdict>(answer);
}

}  // namespace

TEST_CASE("milter: every verdict has its letter") {
  CHECK(verdict('c').kind == Kind::carry_on);
  CHECK(verdict('a').kind == Kind::accept);
  CHECK(verdict('d').kind == Kind::discard);
  CHECK(verdict('s').kind == Kind::skip);
  CHECK(verdict('r').reply.code == 550);
  CHECK(verdict('t').reply.code == 451);
  CHECK(verdict('4').kind == Kind::shut_down);
  CHECK(verdict('4').reply.code == 421);
  CHECK(std::holds_alternative<Progress>(parsed('p')));
}

TEST_CASE("milter: a reply of the filter's own keeps code, status, and lines") {
  const Verdict refused = verdict('y', "550-5.7.9 No such\r\n550 5.7.9 luck 100%%\0"s);
  CHECK(refused.kind == Kind::reject);
  CHECK(refused.reply == smtp::Reply(550, {5, 7, 9}, "No such\nluck 100%"));
  CHECK(verdict('y', "451 wait").reply == smtp::Reply(451, {4, 7, 1}, "wait"));
  CHECK(verdict('y', "451 wait").kind == Kind::tempfail);
  CHECK(verdict('y', "421 4.7.0 bye").kind == Kind::shut_down);
}

TEST_CASE("milter: a reply can't bring lines or controls of its own to the client") {
  const Verdict refused = verdict('y', "550 5.7.1 a\r250 b\x01\n.\r\n"s);
  CHECK(refused.reply.text == "a?250 b?\n.");
  CHECK(smtp::format_reply(refused.reply) == "550-5.7.1 a?250 b?\r\n550 5.7.1 .\r\n");
  CHECK(verdict('y', "550 " + std::string(1 << 20, 'x')).reply.text.size() < 9000);
}

TEST_CASE("milter: what is no refusal is no reply") {
  for (const char* text : {"", "250 2.0.0 ok", "hello", "55", "5501 x", "\r\n550 x"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_answer(Packet('y', text)).has_value());
  }
}

TEST_CASE("milter: every change has its letter") {
  CHECK(changed<AddField>('h', "X-A\0one\0"s) == AddField{"X-A", "one"});
  CHECK(changed<InsertField>('i', "\0\0\0\2X-A\0one\0"s) == InsertField{2, "X-A", "one"});
  CHECK(changed<ChangeField>('m', "\0\0\0\1X-A\0\0"s) == ChangeField{1, "X-A", ""});
  CHECK(changed<ReplaceBody>('b', "a\0b"s) == ReplaceBody{"a\0b"s});
  CHECK(changed<AddRecipient>('+', "<a@b.c>\0"s) == AddRecipient{"<a@b.c>", ""});
  CHECK(changed<AddRecipient>('2', "<a@b.c>\0NOTIFY=NEVER\0"s) ==
        AddRecipient{"<a@b.c>", "NOTIFY=NEVER"});
  CHECK(changed<DeleteRecipient>('-', "<a@b.c>\0"s) == DeleteRecipient{"<a@b.c>"});
  CHECK(changed<ChangeSender>('e', "<>\0"s) == ChangeSender{"<>", ""});
  CHECK(changed<Quarantine>('q', "why\0"s) == Quarantine{"why"});
}

TEST_CASE("milter: a last text without its NUL is taken as it is") {
  CHECK(changed<AddField>('h', "X-A\0one"s) == AddField{"X-A", "one"});
  CHECK(changed<DeleteRecipient>('-', "<a@b.c>") == DeleteRecipient{"<a@b.c>"});
}

TEST_CASE("milter: changes that are cut short are none") {
  CHECK_FALSE(parse_answer(Packet('h', "X-A")).has_value());
  CHECK_FALSE(parse_answer(Packet('i', "\0\0\0"s)).has_value());
  CHECK_FALSE(parse_answer(Packet('m', "\0\0\0\1X-A"s)).has_value());
}

TEST_CASE("milter: an agreement names version, actions, steps and macros") {
  const Answer answer = parsed('O', "\0\0\0\6\0\0\0\x11\0\x10\0\0\0\0\0\2i {mail_addr}\0"s);
  REQUIRE(std::holds_alternative<Agreement>(answer));
  const Agreement& agreement = std::get<Agreement>(answer);
  CHECK(agreement.version == 6);
  CHECK(agreement.actions == 0x11);
  CHECK(agreement.steps == step::leading_space);
  CHECK(agreement.macros[2] == "i {mail_addr}");
  CHECK_FALSE(agreement.macros[3].has_value());
}

TEST_CASE("milter: an agreement that is cut short is none") {
  const std::string whole = "\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\2i\0"s;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    if (size == 12) continue;  // no macros at all
    CAPTURE(size);
    CHECK_FALSE(parse_answer(Packet('O', whole.substr(0, size))).has_value());
  }
}

TEST_CASE("milter: letters that are none are refused, and so is a filter that has given up") {
  for (const char letter : {'\0', 'X', 'f', 'C', '\xff'}) {
    CHECK_FALSE(parse_answer(Packet(letter, "")).has_value());
  }
}
