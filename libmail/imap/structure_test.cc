#include <catch2/catch.hpp>

#include "libmail/imap/body_structure.h"
#include "libmail/imap/envelope.h"
#include "libmail/imap/section.h"
#include "libmail/message/mime_parser.h"

using namespace posthorn;
using imap::BodyForm;
using imap::Section;

namespace {

std::string envelope_of(std::string_view header) {
  return imap::envelope(message::Header::parse(header));
}

std::string structure_of(std::string_view text, BodyForm form = BodyForm::body) {
  return imap::body_structure(message::MessageView(text), form);
}

// What BODY[path.text] holds, "NO" if there is no such section.
std::string section_of(std::string_view text, std::vector<std::uint32_t> path,
                       Section::Text what = Section::Text::all) {
  Section section;
  section.part = std::move(path);
  section.text = what;
  const auto range = imap::find_section(message::parse_mime(text), section);
  return range ? std::string(text.substr(range->begin, range->end - range->begin)) : "NO";
}

constexpr std::string_view nested =
    "Subject: outer\n"
    "Content-Type: multipart/mixed; boundary=b\n"
    "\n"
    "--b\n"
    "X: 1\n"
    "\n"
    "one\n"
    "--b\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: inner\n"
    "Content-Type: multipart/alternative; boundary=c\n"
    "\n"
    "--c\n"
    "\n"
    "two-one\n"
    "--c\n"
    "Content-Type: text/html\n"
    "\n"
    "two-two\n"
    "--c--\n"
    "--b\n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: plain\n"
    "\n"
    "three\n"
    "--b--\n";

}  // namespace

TEST_CASE("envelope: ten fields, NIL for those that are absent") {
  CHECK(envelope_of("") == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  CHECK(envelope_of("Date: now\r\nSubject: a \"b\"\r\nFrom: Ann <a@b>\r\nTo: c@d, e@f\r\n"
                    "In-Reply-To: <1@2>\r\nMessage-ID: <3@4>\r\n\r\n") ==
        R"x(("now" "a \"b\"" (("Ann" NIL "a" "b")) (("Ann" NIL "a" "b")) (("Ann" NIL "a" "b")) )x"
        R"x(((NIL NIL "c" "d")(NIL NIL "e" "f")) NIL NIL "<1@2>" "<3@4>"))x");
}

TEST_CASE("envelope: Sender and Reply-To stand for themselves when they are there") {
  CHECK(
      envelope_of("From: a@b\nSender: c@d\nReply-To: \n\n") ==
      R"x((NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "c" "d")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL))x");
}

TEST_CASE("envelope: groups begin and end, empty ones too") {
  CHECK(envelope_of("To: x@y, friends: a@b, c@d;, undisclosed:;\n\n") ==
        R"x((NIL NIL NIL NIL NIL ((NIL NIL "x" "y")(NIL NIL "friends" NIL)(NIL NIL "a" "b"))x"
        R"x((NIL NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)) )x"
        R"x(NIL NIL NIL NIL))x");
}

TEST_CASE("envelope: several Cc fields are one, of several Subjects the first counts") {
  CHECK(envelope_of("Subject: a\nCc: a@b\nSubject: c\nCC: d@e\n\n") ==
        R"x((NIL "a" NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "d" "e")) NIL NIL NIL))x");
}

TEST_CASE("envelope: an address without a domain doesn't begin a group") {
  CHECK(envelope_of("To: root\n\n") ==
        R"x((NIL NIL NIL NIL NIL ((NIL NIL "root" "MISSING_DOMAIN")) NIL NIL NIL NIL))x");
}

TEST_CASE("envelope: octets above 127 stand in a literal, folds are undone") {
  CHECK(envelope_of("Subject: \xc3\xa4\r\n\tb\r\n  c\r\n\r\n") ==
        "(NIL {7}\r\n\xc3\xa4 b  c NIL NIL NIL NIL NIL NIL NIL NIL)");
}

TEST_CASE("body_structure: a text says its charset, size in CRLF octets and lines") {
  CHECK(structure_of("\nHello\nthere\n") ==
        R"x(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 2))x");
  CHECK(structure_of("\r\nHello\r\nthere\r\n") == structure_of("\nHello\nthere\n"));
}

TEST_CASE("body_structure: everything a part says about itself") {
  CHECK(
      structure_of("Content-Type: IMAGE/png; Name=\"a b.png\"\n"
                   "Content-Transfer-Encoding: BASE64\n"
                   "Content-ID: <1@2>\n"
                   "Content-Description: a\n picture\n"
                   "Content-Disposition: Attachment; filename*=utf-8''a%20b.png\n"
                   "Content-MD5: abc=\nContent-Language: en, de\nContent-Location: here\n\nQUJD\n",
                   BodyForm::body_structure) ==
      R"x(("image" "png" ("name" "a b.png") "<1@2>" "a picture" "base64" 6 "abc=" )x"
      R"x(("attachment" ("filename*" "utf-8''a%20b.png")) ("en" "de") "here"))x");
}

TEST_CASE("body_structure: multiparts and messages hold theirs") {
  CHECK(structure_of(nested) ==
        R"x((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0))x"
        R"x(("message" "rfc822" NIL NIL NIL "7bit" 129 )x"
        R"x((NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) )x"
        R"x((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 7 0))x"
        R"x(("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 7 0) "alternative") 10))x"
        R"x(("message" "rfc822" NIL NIL NIL "7bit" 23 )x"
        R"x((NIL "plain" NIL NIL NIL NIL NIL NIL NIL NIL) )x"
        R"x(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0) 2) "mixed"))x");
}

TEST_CASE("body_structure: what could not be taken apart still has the shape of its type") {
  CHECK(structure_of("Content-Type: multipart/mixed\n\nx\n") ==
        R"x((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed"))x");
  CHECK(structure_of("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n") ==
        R"x(("message" "rfc822" NIL NIL NIL "base64" 6 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) )x"
        R"x(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) 1))x");
}

TEST_CASE("find_section: parts by their numbers") {
  CHECK(section_of(nested, {}) == nested);
  CHECK(section_of(nested, {1}) == "one");
  CHECK(section_of(nested, {2, 1}) == "two-one");
  CHECK(section_of(nested, {2, 2}) == "two-two");
  CHECK(section_of(nested, {3}) == "Subject: plain\n\nthree");
  CHECK(section_of(nested, {3, 1}) == "three");
  for (const std::vector<std::uint32_t>& path :
       std::vector<std::vector<std::uint32_t>>{{0}, {4}, {1, 1}, {2, 3}, {3, 2}, {3, 1, 1}}) {
    CAPTURE(path);
    CHECK(section_of(nested, path) == "NO");
  }
}

TEST_CASE("find_section: headers, texts and MIME headers") {
  using Text = Section::Text;
  CHECK(section_of(nested, {}, Text::header).substr(0, 15) == "Subject: outer\n");
  CHECK(section_of(nested, {}, Text::text).substr(0, 4) == "--b\n");
  CHECK(section_of(nested, {1}, Text::mime) == "X: 1\n\n");
  CHECK(section_of(nested, {1}, Text::header) == "NO");
  CHECK(section_of(nested, {3}, Text::header) == "Subject: plain\n\n");
  CHECK(section_of(nested, {3}, Text::text) == "three");
  CHECK(section_of(nested, {3}, Text::mime) == "Content-Type: message/rfc822\n\n");
  CHECK(section_of(nested, {}, Text::mime) == "NO");
}

TEST_CASE("find_section: 1 of a message that is no multipart is its body") {
  CHECK(section_of("Subject: x\n\nbody\n", {1}) == "body\n");
  CHECK(section_of("Subject: x\n\nbody\n", {1, 1}) == "NO");
  const std::string_view message = "Content-Type: message/rfc822\n\nSubject: y\n\nbody\n";
  CHECK(section_of(message, {1}) == "Subject: y\n\nbody\n");
  CHECK(section_of(message, {1, 1}) == "body\n");
  CHECK(section_of(message, {1}, Section::Text::header) == "Subject: y\n\n");
}

TEST_CASE("find_section: sizes count LF as CRLF") {
  Section section;
  const auto range = imap::find_section(message::parse_mime("Subject: x\n\nbody\r\n"), section);
  REQUIRE(range);
  CHECK(range->crlf_size() == 20);
}

TEST_CASE("header_fields: those of some names, or all others, with CRLF") {
  const std::string_view header = "From: a\nX-Y: 1\n 2\nto: b\n\n";
  CHECK(imap::header_fields(header, {"TO", "From"}, false) == "From: a\r\nto: b\r\n\r\n");
  CHECK(imap::header_fields(header, {"TO", "From"}, true) == "X-Y: 1\r\n 2\r\n\r\n");
  CHECK(imap::header_fields(header, {"Cc"}, false) == "\r\n");
}
