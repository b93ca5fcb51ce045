#include "libmail/message/builder.h"

#include <catch2/catch.hpp>

#include "libmail/base/text.h"
#include "libmail/message/header.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

Draft draft() {
  Draft draft;
  draft.from = {{"Ann Example", "ann", "a.test"}};
  draft.to.mailboxes = {{"", "bob", "b.test"}};
  draft.subject = "Hello";
  draft.date = "Sun, 22 Nov 2026 20:24:20 +0000";
  draft.message_id = "<1@a.test>";
  draft.body.content = "text\n";
  return draft;
}

std::string built(Draft what, BuildOptions options = {.random = 0x1f}) {
  auto message = build_message(std::move(what), options);
  return message ? *message : "error " + message.error().field + ": " + message.error().text;
}

BuildPart attachment(std::string type, std::string content, std::string filename) {
  BuildPart part;
  part.type = std::move(type);
  part.content = std::move(content);
  part.filename = std::move(filename);
  part.disposition = Presentation::attachment;
  return part;
}

bool holds(const std::string& message, std::string_view text) {
  return message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("build_message: a plain text") {
  CHECK(built(draft()) ==
        "Date: Sun, 22 Nov 2026 20:24:20 +0000\r\n"
        "From: Ann Example <ann@a.test>\r\n"
        "To: bob@b.test\r\n"
        "Subject: Hello\r\n"
        "Message-ID: <1@a.test>\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "text\r\n");
}

TEST_CASE("build_message: every list of addresses, ids and fields of one's own") {
  Draft full = draft();
  full.from.push_back({"", "carl", "c.test"});
  full.sender = full.from[1];
  full.reply_to = {{"Répondre", "r", "a.test"}};
  full.to.groups = {{"Friends", 0, 1}};
  full.cc.mailboxes = {{"Example, D.", "d", "d.test"}};
  full.bcc = {{"", "e", "e.test"}};
  full.in_reply_to = {"<0@b.test>"};
  full.references = {"<x@b.test>", "<0@b.test>"};
  full.fields.emplace_back(*HeaderName::make("X-Mailer"), *HeaderValue::from_text("mua ü"));
  const std::string message = built(full);
  CAPTURE(message);
  CHECK(holds(message, "From: Ann Example <ann@a.test>, carl@c.test\r\n"));
  CHECK(holds(message, "Sender: carl@c.test\r\n"));
  CHECK(holds(message, "Reply-To: =?utf-8?B?UsOpcG9uZHJl?= <r@a.test>\r\n"));
  CHECK(holds(message, "To: Friends: bob@b.test;\r\n"));
  CHECK(holds(message, "Cc: \"Example, D.\" <d@d.test>\r\n"));
  CHECK_FALSE(holds(message, "Bcc"));
  CHECK(holds(message, "In-Reply-To: <0@b.test>\r\nReferences: <x@b.test> <0@b.test>\r\n"));
  CHECK(holds(message, "X-Mailer: mua =?utf-8?B?w7w=?=\r\n"));
  CHECK(holds(built(full, {.write_bcc = true}), "Bcc: e@e.test\r\n"));
}

TEST_CASE("build_message: nothing can bring a field, a line or a part of its own") {
  const auto inject = [](auto change) {
    Draft bad = draft();
    change(bad);
    return built(bad);
  };
  const std::string evil = "x\r\nBcc: victim@v.test\r\n\r\nbody";
  CHECK(inject([&](Draft& d) { d.subject = evil; }).starts_with("error Subject"));
  CHECK(inject([&](Draft& d) { d.date = evil; }).starts_with("error Date"));
  CHECK(inject([&](Draft& d) { d.message_id = "<" + evil + ">"; }).starts_with("error Message-ID"));
  CHECK(inject([&](Draft& d) { d.references = {evil}; }).starts_with("error References"));
  CHECK(
      inject([&](Draft& d) { d.in_reply_to = {"<a@b> <c@d>"}; }).starts_with("error In-Reply-To"));
  CHECK(inject([&](Draft& d) { d.to.mailboxes[0].local_part = evil; }).starts_with("error To"));
  CHECK(inject([&](Draft& d) { d.to.mailboxes[0].domain = evil; }).starts_with("error To"));
  CHECK(inject([&](Draft& d) { d.from.clear(); }).starts_with("error From"));
  CHECK(inject([&](Draft& d) { d.from.push_back(d.from[0]); }).starts_with("error Sender"));
  CHECK(inject([&](Draft& d) {
          d.body.type = "text/html\r\nX: y";
        }).starts_with("error Content-Type"));
  CHECK(
      inject([&](Draft& d) { d.body.type = "multipart/mixed"; }).starts_with("error Content-Type"));
  CHECK(inject([&](Draft& d) {
          d.body.parameters = {{"a\r\nb", "c"}};
        }).starts_with("error Content-Type"));
  CHECK(inject([&](Draft& d) {
          d.body.parameters = {{"Charset", "x"}};
        }).starts_with("error Content-Type"));
  CHECK(inject([&](Draft& d) { d.body.content_id = evil; }).starts_with("error Content-ID"));
  CHECK(inject([&](Draft& d) { d.body.content = "\xff"; }).starts_with("error Content-Type"));
  CHECK(inject([&](Draft& d) {
          d.fields.emplace_back(*HeaderName::make("content-type"), *HeaderValue::make("x"));
        }).starts_with("error content-type"));
  // What is only for people is cleaned instead: display names, names of files.
  const std::string message = inject([&](Draft& d) {
    d.from[0].display_name = evil;
    d.to.groups = {{evil, 0, 1}};
    d.body.filename = evil;
    d.body.parameters = {{"x", evil}};
  });
  CAPTURE(message);
  CHECK(Header::parse(message).count("Bcc") == 0);
  CHECK(message.ends_with("\r\n\r\ntext\r\n"));
  CHECK_FALSE(Header::parse(message).fault());
}

TEST_CASE("HeaderValue, HeaderName: refuse what would be another line") {
  CHECK(HeaderValue::make("one line\twith a tab, ü"));
  for (const std::string bad : {"a\nb", "a\rb", "a\x1b", "a\x7f", "\xff", "\xc2\x85"})
    CHECK_FALSE(HeaderValue::make(bad));
  CHECK_FALSE(HeaderValue::make(std::string("a\0b", 3)));
  CHECK_FALSE(HeaderValue::make(std::string(1000, 'x')));
  CHECK(HeaderValue::from_text(std::string(1000, 'x')));
  CHECK_FALSE(HeaderValue::from_text("a\r\nb"));
  for (const std::string bad : {"", "a b", "a:", "a\r\n", "\xc3\xbc"})
    CHECK_FALSE(HeaderName::make(bad));
}

TEST_CASE("fold_field: lines stay below 79 where a blank is, quoted strings whole") {
  std::string body;
  for (int i = 0; i < 100; ++i)
    body += "\"Name, No\" <recipient" + std::to_string(i) + "@example.org>, ";
  const std::string folded = fold_field(*HeaderName::make("To"), *HeaderValue::make(body));
  CHECK(folded.ends_with("\r\n"));
  for (std::size_t at = 0; at < folded.size();) {
    const std::size_t end = folded.find("\r\n", at);
    CHECK(end - at <= 78);
    CHECK(std::count(folded.begin() + static_cast<std::ptrdiff_t>(at),
                     folded.begin() + static_cast<std::ptrdiff_t>(end), '"') %
              2 ==
          0);
    at = end + 2;
  }
  CHECK(unfold(folded.substr(3)) == trim(body));
  const std::string open =
      "\"" + std::string(450, 'x') + " " + std::string(450, 'y') + " " + std::string(450, 'z');
  for (const std::string_view line :
       split(fold_field(*HeaderName::make("X"), *HeaderValue::make(open)), '\n'))
    CHECK(line.size() <= 998);
  CHECK(fold_field(*HeaderName::make("X"), *HeaderValue::make("")) == "X:\r\n");
}

TEST_CASE("build_message: the encoding is the cheapest that can carry the text") {
  const auto encoding = [](std::string text, bool allow_8bit = false) {
    Draft what = draft();
    what.body.content = std::move(text);
    const std::string message = built(what, {.allow_8bit = allow_8bit});
    const Header header = Header::parse(message);
    return header.value(*header.find("Content-Transfer-Encoding"));
  };
  CHECK(encoding("ascii\n") == "7bit");
  CHECK(encoding("grün is the colour of the grass\n") == "quoted-printable");
  CHECK(encoding("grün\n", true) == "8bit");
  CHECK(encoding("Привет, мир\n") == "base64");
  CHECK(encoding(std::string(999, 'x')) == "quoted-printable");
  CHECK(encoding(std::string(998, 'x')) == "7bit");
  CHECK(encoding("a\rb\n", true) == "quoted-printable");
  CHECK(encoding(std::string("a\0\0\0b", 5), true) == "base64");
}

TEST_CASE("make_body: alternative in related in mixed") {
  Draft what = draft();
  BodyParts parts;
  parts.text = "text\n";
  parts.flowed = true;
  parts.html = "<p>grün</p>\n";
  BuildPart image;
  image.type = "image/png";
  image.content = std::string("\x89PNG\0", 5);
  image.content_id = "logo@a.test";
  image.disposition = Presentation::shown_inline;
  parts.related.push_back(image);
  parts.attachments.push_back(attachment("text/x-diff", "-a\n+b\n", "größe.diff"));
  what.body = make_body(std::move(parts));
  const std::string message = built(what);
  CHECK(message.substr(message.find("MIME-Version")) ==
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=\"=_000000000000001f_0000\"\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "--=_000000000000001f_0000\r\n"
        "Content-Type: multipart/alternative; boundary=\"=_000000000000001f_0001\"\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "--=_000000000000001f_0001\r\n"
        "Content-Type: text/plain; charset=us-ascii; format=flowed\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "text\r\n"
        "\r\n"
        "--=_000000000000001f_0001\r\n"
        "Content-Type: multipart/related; boundary=\"=_000000000000001f_0003\";\r\n"
        " type=\"text/html\"\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "--=_000000000000001f_0003\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
        "<p>gr=C3=BCn</p>\r\n"
        "\r\n"
        "--=_000000000000001f_0003\r\n"
        "Content-Type: image/png\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "Content-ID: <logo@a.test>\r\n"
        "Content-Disposition: inline\r\n"
        "\r\n"
        "=89PNG=00\r\n"
        "--=_000000000000001f_0003--\r\n"
        "\r\n"
        "--=_000000000000001f_0001--\r\n"
        "\r\n"
        "--=_000000000000001f_0000\r\n"
        "Content-Type: text/x-diff; charset=us-ascii;\r\n"
        " name=\"=?utf-8?B?Z3LDtsOfZS5kaWZm?=\"\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "Content-Disposition: attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.diff\r\n"
        "\r\n"
        "-a=0A+b=0A\r\n"
        "--=_000000000000001f_0000--\r\n");
}

TEST_CASE("build_message: a boundary that occurs in a part is not taken") {
  Draft what = draft();
  BodyParts parts;
  parts.text = "--=_0000000000000007\n--=_0000000000000008_0000--\n";
  parts.attachments.push_back(attachment("text/plain", "x", "x"));
  what.body = make_body(std::move(parts));
  CHECK(holds(built(what, {.random = 7}), "boundary=\"=_0000000000000009_0000\""));
}

TEST_CASE("make_forwarded: a message travels whole, or as octets") {
  const std::string plain = "Subject: x\n\nbody\n";
  CHECK(make_forwarded(plain, false).type == "message/rfc822");
  CHECK(std::get<std::string>(make_forwarded(plain, false).content) ==
        "Subject: x\r\n\r\nbody\r\n");
  CHECK(make_forwarded("Subject: ü\n\n", true).type == "message/rfc822");
  const BuildPart encoded = make_forwarded("Subject: ü\n\n", false);
  CHECK(encoded.type == "application/octet-stream");
  CHECK(encoded.filename == "forwarded.eml");
  Draft what = draft();
  BodyParts parts;
  parts.attachments.push_back(make_forwarded("Subject: ü\n\nx", true));
  what.body = make_body(std::move(parts));
  const std::string message = built(what, {.allow_8bit = true});
  CHECK(holds(message, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
  CHECK(Header::parse(message).value(*Header::parse(message).find("Content-Transfer-Encoding")) ==
        "8bit");
  CHECK(built(what).starts_with("error Content-Type"));
}

TEST_CASE("MessageWriter: asks for streamed content and never holds it") {
  Draft what = draft();
  BodyParts parts;
  parts.text = "see attachment\n";
  BuildPart file = attachment("application/pdf", "", "big.pdf");
  file.content = StreamedContent{42};
  parts.attachments.push_back(file);
  file.content = std::string(200'000, '\x01');
  parts.attachments.push_back(file);
  what.body = make_body(std::move(parts));
  auto writer = MessageWriter::make(what, {.random = 0x1f});
  REQUIRE(writer);
  CHECK_FALSE(writer->needs_8bitmime());
  CHECK_FALSE(writer->needs_smtputf8());
  std::string message;
  std::size_t asked = 0;
  while (true) {
    std::string piece;
    const auto step = writer->next(piece);
    if (step == MessageWriter::Step::source) {
      CHECK(writer->source() == 42);
      ++asked;
      writer->feed("ABC", piece);
      writer->feed("DEF", piece);
      writer->end_source(piece);
    }
    CHECK(piece.size() < 70'000);
    message += piece;
    if (step == MessageWriter::Step::done) break;
  }
  CHECK(asked == 1);
  CHECK(holds(message, "\r\n\r\nQUJDREVG\r\n\r\n--=_000000000000001f_0000\r\n"));
  CHECK(message.ends_with("--=_000000000000001f_0000--\r\n"));
  CHECK(build_message(what, {}).error().text == "streamed content needs a MessageWriter");
}

TEST_CASE("MessageWriter: says what the way to the recipient has to speak") {
  Draft what = draft();
  what.to.mailboxes[0].local_part = "jürgen";
  what.body.content = "grün\n";
  const auto writer = MessageWriter::make(what, {.allow_8bit = true});
  REQUIRE(writer);
  CHECK(writer->needs_smtputf8());
  CHECK(writer->needs_8bitmime());
}
