#include "libmail/smtp/envelope.h"

#include <catch2/catch.hpp>

#include "libmail/smtp/xtext.h"

namespace posthorn::smtp {

TEST_CASE("xtext carries any octet") {
  CHECK(encode_xtext("a+b=c d") == "a+2Bb+3Dc+20d");
  CHECK(decode_xtext("a+2Bb+3Dc+20d") == "a+b=c d");
  CHECK(decode_xtext("+2b") == "+");
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(decode_xtext(encode_xtext(all)) == all);
}

TEST_CASE("xtext refuses what it doesn't hold") {
  const auto text = GENERATE("a=b", "a b", "+", "+2", "+2G", "+G2", "\xC3\xBC", "a\r");
  CAPTURE(text);
  CHECK_FALSE(decode_xtext(text));
}

TEST_CASE("controls that xtext hides are refused where text is wanted") {
  CHECK(decode_xtext("a+0D+0Ab") == "a\r\nb");
  const auto text = GENERATE("a+0D+0AB", "+00", "+7F", "+0A", "+1B[2J");
  CAPTURE(text);
  CHECK_FALSE(decode_xtext_text(text));
}

TEST_CASE("NOTIFY is NEVER, or a list of conditions") {
  CHECK(parse_notify("NEVER")->bits == Notify::never);
  CHECK(parse_notify("success,DELAY")->bits == (Notify::success | Notify::delay));
  CHECK(format_notify(Notify(Notify::success | Notify::delay)) == "SUCCESS,DELAY");
  CHECK(format_notify(Notify(Notify::never)) == "NEVER");
  CHECK(format_notify(Notify()).empty());
  const auto bad =
      GENERATE("", "NEVER,DELAY", "SUCCESS,", ",SUCCESS", "SOMETIMES", "SUCCESS NEVER");
  CAPTURE(bad);
  CHECK_FALSE(parse_notify(bad));
}

TEST_CASE("an unspecified NOTIFY wants failures and delays reported") {
  CHECK(Notify().wants_failure());
  CHECK(Notify().wants_delay());
  CHECK_FALSE(Notify().wants_success());
  CHECK_FALSE(Notify(Notify::never).wants_failure());
  CHECK_FALSE(Notify(Notify::success).wants_delay());
}

TEST_CASE("ORCPT is a type and an address") {
  const auto orcpt = parse_orcpt("rfc822;ann+2Btag@example.org");
  REQUIRE(orcpt);
  CHECK(orcpt->type == "rfc822");
  CHECK(orcpt->address == "ann+tag@example.org");
  CHECK(format_orcpt(*orcpt) == "rfc822;ann+2Btag@example.org");
  const auto bad = GENERATE("ann@example.org", "rfc822;", ";ann", "rfc 822;ann", "rfc822;a+0D+0Ab",
                            "rfc822;+00", "rfc822;a b", "rfc822;+FF");
  CAPTURE(bad);
  CHECK_FALSE(parse_orcpt(bad));
}

TEST_CASE("ORCPT of type utf-8 is ASCII to servers without SMTPUTF8") {
  const auto orcpt = parse_orcpt("utf-8;m\\x{FC}ller@example.org");
  REQUIRE(orcpt);
  CHECK(orcpt->address == "m\xC3\xBCller@example.org");
  CHECK(format_orcpt(*orcpt, Utf8::refused) == "utf-8;m\\x{FC}ller@example.org");
  CHECK(format_orcpt(*orcpt, Utf8::allowed) == "utf-8;m\xC3\xBCller@example.org");
  CHECK(parse_orcpt("utf-8;m\xC3\xBCller@example.org") == *orcpt);
  CHECK(parse_orcpt(format_orcpt(OriginalRecipient("utf-8", "a+b=c\\d\xF0\x9F\x93\xAF"))) ==
        OriginalRecipient("utf-8", "a+b=c\\d\xF0\x9F\x93\xAF"));
  const auto bad = GENERATE("utf-8;\\x{D}", "utf-8;\\x{0}", "utf-8;\\x{D800}", "utf-8;\\x{110000}",
                            "utf-8;\\x{}", "utf-8;\\x{41", "utf-8;\\y", "utf-8;\xC3");
  CAPTURE(bad);
  CHECK_FALSE(parse_orcpt(bad));
}

}  // namespace posthorn::smtp
