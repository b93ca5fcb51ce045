#include "libmail/smtp/command.h"

#include <catch2/catch.hpp>

namespace posthorn::smtp {

namespace {

template <class C>
C parsed(std::string_view line, Utf8 utf8 = Utf8::refused) {
  auto command = parse_command(line, utf8);
  CAPTURE(line);
  if (!command) FAIL(command.error().text);
  REQUIRE(std::holds_alternative<C>(*command));
  return std::get<C>(std::move(*command));
}

SyntaxFault fault(std::string_view line, Utf8 utf8 = Utf8::refused) {
  const auto command = parse_command(line, utf8);
  CAPTURE(line);
  REQUIRE_FALSE(command);
  CHECK_FALSE(command.error().text.empty());
  return command.error().fault;
}

}  // namespace

TEST_CASE("commands are known in any case, with blanks behind them") {
  CHECK(parsed<Ehlo>("ehlo client.example  ").name == "client.example");
  CHECK(parsed<Helo>("HELO [192.0.2.1]").name == "[192.0.2.1]");
  CHECK(parsed<Lhlo>("Lhlo localhost").name == "localhost");
  (void)parsed<Data>("data");
  (void)parsed<Rset>("RSET");
  (void)parsed<Quit>("quit ");
  (void)parsed<StartTls>("starttls");
  (void)parsed<Noop>("NOOP with words");
  (void)parsed<Help>("HELP MAIL");
  CHECK(parsed<Vrfy>("VRFY ann").argument == "ann");
  CHECK(parsed<Expn>("EXPN  all list ").argument == "all list");
}

TEST_CASE("MAIL knows the parameters of its extensions") {
  const Mail mail = parsed<Mail>(
      "MAIL FROM:<ann@example.org> SIZE=1234 body=8bitmime RET=HDRS ENVID=QQ+2B1 "
      "AUTH=bob+40example.org SMTPUTF8 REQUIRETLS");
  CHECK(mail.reverse_path == Mailbox("ann", "example.org"));
  CHECK(mail.size == 1234);
  CHECK(mail.body == Body::eight_bit_mime);
  CHECK(mail.ret == Ret::headers);
  CHECK(mail.envid == "QQ+1");
  REQUIRE(mail.auth);
  CHECK(*mail.auth == Mailbox("bob", "example.org"));
  CHECK(mail.smtputf8);
  CHECK(mail.requiretls);
  CHECK_FALSE(parsed<Mail>("MAIL FROM:<>").reverse_path);
  CHECK(parsed<Mail>("MAIL FROM: <ann@example.org>").reverse_path);
}

TEST_CASE("AUTH= of MAIL that names nobody means nobody") {
  CHECK_FALSE(parsed<Mail>("MAIL FROM:<> AUTH=<>").auth->has_value());
  CHECK_FALSE(parsed<Mail>("MAIL FROM:<> AUTH=nobody").auth->has_value());
  CHECK(fault("MAIL FROM:<> AUTH=") == SyntaxFault::bad_argument);
  // Exim CVE-2020-28022 read backwards from such a value.
  CHECK_FALSE(parsed<Mail>("MAIL FROM:<> AUTH=\"").auth->has_value());
}

TEST_CASE("MAIL refuses bad, repeated and unknown parameters") {
  const auto [line, why] = GENERATE(table<const char*, SyntaxFault>({
      {"MAIL", SyntaxFault::bad_argument},
      {"MAIL TO:<ann@example.org>", SyntaxFault::bad_argument},
      {"MAIL FROM:ann@example.org", SyntaxFault::bad_sender},
      {"MAIL FROM:<ann>", SyntaxFault::bad_sender},
      {"MAIL FROM:<ann@example.org>SIZE=1", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SIZE=", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SIZE=-1", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SIZE=99999999999999999999", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SIZE=1 SIZE=1", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> BODY=9BIT", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> BODY=BINARYMIME", SyntaxFault::unknown_parameter},
      {"MAIL FROM:<ann@example.org> RET=SOME", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> ENVID=a+0D+0Ab", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> ENVID=+00", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SMTPUTF8 SMTPUTF8", SyntaxFault::bad_argument},
      {"MAIL FROM:<ann@example.org> SMTPUTF8=1", SyntaxFault::unknown_parameter},
      {"MAIL FROM:<ann@example.org> HOLDFOR=5", SyntaxFault::unknown_parameter},
      {"MAIL FROM:<ann@example.org> =", SyntaxFault::bad_argument},
      {"MAIL FROM:<m\xC3\xBCller@example.org>", SyntaxFault::needs_smtputf8},
      {"MAIL FROM:<;cmd;>", SyntaxFault::bad_sender},
  }));
  CHECK(fault(line) == why);
}

TEST_CASE("RCPT knows NOTIFY and ORCPT") {
  const Rcpt rcpt =
      parsed<Rcpt>("RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bx@example.net");
  CHECK(rcpt.recipient.mailbox == Mailbox("bob", "example.org"));
  CHECK(rcpt.recipient.notify.bits == Notify::success);
  CHECK(rcpt.recipient.orcpt == OriginalRecipient("rfc822", "b+x@example.net"));
  CHECK(parsed<Rcpt>("RCPT TO:<Postmaster>").recipient.mailbox.domain.empty());
  CHECK(parsed<Rcpt>("RCPT TO:<m\xC3\xBCller@example.org>", Utf8::allowed).recipient.mailbox ==
        Mailbox("m\xC3\xBCller", "example.org"));
}

TEST_CASE("RCPT refuses what it must") {
  const auto [line, why] = GENERATE(table<const char*, SyntaxFault>({
      {"RCPT TO:<>", SyntaxFault::bad_recipient},
      {"RCPT TO:ann@example.org", SyntaxFault::bad_recipient},
      {"RCPT TO:<ann@example.org> NOTIFY=NEVER,DELAY", SyntaxFault::bad_argument},
      {"RCPT TO:<ann@example.org> NOTIFY=NEVER NOTIFY=NEVER", SyntaxFault::bad_argument},
      {"RCPT TO:<ann@example.org> ORCPT=rfc822;x+0D+0Ay", SyntaxFault::bad_argument},
      {"RCPT TO:<ann@example.org> ORCPT=ann", SyntaxFault::bad_argument},
      {"RCPT TO:<ann@example.org> SIZE=1", SyntaxFault::unknown_parameter},
      {"RCPT TO:<ann@example.org>x", SyntaxFault::bad_argument},
      {"RCPT TO:<m\xC3\xBCller@example.org>", SyntaxFault::needs_smtputf8},
  }));
  CHECK(fault(line) == why);
}

TEST_CASE("BDAT has a size and perhaps LAST") {
  CHECK(parsed<Bdat>("BDAT 100").size == 100);
  CHECK_FALSE(parsed<Bdat>("BDAT 100").last);
  CHECK(parsed<Bdat>("bdat 0 last").last);
  const auto line = GENERATE("BDAT", "BDAT x", "BDAT -1", "BDAT 1 LAST LAST", "BDAT 1 FIRST",
                             "BDAT 99999999999999999999", "BDAT 1LAST");
  CHECK(fault(line) == SyntaxFault::bad_chunk);
}

TEST_CASE("AUTH has a mechanism and perhaps an initial response") {
  CHECK(parsed<Auth>("AUTH plain AGFubgBzZWNyZXQ=").initial == std::string("\0ann\0secret", 11));
  CHECK(parsed<Auth>("AUTH PLAIN =").initial == "");
  CHECK_FALSE(parsed<Auth>("AUTH scram-sha-256").initial);
  CHECK(parsed<Auth>("AUTH scram-sha-256").mechanism == "SCRAM-SHA-256");
  CHECK(fault("AUTH") == SyntaxFault::bad_argument);
  CHECK(fault("AUTH PLA/IN") == SyntaxFault::bad_argument);
  CHECK(fault("AUTH PLAIN a b") == SyntaxFault::bad_argument);
  CHECK(fault("AUTH PLAIN A") == SyntaxFault::bad_base64);
  CHECK(fault("AUTH PLAIN A===") == SyntaxFault::bad_base64);
  CHECK(fault("AUTH AAAAAAAAAAAAAAAAAAAAAAAAAA") == SyntaxFault::bad_argument);
}

TEST_CASE("HELO takes one word that can't break out of a Received field") {
  const auto line = GENERATE("EHLO", "EHLO ", "EHLO a b", "HELO a(b", "HELO a;b", "HELO <a>",
                             "EHLO m\xC3\xBCller.example", "LHLO a\\b");
  CHECK(fault(line) == SyntaxFault::bad_argument);
  CHECK(fault("EHLO " + std::string(256, 'a')) == SyntaxFault::bad_argument);
  CHECK(parsed<Helo>("HELO my_pc").name == "my_pc");
}

TEST_CASE("VRFY and EXPN take UTF-8 when they say so") {
  CHECK(parsed<Vrfy>("VRFY m\xC3\xBCller SMTPUTF8").argument == "m\xC3\xBCller");
  CHECK(fault("VRFY m\xC3\xBCller") == SyntaxFault::needs_smtputf8);
  CHECK(fault("EXPN m\xC3 SMTPUTF8") == SyntaxFault::bad_argument);
  CHECK(fault("VRFY") == SyntaxFault::bad_argument);
}

TEST_CASE("XFORWARD attributes are decoded") {
  const Xforward xforward = parsed<Xforward>("XFORWARD NAME=a+2Bb addr=192.0.2.1");
  REQUIRE(xforward.attributes.size() == 2);
  CHECK(xforward.attributes[0] == std::make_pair(std::string("NAME"), std::string("a+b")));
  CHECK(xforward.attributes[1].first == "ADDR");
  const auto line = GENERATE("XFORWARD", "XFORWARD NAME", "XFORWARD =x",
                             "XFORWARD NAME=", "XFORWARD NAME=a+0D+0Ab", "XFORWARD NAME=a=b");
  CHECK(fault(line) == SyntaxFault::bad_argument);
}

TEST_CASE("what is no command is named so, and HTTP is sent away") {
  CHECK(fault("") == SyntaxFault::unknown_command);
  CHECK(fault("MAILFROM:<a@b>") == SyntaxFault::unknown_command);
  CHECK(fault("STARTTLSX") == SyntaxFault::unknown_command);
  CHECK(fault(std::string_view("NOOP \0", 6)) == SyntaxFault::unknown_command);
  CHECK(fault("NOOP \x1B[2J") == SyntaxFault::unknown_command);
  CHECK(fault("GET / HTTP/1.1") == SyntaxFault::not_smtp);
  CHECK(fault("POST /x HTTP/1.0") == SyntaxFault::not_smtp);
  CHECK(fault("DATA now") == SyntaxFault::bad_argument);
  CHECK(fault("QUIT now") == SyntaxFault::bad_argument);
  CHECK(fault("STARTTLS x") == SyntaxFault::bad_argument);
}

TEST_CASE("the verb of any line can be logged") {
  CHECK(command_verb("mail FROM:<>") == "mail");
  CHECK(command_verb(std::string(100, 'x')) == std::string(16, 'x'));
  CHECK(command_verb("\x1B[2J x") == "\\x1b[2J");
}

}  // namespace posthorn::smtp
