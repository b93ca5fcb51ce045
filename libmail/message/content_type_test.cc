#include "libmail/message/content_type.h"

#include <catch2/catch.hpp>

using namespace posthorn::message;

TEST_CASE("parse_content_type: type and subtype in lower case, parameters behind") {
  Anomalies anomalies;
  const ContentType type = parse_content_type(" TEXT/Html; CharSet=\"UTF-8\"", anomalies);
  CHECK(type.type == "text");
  CHECK(type.subtype == "html");
  CHECK(type.media == MediaType{TopType::text, Subtype::html});
  CHECK(type.charset() == "UTF-8");
  CHECK(anomalies.empty());
}

TEST_CASE("parse_content_type: what is no type/subtype is text/plain") {
  for (const char* text : {"text", "", "/", "text/", "/plain", "text/html charset=x", "a b/c",
                           "text//html", "\"text\"/html", "(never ends"}) {
    CAPTURE(text);
    Anomalies anomalies;
    const ContentType type = parse_content_type(text, anomalies, 7);
    CHECK_FALSE(type.valid);
    CHECK(type.media == MediaType{TopType::text, Subtype::plain});
    CHECK(anomalies.has(AnomalyKind::bad_content_type));
    CHECK(anomalies.list().front().offset == 7);
  }
}

TEST_CASE("parse_content_type: comments and blanks are read over and noted") {
  for (const char* text :
       {"text/html (a (b) \\) c)", "(a)text/html;charset=x", "text / html", "text/\r\n html"}) {
    CAPTURE(text);
    Anomalies anomalies;
    const ContentType type = parse_content_type(text, anomalies);
    CHECK(type.media.sub == Subtype::html);
    CHECK(anomalies.has(AnomalyKind::loose_syntax));
  }
}

TEST_CASE("parse_disposition: an unreadable one is an attachment") {
  Anomalies anomalies;
  CHECK(parse_disposition("inline", anomalies).is_inline());
  CHECK(parse_disposition("Attachment; filename=a", anomalies).parameters.find("filename") !=
        nullptr);
  CHECK(anomalies.empty());
  CHECK(parse_disposition("; filename=a", anomalies).type == "attachment");
  CHECK(anomalies.has(AnomalyKind::bad_disposition));
}

TEST_CASE("parse_encoding: five are known, anything else is octets") {
  Anomalies anomalies;
  CHECK(parse_encoding(" 7BIT", anomalies) == Encoding::seven_bit);
  CHECK(parse_encoding("8bit\r\n", anomalies) == Encoding::eight_bit);
  CHECK(parse_encoding("binary", anomalies) == Encoding::binary);
  CHECK(parse_encoding("Quoted-Printable", anomalies) == Encoding::quoted_printable);
  CHECK(parse_encoding("base64", anomalies) == Encoding::base64);
  CHECK(anomalies.empty());
  for (const char* text : {"", "base-64", "base64;", "base64 x", "\"base64\"", "uuencode"}) {
    CAPTURE(text);
    CHECK(parse_encoding(text, anomalies) == Encoding::unknown);
  }
  CHECK(anomalies.count(AnomalyKind::unknown_encoding) == 6);
}
