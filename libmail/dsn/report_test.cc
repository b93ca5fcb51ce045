#include "libmail/dsn/report.h"

#include <catch2/catch.hpp>

#include "libmail/base/text.h"
#include "libmail/dsn/explain.h"
#include "libmail/dsn/fields.h"
#include "libmail/dsn/parse.h"
#include "libmail/dsn/remote.h"
#include "libmail/message/header.h"

using namespace posthorn;
using namespace posthorn::dsn;

namespace {

constexpr std::string_view original =
    "Received: from a by b; x\r\nFrom: ann@a.test\r\nMessage-ID: <1@a.test>\r\nSubject: "
    "x\r\n\r\nbody\r\n";

WallTime noon() {
  return std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + std::chrono::hours(12);
}

RecipientReport about(std::string local, Action action, smtp::Status status) {
  RecipientReport report;
  report.recipient = smtp::Recipient(smtp::Mailbox(std::move(local), "b.test"));
  report.action = action;
  report.status = std::move(status);
  report.last_attempt = noon();
  return report;
}

ReportRequest request() {
  ReportRequest made;
  made.reporting_mta = "mx.a.test";
  made.to = smtp::Mailbox("ann", "a.test");
  made.date = noon();
  made.arrival = noon();
  made.random[0] = 1;
  made.random[1] = 2;
  made.trace_id = "4XQ7k2";
  made.recipients.push_back(
      about("bob", Action::failed,
            smtp::Status({5, 1, 1}, "host mx.b.test[192.0.2.1] said: 550 5.1.1 No such user")));
  return made;
}

// What a hostile text must never do to a report that can be read by programs.
void check_shape(const Report& report, const std::string& text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find("\r\n", begin);
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(begin, end - begin);
    CHECK(line.find_first_of(std::string("\r\n\0", 3)) == std::string::npos);
    CHECK(line.size() <= 998);
    begin = end + 2;
  }
  if (!report.eight_bit) CHECK(is_ascii(text));
}

}  // namespace

TEST_CASE("build_report: a failed report says everything in all three parts") {
  const Report report = build_report(request(), original);
  const std::string text = report.text(original);
  check_shape(report, text);
  const message::Header header = message::Header::parse(text);
  CHECK(header.value(*header.find("To")) == "<ann@a.test>");
  CHECK(header.value(*header.find("From")) == "Mail Delivery System <MAILER-DAEMON@mx.a.test>");
  CHECK(header.value(*header.find("Auto-Submitted")) == "auto-replied");
  CHECK(header.value(*header.find("In-Reply-To")) == "<1@a.test>");
  CHECK(header.value(*header.find("Message-ID")) == report.message_id);
  CHECK_FALSE(report.smtputf8);
  CHECK_FALSE(report.message_follows);

  const auto parsed = parse_report(text);
  REQUIRE(parsed);
  CHECK(parsed->reporting_mta == "mx.a.test");
  CHECK(parsed->arrival_date.find("22 Nov 2026") != std::string::npos);
  CHECK_FALSE(parsed->envid);
  REQUIRE(parsed->recipients.size() == 1);
  const ParsedRecipient& bob = parsed->recipients[0];
  CHECK(bob.action == Action::failed);
  CHECK(bob.final_recipient == smtp::OriginalRecipient("rfc822", "bob@b.test"));
  CHECK_FALSE(bob.original_recipient);
  CHECK(bob.status == smtp::EnhancedStatus{5, 1, 1});
  CHECK(bob.remote_mta == "mx.b.test");
  CHECK(bob.diagnostic_type == "smtp");
  CHECK(bob.diagnostic == "550 5.1.1 No such user");
  CHECK(bob.last_attempt_date.find("22 Nov 2026") != std::string::npos);
  CHECK(parsed->returned_type == "text/rfc822-headers");
  CHECK(parsed->returned == original.substr(0, original.find("\r\n\r\n") + 2));
  CHECK(parsed->text.find("There is no mailbox of that name.") != std::string::npos);
  CHECK(parsed->text.find("mx.b.test [192.0.2.1] said:") != std::string::npos);
  CHECK(parsed->text.find("4XQ7k2") != std::string::npos);
}

TEST_CASE("build_report: each action gives its subject, words and fields") {
  ReportRequest made = request();
  made.recipients.clear();
  made.envid = "QQ314159";
  const auto [action, name, subject] = GENERATE(table<Action, std::string, std::string>({
      {Action::failed, "failed", "Your message was not delivered"},
      {Action::delayed, "delayed", "Your message is delayed"},
      {Action::delivered, "delivered", "Your message was delivered"},
      {Action::relayed, "relayed", "Your message was passed on"},
      {Action::expanded, "expanded", "Your message was passed on to several recipients"},
  }));
  const smtp::EnhancedStatus code =
      action == Action::failed
          ? smtp::EnhancedStatus{5, 2, 2}
          : smtp::EnhancedStatus{static_cast<std::uint8_t>(action == Action::delayed ? 4 : 2), 0,
                                 0};
  RecipientReport bob = about("bob", action, smtp::Status(code, "our own words"));
  bob.recipient.orcpt = smtp::OriginalRecipient("rfc822", "friends@a.test");
  if (action == Action::delayed) bob.will_retry_until = noon() + std::chrono::days(5);
  made.recipients.push_back(bob);
  const std::string text = build_report(made, original).text(original);
  const message::Header header = message::Header::parse(text);
  CHECK(header.value(*header.find("Subject")) == subject);
  const auto parsed = parse_report(text);
  REQUIRE(parsed);
  CHECK(parsed->envid == "QQ314159");
  CHECK(action_name(parsed->recipients[0].action) == name);
  CHECK(parsed->recipients[0].original_recipient ==
        smtp::OriginalRecipient("rfc822", "friends@a.test"));
  const bool good = code.status_class == 2;
  CHECK(parsed->recipients[0].diagnostic == (good ? "" : "our own words"));
  CHECK(parsed->recipients[0].diagnostic_type == (good ? "" : "x-posthorn"));
  CHECK(parsed->recipients[0].remote_mta.empty());
  CHECK(parsed->recipients[0].will_retry_until.empty() == (action != Action::delayed));
  CHECK(parsed->text.find("friends@a.test") != std::string::npos);
}

TEST_CASE("build_report: one report may tell of many recipients, the worst first") {
  ReportRequest made = request();
  made.recipients.insert(made.recipients.begin(),
                         about("carl", Action::delivered, smtp::Status({2, 0, 0}, "")));
  const std::string text = build_report(made, original).text(original);
  const auto parsed = parse_report(text);
  REQUIRE(parsed);
  REQUIRE(parsed->recipients.size() == 2);
  CHECK(parsed->recipients[0].diagnostic.empty());
  CHECK(text.find("Your message was not delivered") < text.find("Report for people"));
  CHECK(parsed->text.find("<bob@b.test>") < parsed->text.find("<carl@b.test>"));
}

TEST_CASE("build_report: the whole message goes back only if RET=FULL, failed and small") {
  ReportRequest made = request();
  CHECK_FALSE(returns_message(made, 100));
  made.ret = smtp::Ret::full;
  CHECK(returns_message(made, 100));
  CHECK_FALSE(returns_message(made, made.limits.returned_message + 1));
  const Report report = build_report(made, original);
  CHECK(report.message_follows);
  CHECK_FALSE(report.eight_bit);
  const auto parsed = parse_report(report.text(original));
  REQUIRE(parsed);
  CHECK(parsed->returned_type == "message/rfc822");
  CHECK(parsed->returned == original);
  made.recipients[0].action = Action::delayed;
  CHECK_FALSE(returns_message(made, 100));
}

TEST_CASE(
    "build_report: a message with 8-bit octets makes an 8-bit report only if it goes back whole") {
  ReportRequest made = request();
  const std::string latin =
      "Subject: Gr\xfc\xdf"
      "e\r\n\r\n\xe4\r\n";
  const Report header_only = build_report(made, latin);
  CHECK_FALSE(header_only.eight_bit);
  check_shape(header_only, header_only.text(latin));
  CHECK(header_only.head.find("Subject: Gr=FC=DFe\r\n") != std::string::npos);
  made.ret = smtp::Ret::full;
  const Report whole = build_report(made, latin);
  CHECK(whole.eight_bit);
  CHECK_FALSE(whole.smtputf8);
  CHECK(parse_report(whole.text(latin))->returned == latin);
}

TEST_CASE("build_report: UTF-8 addresses are written as RFC 6533 has it") {
  ReportRequest made = request();
  made.recipients[0].recipient = smtp::Recipient(smtp::Mailbox("j\xc3\xbcrgen", "b.test"));
  made.recipients[0].recipient.orcpt = smtp::OriginalRecipient("utf-8", "j\xc3\xbcrgen@b.test");
  const std::string ascii = build_report(made, original).text(original);
  CHECK(is_ascii(ascii));
  CHECK(ascii.find("Final-Recipient: utf-8;j\\x{FC}rgen@b.test\r\n") != std::string::npos);
  CHECK(parse_report(ascii)->recipients[0].final_recipient.address == "j\xc3\xbcrgen@b.test");

  made.smtputf8 = true;
  const Report report = build_report(made, original);
  CHECK(report.smtputf8);
  CHECK(report.eight_bit);
  const std::string utf8 = report.text(original);
  CHECK(utf8.find("Content-Type: message/global-delivery-status\r\n") != std::string::npos);
  CHECK(utf8.find("Final-Recipient: utf-8;j\xc3\xbcrgen@b.test\r\n") != std::string::npos);
  CHECK(parse_report(utf8)->recipients[0].original_recipient->address == "j\xc3\xbcrgen@b.test");
}

TEST_CASE("build_report: an SMTPUTF8 message with nothing but ASCII gets a plain report") {
  ReportRequest made = request();
  made.smtputf8 = true;
  CHECK_FALSE(build_report(made, original).smtputf8);
  CHECK(build_report(made, "Subject: \xc3\xa4\r\n\r\n").smtputf8);
}

TEST_CASE("build_report: hostile words stay inside their field") {
  const std::string evil = GENERATE(
      std::string("host mx.b.test[192.0.2.1] said: 550 x\r\nStatus: 2.0.0\r\n\r\n--report.00"),
      std::string(
          "\r\n\r\nFinal-Recipient: rfc822;root@a.test\r\nAction: delivered\r\nStatus: 2.0.0"),
      std::string("nul\0 and esc\x1b[2J", 16), std::string(200'000, 'x'),
      std::string(5000, ' ') + "\n.\r\n",
      std::string("host a[b] said: ") + std::string(3000, '\xff'),
      std::string("--report.00000000000000010000000000000002--"));
  CAPTURE(evil.substr(0, 60));
  ReportRequest made = request();
  made.recipients[0].status.text = evil;
  const std::string type = GENERATE("rfc822\r\nX: y", "utf-8");
  made.recipients[0].recipient.orcpt = smtp::OriginalRecipient(type, evil);
  made.envid = evil;
  made.trace_id = evil;
  const bool utf8 = GENERATE(false, true);
  made.smtputf8 = utf8;
  const std::string message = "Subject: \xc3\xa4\r\nMessage-ID: <" + evil + ">\r\n\r\n";
  const Report report = build_report(made, message);
  CHECK(report.smtputf8 == utf8);
  const std::string text = report.head + report.tail;
  check_shape(report, text);
  const auto parsed = parse_report(text);
  REQUIRE(parsed);
  REQUIRE(parsed->recipients.size() == 1);
  CHECK(parsed->recipients[0].final_recipient.address == "bob@b.test");
  CHECK(parsed->recipients[0].action == Action::failed);
  CHECK(parsed->recipients[0].status == smtp::EnhancedStatus{5, 1, 1});
}

TEST_CASE("build_report: a header without end is cut at a line, and sent so that it arrives") {
  ReportRequest made = request();
  made.limits.returned_header = 100;
  std::string message;
  for (int i = 0; i < 100; ++i) message += "X-Line: something\r\n";
  const auto parsed = parse_report(build_report(made, message + "\r\n").text(""));
  REQUIRE(parsed);
  CHECK(parsed->returned.size() == 95);
  made.limits = {};
  const Report longer = build_report(made, "X: " + std::string(5000, 'y') + "\n\n");
  check_shape(longer, longer.text(""));
  CHECK(longer.head.find("quoted-printable") != std::string::npos);
}

TEST_CASE("build_report: to the postmaster it says so") {
  ReportRequest made = request();
  made.to_postmaster = true;
  const std::string text = build_report(made, original).text(original);
  const message::Header header = message::Header::parse(text);
  CHECK(header.value(*header.find("Subject")) == "A message without a sender was not delivered");
}

TEST_CASE("report_due: follows RFC 3461 5.2") {
  using smtp::Notify;
  const smtp::ReversePath ann = smtp::Mailbox("ann", "a.test");
  const Duty nobody{};
  const Notify unspecified;
  const Notify never(Notify::never);
  const Notify success(Notify::success);
  const Notify failure(Notify::failure);
  const Notify delay(Notify::delay);
  const auto sender = [](Action action) { return Duty{Duty::To::sender, action}; };
  // 5.2.3
  CHECK(report_due(Outcome::delivered, success, ann) == sender(Action::delivered));
  CHECK(report_due(Outcome::delivered, unspecified, ann) == nobody);
  CHECK(report_due(Outcome::delivered, failure, ann) == nobody);
  // 5.2.1 and 5.2.2
  CHECK(report_due(Outcome::passed_with_dsn, success, ann) == nobody);
  CHECK(report_due(Outcome::passed_plain, success, ann) == sender(Action::relayed));
  CHECK(report_due(Outcome::passed_plain, unspecified, ann) == nobody);
  // 5.2.5
  CHECK(report_due(Outcome::delayed, unspecified, ann) == sender(Action::delayed));
  CHECK(report_due(Outcome::delayed, delay, ann) == sender(Action::delayed));
  CHECK(report_due(Outcome::delayed, failure, ann) == nobody);
  // 5.2.6
  CHECK(report_due(Outcome::failed, unspecified, ann) == sender(Action::failed));
  CHECK(report_due(Outcome::failed, failure, ann) == sender(Action::failed));
  CHECK(report_due(Outcome::failed, success, ann) == nobody);
  CHECK(report_due(Outcome::failed, never, ann) == nobody);
  // 5.2.7.3
  CHECK(report_due(Outcome::expanded, success, ann) == sender(Action::expanded));
  CHECK(report_due(Outcome::expanded, never, ann) == nobody);
}

TEST_CASE(
    "report_due: a null sender hears nothing, the postmaster hears of the loss, but not about "
    "himself") {
  const smtp::ReversePath null;
  const smtp::Notify success(smtp::Notify::success);
  CHECK(report_due(Outcome::delivered, success, null) == Duty{});
  CHECK(report_due(Outcome::delayed, {}, null) == Duty{});
  CHECK(report_due(Outcome::failed, {}, null) == Duty{Duty::To::postmaster, Action::failed});
  CHECK(report_due(Outcome::failed, {}, null, true) == Duty{});
  CHECK(report_due(Outcome::failed, smtp::Notify(smtp::Notify::never), null) == Duty{});
}

TEST_CASE("remote text: comes back as it was written") {
  const RemoteWords words =
      GENERATE(RemoteWords("mx.b.test", "192.0.2.1", "550 5.1.1 a [b] said: c"),
               RemoteWords("unknown", "2001:db8::1", "421 x"));
  CHECK(parse_remote_text(format_remote_text(words)) == words);
}

TEST_CASE("remote text: is one line, and nothing else is taken for it") {
  CHECK(format_remote_text({"a", "b", "550 x\r\ny"}) == "host a[b] said: 550 x  y");
  for (const auto* bad :
       {"", "host ", "host a said: x", "host a[b] says: x", "host a b[1] said: x",
        "Host a[b] said: x", "host [1.2.3.4] said: x", "host a[] said: x", "host a[b said: x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_remote_text(bad));
  }
}

TEST_CASE("Status::remote_mta: names the host when the text doesn't") {
  ReportRequest made = request();
  made.recipients[0].status = smtp::Status({5, 7, 1}, "not you", "mx.c.test [192.0.2.7]");
  const auto parsed = parse_report(build_report(made, original).text(original));
  REQUIRE(parsed);
  CHECK(parsed->recipients[0].remote_mta == "mx.c.test");
  CHECK(parsed->recipients[0].diagnostic == "550 5.7.1 not you");
}

TEST_CASE("append_field: folds at blanks and keeps them") {
  std::string out;
  append_field(out, "X", std::string(50, 'a') + "  " + std::string(50, 'b') + " c");
  CHECK(out == "X: " + std::string(50, 'a') + "\r\n  " + std::string(50, 'b') + " c\r\n");
  const message::Header header = message::Header::parse(out);
  CHECK(header.value(header.fields()[0]) ==
        std::string(50, 'a') + "  " + std::string(50, 'b') + " c");
}

TEST_CASE("explain: has words for the common codes and none for the rest") {
  CHECK(explain({5, 2, 2}) == "The mailbox is full.");
  CHECK(explain({4, 2, 2}) == "The mailbox is full.");
  CHECK(explain({2, 1, 5}).empty());
  CHECK(explain({5, 99, 9}).empty());
}

TEST_CASE("parse_report: says why a message is none") {
  const auto [text, why] = GENERATE(table<std::string, std::string>({
      {"Subject: x\r\n\r\n", "not multipart/report but text/plain"},
      {"Content-Type: multipart/report\r\n\r\n", "multipart/report without a boundary"},
      {"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x--\r\n",
       "no part is a delivery-status"},
      {"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: "
       "message/delivery-status\r\n\r\n"
       "Reporting-MTA: dns;a\r\n\r\n--x--\r\n",
       "the delivery-status names no recipient"},
      {"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: "
       "message/delivery-status\r\n\r\n"
       "Reporting-MTA: dns;a\r\n\r\nFinal-Recipient: rfc822;a@b\r\nAction: vanished\r\nStatus: "
       "5.0.0\r\n--x--\r\n",
       "no Action that is known: vanished"},
  }));
  const auto parsed = parse_report(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error() == why);
}

TEST_CASE("parse_report: reads the report of another agent") {
  const std::string text =
      "From: MAILER-DAEMON\nContent-Type: MULTIPART/Report; "
      "report-type=\"delivery-status\";\n\tBoundary=\"a;b\"\n\n"
      "preamble\n--a;b\nContent-Type: text/plain\n\nhello\n--a;b\nContent-Type: "
      "message/delivery-status\n\n"
      "Reporting-MTA: dns; mx.z.test\nX-Extra: 1\n\nFinal-Recipient: RFC822; <u@z.test>\n"
      "Action: failed (for good)\nStatus: 5.0.0 (permanent failure)\nDiagnostic-Code: smtp; 550\n "
      "5.0.0 folded\n\n"
      "--a;b\nContent-Type: message/rfc822\n\nSubject: y\n\nz\n--a;b--\nepilogue\n";
  const auto parsed = parse_report(text);
  REQUIRE(parsed);
  CHECK(parsed->text == "hello");
  CHECK(parsed->recipients[0].final_recipient.address == "<u@z.test>");
  CHECK(parsed->recipients[0].diagnostic == "550 5.0.0 folded");
  CHECK(parsed->returned == "Subject: y\n\nz");
}
