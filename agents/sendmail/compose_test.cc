#include "agents/sendmail/compose.h"

#include <catch2/catch.hpp>

#include "agents/sendmail/input.h"
#include "libmail/service/exit_code.h"
#include "libmail/smtp/address.h"

using namespace posthorn;
using namespace posthorn::sendmail;
using Texts = std::vector<std::string>;

namespace {

Caller ann() {
  Caller caller;
  caller.login = "ann";
  caller.full_name = "Ann Example";
  caller.domain = "us.example";
  caller.hostname = "mail.us.example";
  caller.random = 1;
  return caller;
}

Result<Letter, Failure> composed(const std::string& text, const Texts& words) {
  const auto arguments = parse_arguments("sendmail", words);
  REQUIRE(arguments);
  InputReader reader(arguments->dot_is_text);
  reader.feed(text);
  reader.finish();
  return compose(reader.take(), *arguments, ann());
}

Letter good(const std::string& text, const Texts& words) {
  auto letter = composed(text, words);
  INFO((letter ? std::string() : letter.error().text));
  REQUIRE(letter);
  return *letter;
}

Texts recipients(const Letter& letter) {
  Texts list;
  for (const smtp::Recipient& one : letter.envelope.recipients)
    list.push_back(smtp::format_mailbox(one.mailbox));
  return list;
}

bool has(const Letter& letter, const std::string& text) {
  return letter.message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("InputReader: line ends, NUL, the lone dot, in every cut") {
  const std::string text = std::string("a\nb\r\nc\rd\n..\n.x\n") + '\0' + "e\n.\nbehind\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    InputReader dots(false);
    dots.feed(text.substr(0, cut));
    dots.feed(text.substr(cut));
    dots.finish();
    CAPTURE(cut);
    CHECK(dots.message() == "a\r\nb\r\nc\r\nd\r\n..\r\n.x\r\ne\r\n");
    InputReader whole(true);
    whole.feed(text.substr(0, cut));
    whole.feed(text.substr(cut));
    whole.finish();
    CHECK(whole.message() == "a\r\nb\r\nc\r\nd\r\n..\r\n.x\r\ne\r\n.\r\nbehind\r\n");
  }
  InputReader open(false);
  open.feed("no end");
  open.finish();
  CHECK(open.message() == "no end\r\n");
}

TEST_CASE("compose: From, Date and Message-ID are added, the sender is the caller") {
  const Letter letter = good("Subject: x\n\nhello\n", {"bob", "eve@there.example"});
  CHECK(smtp::format_path(letter.envelope.reverse_path) == "<ann@us.example>");
  CHECK(recipients(letter) == Texts{"bob@us.example", "eve@there.example"});
  CHECK(letter.message.starts_with("From: Ann Example <ann@us.example>\r\nSubject: x\r\nDate: "));
  CHECK(has(letter, "\r\nMessage-ID: <"));
  CHECK(letter.message.ends_with("\r\n\r\nhello\r\n"));
  CHECK(letter.envelope.size == letter.message.size());
  CHECK(letter.envelope.body == smtp::Body::seven_bit);
}

TEST_CASE(
    "compose: what has no header is all body; a From_ line is dropped; an empty message is one") {
  CHECK(
      good("hello there\nworld\n", {"bob"}).message.ends_with("\r\n\r\nhello there\r\nworld\r\n"));
  CHECK(good("Subject: x\nnot a field\nTo: y\n", {"bob"})
            .message.ends_with("\r\n\r\nnot a field\r\nTo: y\r\n"));
  const Letter letter = good("From ann Mon Jan  1 00:00:00 2024\nSubject: x\n\nbody\n", {"bob"});
  CHECK_FALSE(has(letter, "Mon Jan"));
  CHECK(good("", {"bob"}).message.ends_with("\r\n\r\n"));
}

TEST_CASE("compose: -t takes To, Cc and Bcc, each address once, and Bcc goes") {
  const std::string text =
      "To: bob, Eve <eve@there.example>\nCc: team: dan@there.example, bob@us.example;\nBcc: "
      "secret@there.example\n"
      "Subject: x\n\nhello\n";
  const Letter letter = good(text, {"-t", "extra"});
  CHECK(recipients(letter) == Texts{"extra@us.example", "bob@us.example", "eve@there.example",
                                    "dan@there.example", "secret@there.example"});
  CHECK_FALSE(has(letter, "secret"));
  CHECK(has(letter, "\r\nTo: bob, Eve <eve@there.example>\r\n"));
  const Letter resent = good(
      "To: old@there.example\nResent-To: new@there.example\nResent-Bcc: hidden\n\nx\n", {"-t"});
  CHECK(recipients(resent) == Texts{"new@there.example", "hidden@us.example"});
}

TEST_CASE("compose: sender, full name, DSN and body type from the command line") {
  const Letter letter = good("Subject: x\n\n\xc3\xbc\n",
                             {"-f", "eve@there.example", "-F", "E. \"V\" E", "-N", "never", "-R",
                              "hdrs", "-V", "id1", "-O", "requiretls=yes", "bob"});
  CHECK(smtp::format_path(letter.envelope.reverse_path) == "<eve@there.example>");
  CHECK(has(letter, "From: \"E. \\\"V\\\" E\" <eve@there.example>\r\n"));
  CHECK(letter.envelope.ret == smtp::Ret::headers);
  CHECK(letter.envelope.envid == "id1");
  CHECK(letter.envelope.requiretls);
  CHECK(letter.envelope.recipients[0].notify == smtp::Notify(smtp::Notify::never));
  CHECK(letter.envelope.body == smtp::Body::eight_bit_mime);
  CHECK_FALSE(good("x: y\n\n", {"-f<>", "bob"}).envelope.reverse_path);
  CHECK(has(good("x: y\n\n", {"-f<>", "bob"}), "From: Ann Example <ann@us.example>\r\n"));
}

TEST_CASE("compose: an address beyond ASCII needs SMTPUTF8") {
  const Letter letter = good("x: y\n\n", {"j\xc3\xbcrgen@there.example"});
  CHECK(letter.envelope.smtputf8);
}

TEST_CASE("compose: what can't be sent says why") {
  struct Row {
    const char* text;
    Texts words;
    int code;
    const char* part;
  };
  for (const Row& row : {
           Row{"x: y\n\n", {}, service::exit_code::usage, "no recipients"},
           Row{"x: y\n\n", {"-t"}, service::exit_code::usage, "To, Cc and Bcc name nobody"},
           Row{"To: a@@b\n\n", {"-t"}, service::exit_code::data, "To field in line 1"},
           Row{"x: y\n\n", {"a b@c"}, service::exit_code::data, "recipient 'a b@c': "},
           Row{"x: y\n\n", {"-f", "a b", "bob"}, service::exit_code::data, "sender 'a b': "},
           Row{"x: y\n\n", {"-f", "a@b, c@d", "bob"}, service::exit_code::usage, "not one address"},
           Row{"From: a@b\nFrom: c@d\n\n", {"bob"}, service::exit_code::data, "From"},
       }) {
    CAPTURE(row.text, row.words);
    const auto letter = composed(row.text, row.words);
    REQUIRE_FALSE(letter);
    CHECK(letter.error().exit_code == row.code);
    CHECK(letter.error().text.find(row.part) != std::string::npos);
  }
}

TEST_CASE("format_from: names that need quotes or encoding") {
  CHECK(format_from("", "a@b") == "a@b");
  CHECK(format_from("Ann Example", "a@b") == "Ann Example <a@b>");
  CHECK(format_from("Example, Ann", "a@b") == "\"Example, Ann\" <a@b>");
  CHECK(format_from("J\xc3\xbcrgen", "a@b") == "=?utf-8?Q?J=C3=BCrgen?= <a@b>");
  CHECK(format_from("a\r\nBcc: x", "a@b") == "\"a  Bcc: x\" <a@b>");
}
