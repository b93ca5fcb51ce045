#include "libmail/message/mime_parser.h"

#include <catch2/catch.hpp>
#include <string>

using namespace posthorn::message;

namespace {

std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

// "0 header 0-10 body 10-20 lines 1/0 | ..." : everything a tree says, to compare trees by.
std::string describe(const PartTree& tree) {
  std::string out;
  for (const Part& part : tree.parts) {
    out += std::to_string(part.depth) + " " + std::to_string(part.header_begin) + "-" +
           std::to_string(part.body_begin) + "-" + std::to_string(part.body_end) + " p" +
           std::to_string(part.parent) + " n" + std::to_string(part.next) + " l" +
           std::to_string(part.header_lines) + "/" + std::to_string(part.header_bare_lf) + " " +
           std::to_string(part.body_lines) + "/" + std::to_string(part.body_bare_lf) + " m" +
           std::to_string(static_cast<int>(part.media.top)) + "." +
           std::to_string(static_cast<int>(part.media.sub)) + " e" +
           std::string(name(part.encoding)) + " f" + std::to_string(part.flags) + "\n";
  }
  for (const Anomaly& anomaly : tree.anomalies.list())
    out += std::string(name(anomaly.kind)) + "@" + std::to_string(anomaly.offset) + "\n";
  return out;
}

std::string body(std::string_view message, const Part& part) {
  return std::string(message.substr(part.body_begin, part.body_end - part.body_begin));
}

// The bodies of all leaves, "|" between them.
std::string bodies(std::string_view message) {
  const PartTree tree = parse_mime(message);
  std::string out;
  for (std::uint32_t i = 0; i < tree.parts.size(); ++i) {
    if (tree.first_child(i) != Part::none) continue;
    out += body(message, tree.parts[i]) + "|";
  }
  if (!out.empty()) out.pop_back();
  return out;
}

bool has(std::string_view message, AnomalyKind kind, const MimeLimits& limits = {}) {
  return parse_mime(message, limits).anomalies.has(kind);
}

std::string multipart(std::string_view body, std::string_view boundary = "b") {
  return "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"" + std::string(boundary) +
         "\"\n\n" + std::string(body);
}

constexpr std::string_view nested =
    "From: a@b.example\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=outer\n"
    "\n"
    "preamble\n"
    "--outer\n"
    "Content-Type: multipart/alternative; boundary=\"outer-in\"\n"
    "\n"
    "--outer-in\n"
    "\n"
    "plain\n"
    "-- \n"
    "sig\n"
    "--outer-in\n"
    "Content-Type: text/html\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "<p>=20\n"
    "\n"
    "--outer-in--\n"
    "inner epilogue\n"
    "--outer  \n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: within\n"
    "Content-Type: text/plain\n"
    "\n"
    "deep\n"
    "--outer--\n"
    "epilogue\n";

}  // namespace

TEST_CASE("MimeParser: a message without MIME is one text part") {
  const std::string message = "Subject: x\r\n\r\nHello\r\nthere\r\n";
  const PartTree tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 1);
  const Part& part = tree.parts[0];
  CHECK(part.media == MediaType{TopType::text, Subtype::plain});
  CHECK(part.has(Part::default_type));
  CHECK(part.header_lines == 2);
  CHECK(body(message, part) == "Hello\r\nthere\r\n");
  CHECK(part.body_lines == 2);
  CHECK(tree.anomalies.empty());
}

TEST_CASE("MimeParser: nested parts lie where they lie") {
  const PartTree tree = parse_mime(nested);
  REQUIRE(tree.parts.size() == 6);
  CHECK(bodies(nested) == "plain\n-- \nsig|<p>=20\n|deep");
  CHECK(tree.parts[1].parent == 0);
  CHECK(tree.parts[1].next == 4);
  CHECK(tree.parts[2].next == 3);
  CHECK(tree.parts[5].parent == 4);
  CHECK(tree.parts[5].has(Part::whole_message));
  CHECK(tree.parts[3].encoding == Encoding::quoted_printable);
  CHECK(tree.parts[0].body_end == nested.size());
  CHECK_FALSE(tree.ambiguous());
}

TEST_CASE("MimeParser: CRLF and LF give the same tree, and the same sizes in CRLF octets") {
  const std::string with_crlf = crlf(nested);
  const PartTree lf = parse_mime(nested);
  const PartTree cr = parse_mime(with_crlf);
  REQUIRE(lf.parts.size() == cr.parts.size());
  for (std::size_t i = 0; i < lf.parts.size(); ++i) {
    CAPTURE(i);
    CHECK(crlf(body(nested, lf.parts[i])) == body(with_crlf, cr.parts[i]));
    CHECK(lf.parts[i].crlf_body_size() == cr.parts[i].body_size());
    CHECK(lf.parts[i].crlf_header_size() == cr.parts[i].header_size());
    CHECK(lf.parts[i].body_lines == cr.parts[i].body_lines);
    CHECK(cr.parts[i].body_bare_lf == 0);
  }
}

TEST_CASE("MimeParser: the tree doesn't depend on how the message is cut") {
  const std::string message =
      GENERATE(std::string(nested), crlf(nested),
               multipart("--b\n\n\0x\r\ny\rz\n-\n--bx\n--b\nSubject\n cont\n--b--\n--b\nend"),
               "\r\n\r\r\n--b\n",
               std::string("From x\n \nA: b\xff\n \n\n-") + std::string(2000, 'x') + "\r");
  const std::string whole = describe(parse_mime(message));
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    CAPTURE(cut);
    MimeParser parser;
    parser.feed(std::string_view(message).substr(0, cut));
    parser.feed(std::string_view(message).substr(cut));
    REQUIRE(describe(parser.finish()) == whole);
  }
  MimeParser octets;
  for (const char c : message) octets.feed(std::string_view(&c, 1));
  CHECK(describe(octets.finish()) == whole);
}

TEST_CASE("MimeParser: the line end in front of a delimiter is the delimiter's") {
  CHECK(bodies(multipart("--b\n\n\n--b\n\nx\n\n--b--\n")) == "|x\n");
  const PartTree tree = parse_mime(multipart("--b\n\nx\ny\n--b--\n"));
  CHECK(tree.parts[1].body_lines == 1);
}

TEST_CASE("MimeParser: a delimiter right behind the header leaves an empty body") {
  const std::string message = multipart("--b\nX: y\n\n--b--\n");
  CHECK(bodies(message).empty());
  CHECK(parse_mime(message).anomalies.empty());
}

TEST_CASE("MimeParser: a message ends where the part ends that it is in") {
  const PartTree tree =
      parse_mime(multipart("--b\nContent-Type: message/rfc822\n\nSubject: x\n\n--b\n"
                           "Content-Type: message/rfc822\n\n--b--\n"));
  REQUIRE(tree.parts.size() == 5);
  CHECK(tree.parts[2].body_size() == 0);
  CHECK(tree.parts[1].body_end == tree.parts[2].body_end);
  CHECK(tree.parts[1].body_lines == 2);
  CHECK(tree.parts[3].body_size() == 0);
  CHECK(tree.parts[4].body_end == tree.parts[3].body_end);
}

TEST_CASE("MimeParser: a header that a delimiter ends has no body") {
  const std::string message = multipart("--b\nContent-Type: text/html\n--b\n\nx\n--b--\n");
  const PartTree tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 3);
  CHECK(tree.parts[1].media.sub == Subtype::html);
  CHECK(tree.parts[1].body_size() == 0);
  CHECK(tree.parts[1].header_lines == 0);
  CHECK(tree.anomalies.has(AnomalyKind::unterminated_header));
}

TEST_CASE("MimeParser: a delimiter ends the header of a message and of the message within") {
  const PartTree tree = parse_mime(multipart("--b\nContent-Type: message/rfc822\n--b--\n"));
  REQUIRE(tree.parts.size() == 3);
  CHECK(tree.parts[2].has(Part::default_type));
  CHECK(tree.parts[2].header_lines == 0);
  CHECK(tree.parts[2].body_end == tree.parts[1].body_end);
}

TEST_CASE("MimeParser: boundaries match whole lines, blanks behind them aside") {
  CHECK(bodies(multipart("--b\n\nx\n--bc\ny\n--b \t\r\n\nz\n--b--\t \n")) == "x\n--bc\ny|z");
  CHECK(has(multipart("--b\n\nx\n--bc\n--b--\n"), AnomalyKind::boundary_with_tail));
  CHECK(bodies(multipart("--b\n\nx\n --b\n-b\n--\n--b--\n")) == "x\n --b\n-b\n--");
}

TEST_CASE("MimeParser: a boundary that begins like another is not taken for it") {
  const std::string message = multipart(
      "--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nin\n--ab--\n--a\n\n"
      "out\n--a--\n",
      "a");
  CHECK(bodies(message) == "in|out");
  CHECK_FALSE(parse_mime(message).ambiguous());
}

TEST_CASE("MimeParser: a delimiter of an outer multipart ends the inner ones") {
  const std::string message =
      multipart("--b\nContent-Type: multipart/mixed; boundary=in\n\n--in\n\nx\n--b\n\ny\n--b--\n");
  const PartTree tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 4);
  CHECK(tree.parts[3].parent == 0);
  CHECK(bodies(message) == "x|y");
  CHECK(tree.anomalies.has(AnomalyKind::implicitly_closed));
}

TEST_CASE("MimeParser: of two equal boundaries the outer one wins") {
  const std::string message =
      multipart("--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n");
  const PartTree tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 3);
  CHECK(tree.parts[2].parent == 0);
  CHECK(tree.anomalies.has(AnomalyKind::boundary_reused));
  CHECK(tree.ambiguous());
}

TEST_CASE("MimeParser: a boundary that is another's closing delimiter is flagged") {
  CHECK(has(multipart("--b\nContent-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n"),
            AnomalyKind::boundary_reused));
}

TEST_CASE("MimeParser: what is missing or too much in a multipart is noted") {
  CHECK(has(multipart("--b\n\nx"), AnomalyKind::unclosed_multipart));
  CHECK(has(multipart("no part\n"), AnomalyKind::multipart_without_parts));
  CHECK(has(multipart("--b\n\nx\n--b--\n--b\n\ny\n"), AnomalyKind::delimiter_after_close));
  CHECK(has(multipart("--b\n--b--\n"), AnomalyKind::empty_part));
  CHECK(has("Content-Type: multipart/mixed\n\n--b\n", AnomalyKind::multipart_without_boundary));
  CHECK(has("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n",
            AnomalyKind::multipart_without_boundary));
}

TEST_CASE("MimeParser: the closing delimiter may be the last octets") {
  const PartTree tree = parse_mime(multipart("--b\n\nx\n--b--"));
  CHECK(tree.parts[0].has(Part::closed));
  CHECK_FALSE(tree.anomalies.has(AnomalyKind::unclosed_multipart));
}

TEST_CASE("MimeParser: parts of a digest are messages unless they say otherwise") {
  const std::string message =
      "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n"
      "--b\n\nSubject: one\n\n1\n--b\nContent-Type: text/plain\n\n2\n--b--\n";
  const PartTree tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 4);
  CHECK(tree.parts[1].media.message());
  CHECK(tree.parts[1].has(Part::default_type));
  CHECK(bodies(message) == "1|2");
}

TEST_CASE("MimeParser: an encoded message is a leaf, an encoded multipart is not") {
  const PartTree leaf = parse_mime(
      "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
      "U3ViamVjdDogeAoKeQo=\n");
  REQUIRE(leaf.parts.size() == 1);
  CHECK(leaf.parts[0].has(Part::opaque));
  CHECK(leaf.anomalies.has(AnomalyKind::encoding_on_composite));
  const PartTree tree = parse_mime(
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
      "Content-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n");
  CHECK(tree.parts.size() == 2);
  CHECK(tree.ambiguous());
}

TEST_CASE("MimeParser: of several Content-Type fields the first counts, and it is critical") {
  const std::string message =
      "MIME-Version: 1.0\nContent-Type: text/plain\n"
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n";
  const PartTree tree = parse_mime(message);
  CHECK(tree.parts.size() == 1);
  CHECK(tree.anomalies.has(AnomalyKind::conflicting_field));
  CHECK(tree.ambiguous());
}

TEST_CASE("MimeParser: header blocks that other programs end elsewhere are ambiguous") {
  CHECK(has("no colon\nSubject: x\n\nb", AnomalyKind::not_a_field));
  CHECK(has(" cont\nSubject: x\n\nb", AnomalyKind::leading_continuation));
  CHECK(has("Subject: x\n \t\nTo: a\n\nb", AnomalyKind::blank_folded_line));
  CHECK(has("Subject: x\rTo: a\n\nb", AnomalyKind::bare_cr_in_header));
  CHECK(has(std::string("Subject: x\0y\n\nb", 15), AnomalyKind::nul_in_header));
  CHECK(has("Subject: x\r\r\n\r\nb", AnomalyKind::bare_cr_in_header));
}

TEST_CASE("MimeParser: what is only untidy is a warning") {
  for (const auto& [message, kind] : std::initializer_list<std::pair<std::string, AnomalyKind>>{
           {"From x Mon\nSubject: y\n\nb", AnomalyKind::mbox_from_line},
           {"Subject: \xff\n\nb", AnomalyKind::unencoded_8bit},
           {"Subject: x\nsubject:  x\n\nb", AnomalyKind::duplicate_field},
           {"Content-Type: text/plain\n\nb", AnomalyKind::missing_mime_version},
           {"Subject: x\n", AnomalyKind::unterminated_header},
           {"Subject: x\r\n\nb\r\n", AnomalyKind::mixed_line_ends},
           {"Subject: x\n\n" + std::string(999, 'x') + "\n", AnomalyKind::line_too_long},
           {"Subject: x\n\n\xc3\xa4\n", AnomalyKind::undeclared_8bit},
           {std::string("Subject: x\n\na\0b\n", 15), AnomalyKind::nul_in_body},
           {"Subject: x\r\n\r\na\rb\r\n", AnomalyKind::bare_cr_in_body},
       }) {
    CAPTURE(message);
    const PartTree tree = parse_mime(message);
    CHECK(tree.anomalies.has(kind));
    CHECK_FALSE(tree.ambiguous());
  }
  CHECK_FALSE(
      has("Subject: x\r\n\r\n" + std::string(998, 'x') + "\r\n", AnomalyKind::line_too_long));
}

TEST_CASE("MimeParser: an anomaly says where") {
  const PartTree tree = parse_mime("Subject: x\r\n\r\nab\rc\r\n");
  REQUIRE(tree.anomalies.list().size() == 1);
  CHECK(tree.anomalies.list()[0].offset == 16);
}

TEST_CASE("MimeParser: nesting beyond the limit is left as a leaf") {
  std::string message;
  for (int i = 0; i < 150; ++i) {
    const std::string number = std::to_string(i);
    message += "Content-Type: multipart/mixed; boundary=\"" + number + "x\"\n\n--" + number + "x\n";
  }
  const PartTree tree = parse_mime(message);
  CHECK(tree.parts.size() == 101);
  CHECK(tree.parts.back().has(Part::opaque));
  CHECK(tree.parts.back().body_end == message.size());
  CHECK(tree.anomalies.has(AnomalyKind::nesting_too_deep));
  std::string messages;
  for (int i = 0; i < 150; ++i) messages += "Content-Type: message/rfc822\n\n";
  CHECK(parse_mime(messages).parts.size() == 101);
}

TEST_CASE("MimeParser: of too many parts the last one takes what is left") {
  MimeLimits limits;
  limits.parts = 4;
  const std::string message =
      multipart("--b\n\n1\n--b\n\n2\n--b\n\n3\n--b\n\n4\n--b\n\n5\n--b--\n");
  const PartTree tree = parse_mime(message, limits);
  REQUIRE(tree.parts.size() == 4);
  CHECK(body(message, tree.parts[3]) == "3\n--b\n\n4\n--b\n\n5\n--b--\n");
  CHECK(tree.anomalies.has(AnomalyKind::too_many_parts));
}

TEST_CASE("MimeParser: fields beyond a limit don't count, and the body is still found") {
  const std::string tail = "Content-Type: text/html\n\nbody";
  MimeLimits limits;
  limits.fields = 3;
  limits.header_bytes = 100;
  limits.field_bytes = 50;
  const auto check = [&](const std::string& message, AnomalyKind kind) {
    CAPTURE(message);
    const PartTree tree = parse_mime(message, limits);
    CHECK(tree.anomalies.has(kind));
    CHECK(tree.ambiguous());
    CHECK(body(message, tree.parts[0]) == "body");
    return tree.parts[0].media.sub;
  };
  CHECK(check("A: 1\nB: 2\nC: 3\n" + tail, AnomalyKind::too_many_fields) == Subtype::plain);
  CHECK(check("A: " + std::string(100, 'x') + "\n" + tail, AnomalyKind::header_too_large) ==
        Subtype::plain);
  CHECK(check("A: " + std::string(60, 'x') + "\n" + tail, AnomalyKind::field_too_long) ==
        Subtype::html);
}

TEST_CASE("MimeParser: a boundary above the limit is not looked for") {
  const std::string boundary(2049, 'x');
  CHECK(has(multipart("--" + boundary + "\n\n", boundary), AnomalyKind::boundary_too_long));
  const std::string longish(2048, 'x');
  CHECK(
      parse_mime(multipart("--" + longish + "\n\ny\n--" + longish + "--", longish)).parts.size() ==
      2);
}

TEST_CASE("MimeParser: two values for one boundary are critical") {
  const PartTree tree = parse_mime(
      "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a; boundary=b\n\n"
      "--a\n\nx\n--a--\n--b\n\ny\n--b--\n");
  CHECK(tree.parts.size() == 2);
  CHECK(tree.anomalies.has(AnomalyKind::conflicting_parameter));
  CHECK(tree.ambiguous());
}

TEST_CASE("MimeParser: nothing at all is a message, too") {
  const PartTree tree = parse_mime("");
  REQUIRE(tree.parts.size() == 1);
  CHECK(tree.parts[0].body_size() == 0);
}
