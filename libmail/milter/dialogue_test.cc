#include "libmail/milter/dialogue.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::milter;
using Kind = Verdict::Kind;
using std::string_literals::operator""s;

namespace {

std::string packet(char letter, std::string_view data = {}) {
  std::string octets;
  append_packet(octets, letter, data);
  return octets;
}

std::string agreement(std::uint32_t version, std::uint32_t actions, std::uint32_t steps,
                      std::string_view macros = {}) {
  std::string data;
  for (const std::uint32_t number : {version, actions, steps}) append_number(data, number);
  return packet('O', data.append(macros));
}

// The letters of what it has to say; it is said then.
std::string said(Dialogue& dialogue) {
  PacketReader reader(1 << 20);
  reader.feed(dialogue.output());
  dialogue.output().clear();
  std::string letters;
  while (auto each = reader.next()) letters += each->letter;
  return letters;
}

Packet last_said(Dialogue& dialogue) {
  PacketReader reader(1 << 20);
  reader.feed(dialogue.output());
  dialogue.output().clear();
  Packet last;
  while (auto each = reader.next()) last = *each;
  return last;
}

Dialogue agreed(std::uint32_t steps = 0, std::uint32_t version = 6, std::string_view macros = {}) {
  Dialogue dialogue(6, Limits());
  dialogue.negotiate();
  dialogue.feed(agreement(version, 0, steps, macros));
  REQUIRE(dialogue.problem().empty());
  REQUIRE_FALSE(dialogue.waiting());
  dialogue.output().clear();
  return dialogue;
}

void answer(Dialogue& dialogue, char letter, std::string_view data = {}) {
  REQUIRE(dialogue.waiting());
  dialogue.feed(packet(letter, data));
  REQUIRE(dialogue.problem().empty());
}

ClientAddress client() {
  ClientAddress address;
  address.family = '4';
  address.port = 0x1234;
  address.address = "192.0.2.1";
  return address;
}

const Macros macros{{"i", "4XQ"}, {"{mail_addr}", "ann@a.test"}, {"{empty}", ""}};
const std::vector<std::string> sender{"<ann@a.test>", "SIZE=10"};

// To the end of the message, which is asked about.
Dialogue at_the_end() {
  Dialogue dialogue = agreed(step::no_fields | step::no_body | step::no_data |
                             step::no_end_of_header | step::no_rcpt);
  dialogue.mail(sender, macros);
  answer(dialogue, 'c');
  dialogue.end_of_message(macros);
  REQUIRE(dialogue.waiting());
  return dialogue;
}

}  // namespace

TEST_CASE("milter: the negotiation offers what the version knows") {
  Dialogue dialogue(6, Limits());
  dialogue.negotiate();
  CHECK(dialogue.output() == "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"s);
  Dialogue old(2, Limits());
  old.negotiate();
  CHECK(old.output() == "\0\0\0\x0dO\0\0\0\2\0\0\0\x3f\0\0\0\x7f"s);
}

TEST_CASE("milter: an agreement about what was not offered ends it") {
  const auto problem = [](const std::string& octets) {
    Dialogue dialogue(4, Limits());
    dialogue.negotiate();
    dialogue.feed(octets);
    return dialogue.problem();
  };
  CHECK(problem(agreement(4, 0x3f, step::no_data)).empty());
  CHECK(problem(agreement(2, 0, 0)).empty());
  CHECK_FALSE(problem(agreement(6, 0, 0)).empty());
  CHECK_FALSE(problem(agreement(1, 0, 0)).empty());
  CHECK_FALSE(problem(agreement(4, action::change_sender, 0)).empty());
  CHECK_FALSE(problem(agreement(4, 0, step::skip)).empty());
  CHECK_FALSE(problem(packet('c')).empty());
}

TEST_CASE("milter: each step is said as libmilter reads it") {
  Dialogue dialogue = agreed();
  dialogue.connect("a.test", client(), {});
  CHECK(last_said(dialogue) == Packet('C', "a.test\0004\x12\x34"s + "192.0.2.1\0"s));
  answer(dialogue, 'c');
  dialogue.hello("b.test", {});
  CHECK(last_said(dialogue) == Packet('H', "b.test\0"s));
  answer(dialogue, 'c');
  dialogue.mail(sender, macros);
  CHECK(last_said(dialogue) == Packet('M', "<ann@a.test>\0SIZE=10\0"s));
  answer(dialogue, 'c');
  dialogue.rcpt({"<bob@b.test>"}, {});
  CHECK(last_said(dialogue) == Packet('R', "<bob@b.test>\0"s));
  answer(dialogue, 'c');
  dialogue.data({});
  CHECK(last_said(dialogue) == Packet('T', ""));
  answer(dialogue, 'c');
  dialogue.field("Subject", " one\r\n two");
  CHECK(last_said(dialogue) == Packet('L', "Subject\0one\n two\0"s));
  answer(dialogue, 'c');
  dialogue.end_of_header({});
  CHECK(last_said(dialogue) == Packet('N', ""));
  answer(dialogue, 'c');
  dialogue.body("x\r\n");
  CHECK(last_said(dialogue) == Packet('B', "x\r\n"));
  answer(dialogue, 'c');
  dialogue.end_of_message({});
  CHECK(last_said(dialogue) == Packet('E', ""));
  answer(dialogue, 'c');
  CHECK_FALSE(dialogue.in_message());
  dialogue.quit();
  CHECK(last_said(dialogue) == Packet('Q', ""));
}

TEST_CASE("milter: macros go before their step, those without a value don't") {
  Dialogue dialogue = agreed();
  dialogue.mail(sender, macros);
  CHECK(dialogue.output().starts_with(packet('D', "Mi\0004XQ\0{mail_addr}\0ann@a.test\0"s)));
}

TEST_CASE("milter: a filter gets the macros that it has chosen, in braces or not") {
  Dialogue dialogue = agreed(0, 6, "\0\0\0\2mail_addr, {j}\0"s);
  dialogue.mail(sender, macros);
  CHECK(dialogue.output().starts_with(packet('D', "M{mail_addr}\0ann@a.test\0"s)));
  answer(dialogue, 'c');
  dialogue.output().clear();
  dialogue.rcpt({"<bob@b.test>"}, macros);  // nothing was chosen for this stage
  CHECK(dialogue.output().starts_with(packet('D', "Ri\0004XQ\0{mail_addr}\0ann@a.test\0"s)));
}

TEST_CASE("milter: the blank behind the colon stays where the filter asked for it") {
  Dialogue dialogue = agreed(step::leading_space);
  dialogue.mail(sender, {});
  answer(dialogue, 'c');
  dialogue.field("A", " x");
  CHECK(last_said(dialogue) == Packet('L', "A\0 x\0"s));
}

TEST_CASE(
    "milter: steps that a filter does without are not said, and those it is silent about not "
    "waited for") {
  Dialogue dialogue =
      agreed(step::no_connect | step::no_hello | step::silent_mail | step::no_rcpt | step::no_data |
             step::silent_fields | step::no_end_of_header | step::no_body);
  dialogue.connect("a", client(), macros);
  dialogue.hello("a", macros);
  CHECK(said(dialogue).empty());
  dialogue.mail(sender, {});
  dialogue.rcpt({"<b@b.test>"}, macros);
  dialogue.data(macros);
  dialogue.field("A", "b");
  dialogue.end_of_header(macros);
  CHECK_FALSE(dialogue.wants_body());
  CHECK_FALSE(dialogue.waiting());
  CHECK(said(dialogue) == "ML");
}

TEST_CASE("milter: DATA is for filters that know of it") {
  Dialogue dialogue = agreed(0, 3);
  dialogue.mail(sender, {});
  answer(dialogue, 'c');
  dialogue.output().clear();
  dialogue.data(macros);
  CHECK_FALSE(dialogue.waiting());
  CHECK(said(dialogue).empty());
}

TEST_CASE("milter: accept at connect is for the connection, later for the message") {
  Dialogue always = agreed();
  always.connect("a", client(), {});
  answer(always, 'a');
  CHECK(always.has_accepted_session());
  Dialogue once = agreed();
  once.mail(sender, {});
  answer(once, 'a');
  CHECK(once.is_settled());
  CHECK_FALSE(once.has_accepted_session());
  once.abort();
  CHECK(said(once) == "MA");
  once.mail(sender, {});
  CHECK(once.waiting());
}

TEST_CASE("milter: a refused recipient is one, everything else refused is the message") {
  Dialogue dialogue = agreed();
  dialogue.mail(sender, {});
  answer(dialogue, 'c');
  dialogue.rcpt({"<b@b.test>"}, {});
  answer(dialogue, 'y', "550 5.1.1 not he");
  CHECK(dialogue.verdict().reply.text == "not he");
  CHECK_FALSE(dialogue.is_settled());
  dialogue.rcpt({"<c@b.test>"}, {});
  answer(dialogue, 'c');
  dialogue.data({});
  answer(dialogue, 't');
  CHECK(dialogue.verdict().kind == Kind::tempfail);
  CHECK(dialogue.is_settled());
  CHECK(dialogue.in_message());
}

TEST_CASE("milter: skip ends the fields, or the body, of one message") {
  Dialogue dialogue = agreed(step::skip);
  dialogue.mail(sender, {});
  answer(dialogue, 'c');
  dialogue.field("A", "b");
  answer(dialogue, 's');
  dialogue.field("C", "d");
  CHECK_FALSE(dialogue.waiting());
  dialogue.body("x");
  answer(dialogue, 's');
  CHECK_FALSE(dialogue.wants_body());
  dialogue.abort();
  dialogue.mail(sender, {});
  answer(dialogue, 'c');
  CHECK(dialogue.wants_body());
}

TEST_CASE("milter: changes and progress come before the last word, in any cut") {
  const std::string octets = packet('p') + packet('h', "A\0b\0"s) + packet('b', "one\r\n") +
                             packet('b', "two\r\n") + packet('q', "odd\0"s) + packet('a');
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    CAPTURE(cut);
    Dialogue dialogue = at_the_end();
    dialogue.feed(std::string_view(octets).substr(0, cut));
    CHECK(dialogue.waiting() == (cut < octets.size()));
    dialogue.feed(std::string_view(octets).substr(cut));
    CHECK(dialogue.problem().empty());
    CHECK(dialogue.verdict().kind == Kind::accept);
    CHECK(dialogue.take_progress());
    CHECK_FALSE(dialogue.take_progress());
    CHECK(dialogue.replaces_body());
    CHECK(dialogue.take_body() == "one\r\ntwo\r\n");
    const std::vector<Change> changes = dialogue.take_changes();
    REQUIRE(changes.size() == 2);
    CHECK(std::get<AddField>(changes[0]) == AddField{"A", "b"});
    CHECK(std::get<Quarantine>(changes[1]) == Quarantine{"odd"});
  }
}

TEST_CASE("milter: a new body may be an empty one") {
  Dialogue dialogue = at_the_end();
  dialogue.feed(packet('b') + packet('c'));
  CHECK(dialogue.replaces_body());
  CHECK(dialogue.take_body().empty());
}

TEST_CASE("milter: changes, progress and discards out of place end it") {
  for (const std::string& octets : {packet('p'), packet('h', "A\0b\0"s), packet('b', "x")}) {
    Dialogue dialogue = agreed();
    dialogue.mail(sender, {});
    dialogue.feed(octets);
    CHECK_FALSE(dialogue.problem().empty());
    CHECK_FALSE(dialogue.waiting());
  }
  Dialogue dialogue = agreed();
  dialogue.hello("a", {});
  dialogue.feed(packet('d'));
  CHECK_FALSE(dialogue.problem().empty());
}

TEST_CASE("milter: an answer to nothing, or two to one question, end it") {
  Dialogue dialogue = agreed();
  dialogue.feed(packet('c'));
  CHECK_FALSE(dialogue.problem().empty());
  Dialogue twice = agreed();
  twice.mail(sender, {});
  twice.feed(packet('c') + packet('c'));
  CHECK_FALSE(twice.problem().empty());
}

TEST_CASE("milter: a packet without a letter, or of a length that nobody needs, ends it") {
  for (const std::string& octets : {"\0\0\0\0"s, "\xff\xff\xff\xff"s, "\0\x10\0\1"s, "HTTP"s}) {
    Dialogue dialogue = agreed();
    dialogue.mail(sender, {});
    dialogue.feed(octets);
    CHECK_FALSE(dialogue.problem().empty());
  }
}

TEST_CASE("milter: what a filter wants changed has a limit, and so has a new body") {
  Limits limits;
  limits.changes = 2;
  limits.body = 4;
  const auto problem = [&limits](const std::string& octets) {
    Dialogue dialogue(6, limits);
    dialogue.negotiate();
    dialogue.feed(agreement(6, 0, step::no_mail));
    dialogue.mail(sender, {});
    dialogue.end_of_message({});
    dialogue.feed(octets);
    return dialogue.problem();
  };
  const std::string field = packet('h', "A\0b\0"s);
  CHECK(problem(field + field).empty());
  CHECK_FALSE(problem(field + field + field).empty());
  CHECK(problem(packet('b', "1234")).empty());
  CHECK_FALSE(problem(packet('b', "123") + packet('b', "45")).empty());
}

TEST_CASE("milter: abort is said of a message only, once") {
  Dialogue dialogue = agreed();
  dialogue.abort();
  CHECK(said(dialogue).empty());
  dialogue.mail(sender, {});
  answer(dialogue, 'r');
  dialogue.output().clear();
  dialogue.abort();
  dialogue.abort();
  CHECK(said(dialogue) == "A");
  CHECK_FALSE(dialogue.waiting());
}
