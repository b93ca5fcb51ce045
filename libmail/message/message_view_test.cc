#include "libmail/message/message_view.h"

#include <catch2/catch.hpp>

#include "libmail/message/body_reader.h"

using namespace posthorn::message;

namespace {

using Parts = std::vector<std::uint32_t>;

// A multipart of leaves: "text/plain", "image/png attachment", ...
std::string multipart(std::string_view subtype, const std::vector<std::string>& parts,
                      const std::string& boundary = "b") {
  std::string out =
      "Content-Type: multipart/" + std::string(subtype) + "; boundary=" + boundary + "\n\n";
  for (const std::string& part : parts) {
    out += "--" + boundary + "\n";
    if (part.find('\n') != std::string::npos) {
      out += part;
      continue;
    }
    const std::size_t blank = part.find(' ');
    out += "Content-Type: " + part.substr(0, blank) + "\n";
    if (blank != std::string::npos) out += "Content-Disposition: " + part.substr(blank + 1) + "\n";
    out += "\nx\n";
  }
  return out + "--" + boundary + "--\n";
}

BodyChoice choose(const std::string& message) {
  return choose_bodies(MessageView(message));
}

}  // namespace

TEST_CASE("choose_bodies: one text is text and HTML") {
  const BodyChoice choice = choose("Subject: x\n\nbody\n");
  CHECK(choice.text == Parts{0});
  CHECK(choice.html == Parts{0});
  CHECK(choice.attachments.empty());
}

TEST_CASE("choose_bodies: of an alternative each form has its part") {
  const BodyChoice choice = choose(multipart("alternative", {"text/plain", "text/html"}));
  CHECK(choice.text == Parts{1});
  CHECK(choice.html == Parts{2});
}

TEST_CASE("choose_bodies: an alternative with HTML alone is shown as text, too") {
  const BodyChoice choice = choose(multipart("alternative", {"text/html", "text/calendar"}));
  CHECK(choice.text == Parts{1});
  CHECK(choice.html == Parts{1});
  CHECK(choice.attachments == Parts{2});
}

TEST_CASE("choose_bodies: what says attachment, or isn't for showing, is attached") {
  const BodyChoice choice = choose(
      multipart("mixed", {"text/plain", "image/png attachment", "image/png inline",
                          "application/pdf", "text/plain", "text/plain inline; filename=a.txt"}));
  CHECK(choice.text == Parts{1, 3, 5});
  CHECK(choice.html == Parts{1, 3, 5});
  CHECK(choice.attachments == Parts{2, 4, 6});
}

TEST_CASE("choose_bodies: the example of RFC 8621 4.1.4") {
  const std::string related = multipart("related", {"text/html", "image/jpeg"}, "d");
  const std::string inner =
      multipart("mixed", {"text/plain", "image/jpeg inline", "text/plain"}, "f");
  const std::string alternative = multipart("alternative", {inner, related}, "c");
  const std::string message = multipart(
      "mixed",
      {"text/plain",
       multipart("mixed",
                 {alternative, "image/jpeg attachment", "application/x-excel", "message/rfc822"},
                 "g"),
       "text/plain"});
  const MessageView view(message);
  const BodyChoice choice = choose_bodies(view);
  // 1 A; 4 mixed of 5 B, 6 C, 7 D; 8 related of 9 E, 10 F; 11 G, 12 H, 13 J, 15 K
  CHECK(choice.text == Parts{1, 5, 6, 7, 15});
  CHECK(choice.html == Parts{1, 9, 15});
  CHECK(choice.attachments == Parts{6, 10, 11, 12, 13});
}

TEST_CASE("content: names, ids and languages of a part") {
  const std::string message =
      "Content-Type: application/pdf; name=old.pdf\n"
      "Content-Disposition: attachment;\n filename*0*=utf-8''Gr%C3%BC; filename*1=n.pdf\n"
      "Content-ID: <1@2>\nContent-Description: =?utf-8?q?=C3=A4?=\n\nx\n";
  Anomalies anomalies;
  const PartContent content = MessageView(message).content(0, &anomalies);
  CHECK(content.filename == "Gr\xc3\xbcn.pdf");
  CHECK(content.disposition->type == "attachment");
  CHECK(content.id == "<1@2>");
  CHECK(content.description == "=?utf-8?q?=C3=A4?=");
}

TEST_CASE("content: an unknown encoding is shown as written, its octets as they are") {
  const std::string message = "Content-Transfer-Encoding: X-Foo\n\nQUJD\n";
  const MessageView view(message);
  CHECK(view.content(0).encoding == Encoding::unknown);
  CHECK(view.content(0).encoding_name == "x-foo");
  CHECK(decode_body(view, 0) == "QUJD\n");
}

TEST_CASE("content: a file name that deceives is an anomaly") {
  const std::string message = "Content-Disposition: attachment; filename=\"../a.pdf.exe\"\n\nx\n";
  Anomalies anomalies;
  (void)MessageView(message).content(0, &anomalies);
  CHECK(anomalies.has(AnomalyKind::deceptive_filename));
}

TEST_CASE("decode_text: transfer encoding, charset and line ends are undone") {
  const std::string message =
      "Content-Type: text/plain; charset=iso-8859-1\n"
      "Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\r\nx=\ny\n";
  CHECK(decode_text(MessageView(message), 0) ==
        "Gr\xc3\xbc\xc3\x9f"
        "e\nxy\n");
}

TEST_CASE("TextReader: the text doesn't depend on how the body is cut") {
  const std::string body = "R3L8w59lDQp4\nDQ0KeQ==\n";  // "Grüße\r\nx\r\r\ny", with one raw octet
  TextReader whole(Encoding::base64, "utf-8");
  std::string expected;
  whole.feed(body, expected);
  whole.finish(expected);
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    CAPTURE(cut);
    TextReader reader(Encoding::base64, "utf-8");
    std::string out;
    reader.feed(std::string_view(body).substr(0, cut), out);
    reader.feed(std::string_view(body).substr(cut), out);
    reader.finish(out);
    CHECK(out == expected);
  }
  CHECK(expected ==
        "Gr\xef\xbf\xbd\xc3\x9f"
        "e\nx\r\ny");
  Anomalies anomalies;
  whole.report(anomalies, 7);
  CHECK(anomalies.has(AnomalyKind::invalid_in_charset));
}

TEST_CASE("Anomalies: a flood of one kind is counted, and doesn't hide another") {
  Anomalies anomalies;
  for (std::uint64_t i = 0; i < 100'000; ++i) anomalies.add(AnomalyKind::empty_part, i);
  CHECK_FALSE(anomalies.critical());
  anomalies.add(AnomalyKind::boundary_reused, 5);
  CHECK(anomalies.list().size() == Anomalies::kept_per_kind + 1);
  CHECK(anomalies.count(AnomalyKind::empty_part) == 100'000);
  CHECK(anomalies.critical());
  Anomalies sum;
  sum.append(anomalies, 10);
  CHECK(sum.count(AnomalyKind::empty_part) == 100'000);
  CHECK(sum.list().back() == Anomaly{AnomalyKind::boundary_reused, Severity::critical, 15});
}
