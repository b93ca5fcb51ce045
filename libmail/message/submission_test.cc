#include "libmail/message/submission.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "libmail/message/message_id.h"
#include "libmail/message/quoted_printable.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

Stamp stamp() {
  return {"Sun, 22 Nov 2026 20:24:20 +0000", "<new@here.test>"};
}

std::string reply(std::string_view header) {
  const auto fixed = check_submission(header, stamp());
  return fixed ? "ok" : fixed.error().reply_text();
}

}  // namespace

TEST_CASE("check_submission: a whole header stays as it is") {
  const std::string header =
      "From: ann@a.test\r\nTo: bob@b.test\r\nDate: yesterday\r\nmessage-id: <1@a.test>\r\nSubject: "
      " x \r\n\r\n";
  const auto fixed = check_submission(header, stamp());
  REQUIRE(fixed);
  CHECK(fixed->header == header);
  CHECK_FALSE(fixed->added_date);
  CHECK_FALSE(fixed->added_message_id);
}

TEST_CASE("check_submission: adds Date and Message-ID behind the last field") {
  const auto fixed = check_submission("From: ann@a.test\r\n\r\n", stamp());
  REQUIRE(fixed);
  CHECK(fixed->header ==
        "From: ann@a.test\r\nDate: Sun, 22 Nov 2026 20:24:20 +0000\r\nMessage-ID: "
        "<new@here.test>\r\n\r\n");
  CHECK(fixed->added_date);
  CHECK(fixed->added_message_id);
}

TEST_CASE("check_submission: a message may be a header without an empty line or a last line end") {
  const auto fixed = check_submission("From: ann@a.test\nDate: x", stamp());
  REQUIRE(fixed);
  CHECK(fixed->header == "From: ann@a.test\nDate: x\nMessage-ID: <new@here.test>\n");
}

TEST_CASE("check_submission: removes Bcc with its folds, wherever and however often it stands") {
  const auto fixed = check_submission(
      "Bcc: x@x.test\r\nFrom: ann@a.test\r\nBCC : a@a.test,\r\n b@b.test\r\nDate: x\r\nMessage-ID: "
      "<1@a>\r\n"
      "Resent-Bcc: c@c.test\r\n\r\n",
      stamp());
  REQUIRE(fixed);
  CHECK(fixed->header == "From: ann@a.test\r\nDate: x\r\nMessage-ID: <1@a>\r\n\r\n");
  CHECK(fixed->removed_bcc == 3);
}

TEST_CASE("check_submission: refuses what can't be sent, naming field and line") {
  const auto [header, text] = GENERATE(table<std::string, std::string>({
      {"To: bob@b.test\r\n\r\n", "From field: missing, the header ends after line 1"},
      {"\r\n", "From field: missing, the header ends after line 0"},
      {"From: a@a.test\r\nX: y\r\nFROM: b@b.test\r\n\r\n",
       "From field in line 3: a second one, the first is in line 1"},
      {"From: a@a.test\r\nDate: x\r\nDate: y\r\n\r\n",
       "Date field in line 3: a second one, the first is in line 2"},
      {"From: a@a.test\r\nMessage-Id: x\r\nMessage-ID: y\r\n\r\n",
       "Message-ID field in line 3: a second one, the first is in line 2"},
      {"Subject: x\r\nsubject: y\r\nFrom: a@a.test\r\n\r\n",
       "Subject field in line 2: a second one, the first is in line 1"},
      {"From:\r\n\r\n", "From field in line 1: no address list: it is empty"},
      {"From: Ann Example\r\n\r\n", "From field in line 1: no address list: no '@' in an address"},
      {"From: a@a.test\r\nTo: b@b.test,\r\n Carl Example\r\n\r\n",
       "To field in line 3: no address list: no '@' in an address"},
      {"From: a@a.test\r\nCc: <c@c.test\r\n\r\n",
       "Cc field in line 2: no address list: a '<' is not closed"},
      {"From: a@a.test\r\nReply-To: @\r\n\r\n",
       "Reply-To field in line 2: no address list: nothing before an '@'"},
      {"From: a@a.test\r\nrubbish\r\n\r\n",
       "header in line 2: this is no header field (a name and a colon are missing)"},
  }));
  CAPTURE(header);
  CHECK(reply(header) == text);
}

TEST_CASE("check_submission: lets pass what hurts nobody") {
  const std::string header =
      GENERATE(as<std::string>(), "From: a@a.test\r\nTo:\r\nCc: \r\n\r\n", "From: root\r\n\r\n",
               "From: a@a.test, b@b.test\r\n\r\n", "From: Us: a@a.test;\r\n\r\n",
               "From: a@a.test\r\nTo: b@b.test\r\nTo: undisclosed-recipients:;\r\n\r\n",
               "From: a@a.test\r\nDate: not a date\r\nSubject:\r\n\r\n");
  CAPTURE(header);
  CHECK(reply(header) == "ok");
}

TEST_CASE("check_submission: a header above the limit is refused") {
  SubmissionLimits limits;
  limits.header.header_bytes = 30;
  const auto fixed = check_submission("From: a@a.test\r\nX: 12345678901\r\n\r\n", stamp(), limits);
  REQUIRE_FALSE(fixed);
  CHECK(fixed.error().reply_text() == "header in line 2: the header is larger than 30 octets");
}

TEST_CASE("SubmissionFilter: gives the same wherever the message is cut") {
  const std::string text = "Bcc: x@x.test\r\nFrom: a@a.test\r\n\r\nBcc: body\r\n\r\n.\r\n";
  const std::string expected =
      "From: a@a.test\r\nDate: Sun, 22 Nov 2026 20:24:20 +0000\r\nMessage-ID: "
      "<new@here.test>\r\n\r\n"
      "Bcc: body\r\n\r\n.\r\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    SubmissionFilter filter(stamp());
    std::string out;
    filter.feed(std::string_view(text).substr(0, cut), out);
    filter.feed(std::string_view(text).substr(cut), out);
    filter.finish(out);
    CHECK_FALSE(filter.problem());
    CHECK(out == expected);
  }
}

TEST_CASE("SubmissionFilter: lets nothing out of a message it refuses") {
  SubmissionFilter filter(stamp());
  std::string out;
  filter.feed("To: bob@b.test\r\n\r\nbo", out);
  filter.feed("dy", out);
  filter.finish(out);
  CHECK(out.empty());
  REQUIRE(filter.problem());
  CHECK(filter.problem()->field == "From");
}

TEST_CASE("SubmissionFilter: a header without end names the bad line rather than the size") {
  SubmissionLimits limits;
  limits.header.header_bytes = 100;
  SubmissionFilter body_only(stamp(), limits);
  std::string out;
  for (int i = 0; i < 20; ++i) body_only.feed("just text\r\n", out);
  REQUIRE(body_only.problem());
  CHECK(body_only.problem()->line == 1);
  SubmissionFilter huge(stamp(), limits);
  huge.feed("From: a@a.test\r\nX: " + std::string(200, 'x'), out);
  REQUIRE(huge.problem());
  CHECK(huge.problem()->reply_text() == "header in line 2: the header is larger than 100 octets");
  CHECK(out.empty());
}

TEST_CASE("check_submission: of the 47 messages in Python's test suite ten are no submissions") {
  const std::filesystem::path data = "/usr/lib/python3.11/test/test_email/data";
  if (!std::filesystem::exists(data)) {
    WARN("skipped: install libpython3.11-testsuite");
    return;
  }
  int messages = 0;
  int refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data)) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    ++messages;
    const auto fixed = check_submission(text, stamp());
    if (fixed) continue;
    ++refused;
    CAPTURE(entry.path(), fixed.error().reply_text());
    CHECK((fixed.error().field.empty() ||
           (fixed.error().field == "From" && fixed.error().line == 0)));
  }
  CHECK(messages == 47);
  CHECK(refused == 10);
}

TEST_CASE("make_message_id: is unique by its random part and holds nothing strange") {
  const WallTime time = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} +
                        std::chrono::hours(20) + std::chrono::minutes(24) + std::chrono::seconds(5);
  CHECK(make_message_id(time, 0x1f2e, "mx.a.test") ==
        "<20261122202405.0000000000001f2e@mx.a.test>");
  CHECK(make_message_id(time, 1, "a\r\n>b") == "<20261122202405.0000000000000001@ab>");
  CHECK(make_message_id(time, 1, "") == "<20261122202405.0000000000000001@localhost>");
}

TEST_CASE("parse_message_ids: finds ids between comments, words and folds") {
  using Ids = std::vector<std::string>;
  CHECK(parse_message_ids("<a@b>") == Ids{"<a@b>"});
  CHECK(parse_message_ids(" (of <x@y>) your mail of Monday <a@b>\r\n\t<c@\r\n d> <>") ==
        Ids{"<a@b>", "<c@d>"});
  CHECK(parse_message_ids("<never closed").empty());
  CHECK(parse_message_ids("<1><2><3>", 2).size() == 2);
}

TEST_CASE("encode_quoted_printable: encodes what is no printable ASCII and keeps lines short") {
  CHECK(encode_quoted_printable("a=b\r\n") == "a=3Db\r\n");
  CHECK(encode_quoted_printable("Gr\xc3\xbc\xc3\x9f"
                                "e\n") == "Gr=C3=BC=C3=9Fe\r\n");
  CHECK(encode_quoted_printable("a \nb\t\r\n c") == "a=20\r\nb=09\r\n c");
  CHECK(encode_quoted_printable("a\rb") == "a=0Db");
  CHECK(encode_quoted_printable(std::string(76, 'x')) == std::string(76, 'x'));
  CHECK(encode_quoted_printable(std::string(77, 'x')) == std::string(75, 'x') + "=\r\nxx");
  CHECK(encode_quoted_printable(std::string(74, 'x') + "\xff") ==
        std::string(74, 'x') + "=\r\n=FF");
}
