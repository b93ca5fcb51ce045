#include "libmail/sasl/password.h"

#include <catch2/catch.hpp>

#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"

using namespace posthorn;
using namespace posthorn::sasl;

namespace {

StoredPassword stored(std::string_view field) {
  auto parsed = parse_password(field);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace

TEST_CASE("make_password: what is made is verified, and nothing else is") {
  const Scheme scheme = GENERATE(Scheme::scram_sha_256, Scheme::crypt);
  const auto field = make_password("correct horse", scheme);
  REQUIRE(field);
  CHECK(verify_password(stored(*field), "correct horse"));
  for (const auto* wrong : {"", "correct hors", "correct horsf", "Correct horse", "correct horse "})
    CHECK_FALSE(verify_password(stored(*field), wrong));
  CHECK(make_password("correct horse", scheme) != field);  // a fresh salt each time
}

TEST_CASE("make_password: the schemes look as Dovecot's do") {
  CHECK(make_password("x")->rfind("{SCRAM-SHA-256}4096,", 0) == 0);
  CHECK(make_password("x", Scheme::crypt)->rfind("{CRYPT}$y$", 0) == 0);
}

TEST_CASE("make_password: refuses what can't be typed or stored") {
  const std::string bad = GENERATE(as<std::string>(), "", "a\nb", std::string("a\0b", 3), "\xff",
                                   std::string(1025, 'a'));
  CHECK_FALSE(make_password(bad));
  CHECK_FALSE(make_password("x", Scheme::scram_sha_256, 100));
  CHECK_FALSE(make_password(std::string(600, 'a'), Scheme::crypt));
}

TEST_CASE("parse_password: reads hashes that other programs made") {
  // doveadm pw -s SCRAM-SHA-256 and mkpasswd give these forms.
  CHECK(verify_password(stored("{scram-sha-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
                               "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
                               "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="),
                        "pencil"));
  CHECK(verify_password(stored("{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
                               "O817G3uBnIFNjnQJuesI68u4OTLi"
                               "BFdcbYEdFCoEOfaS35inz1"),
                        "Hello world!"));
  CHECK(verify_password(stored("$1$abcdefgh$znAnv9M.XU2pRYfmSs46h/"), "x"));
  CHECK(verify_password(stored("{PLAIN}open {sesame}"), "open {sesame}"));
  CHECK_FALSE(verify_password(stored("{PLAIN}open"), "open "));
}

TEST_CASE("parse_password: refuses what it can't verify, without quoting it") {
  const std::string field = GENERATE(
      as<std::string>(), "", "{PLAIN}", "{PLAIN", "{MD4}secret", "{SCRAM-SHA-256}secret",
      "{SCRAM-SHA-256}0,AAAA,AAAA,AAAA", "{SCRAM-SHA-256}9999999,c2VjcmV0,c2VjcmV0,c2VjcmV0",
      "{SCRAM-SHA-256}4096,c2VjcmV0,c2VjcmV0,c2VjcmV0", "!secret", "{CRYPT}*secret");
  CAPTURE(field);
  const auto parsed = parse_password(field);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().find("secret") == std::string::npos);
  CHECK(parsed.error().find("c2Vj") == std::string::npos);
}

TEST_CASE("verify_password: a NUL never cuts a password short") {
  const auto field = make_password("abc", Scheme::crypt);
  CHECK_FALSE(verify_password(stored(*field), std::string("abc\0def", 7)));
}

TEST_CASE("verify_password: other ways to type the same characters fit") {
  const auto field = make_password("Gr\xc3\xbc\xc3\x9f");         // composed
  CHECK(verify_password(stored(*field), "Gru\xcc\x88\xc3\x9f"));  // decomposed
  CHECK(verify_password(stored(*make_password("I\xe2\x85\xa8")),
                        "IIX"));  // RFC 4013's example: roman numeral nine
}

TEST_CASE("make_decoy: has the same scheme and cost, and no password of the user") {
  for (const Scheme scheme : {Scheme::scram_sha_256, Scheme::crypt}) {
    const StoredPassword real = stored(*make_password("secret", scheme));
    const StoredPassword decoy = make_decoy(real);
    CHECK(decoy.index() == real.index());
    CHECK_FALSE(verify_password(decoy, "secret"));
    if (const auto* keys = std::get_if<ScramKeys>(&decoy))
      CHECK(keys->iterations == std::get<ScramKeys>(real).iterations);
  }
}

TEST_CASE("sasl_prep: the examples of RFC 4013") {
  CHECK(sasl_prep("I\xc2\xadX") == "IX");
  CHECK(sasl_prep("user") == "user");
  CHECK(sasl_prep("USER") == "USER");
  CHECK(sasl_prep("\xc2\xaa") == "a");
  CHECK(sasl_prep("\xe2\x85\xa8") == "IX");
  CHECK_FALSE(sasl_prep("\x07"));
  CHECK_FALSE(
      sasl_prep("\xd8\xa7"
                "1"));
}

TEST_CASE("sasl_prep: spaces, direction, what is prohibited, what is no text") {
  CHECK(sasl_prep("a\xc2\xa0"
                  "b") == "a b");
  CHECK(sasl_prep("\xd7\x90\xd7\x91") == "\xd7\x90\xd7\x91");  // right to left throughout
  for (const auto* bad : {"", "\xc2\xad", "\x7f", "a\xd7\x90", "\xee\x80\x80", "\xef\xbf\xbe",
                          "\xe2\x80\xae"
                          "a",
                          "\xf3\xa0\x80\x81", "\xed\xa0\x80", "\xc3", "a\xc2\x85"})
    CHECK_FALSE(sasl_prep(bad));
}
