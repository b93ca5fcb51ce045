#include "libmail/store/maildir_name.h"

#include <catch2/catch.hpp>
#include <set>

using namespace posthorn;
using namespace posthorn::store;

TEST_CASE("parse_maildir_name: takes a name of ours apart") {
  const auto name =
      parse_maildir_name("1795378460.M123456P812Q7.mail.example.org,S=4012,W=4101:2,FSac");
  REQUIRE(name);
  CHECK(name->base == "1795378460.M123456P812Q7.mail.example.org,S=4012,W=4101");
  CHECK(name->seconds == 1795378460);
  CHECK(name->microseconds == 123456);
  CHECK(name->size == 4012U);
  CHECK(name->crlf_size == 4101U);
  CHECK(name->flags.flagged);
  CHECK(name->flags.seen);
  CHECK_FALSE(name->flags.trashed);
  CHECK(name->keywords == "ac");
}

TEST_CASE("parse_maildir_name: Postfix's and qmail's names have no sizes and other parts") {
  const auto postfix = parse_maildir_name("1795378460.V801I12c3M99.host");
  REQUIRE(postfix);
  CHECK(postfix->microseconds == 99);
  CHECK_FALSE(postfix->size);
  const auto qmail = parse_maildir_name("1795378460.123.host:2,");
  REQUIRE(qmail);
  CHECK(qmail->seconds == 1795378460);
  CHECK(qmail->base == "1795378460.123.host");
}

TEST_CASE("parse_maildir_name: strangers' names are harmless") {
  using namespace std::string_literals;
  for (const std::string& bad :
       {""s, "."s, "..hidden"s, ":2,S"s, "a\nb"s, "a\rb"s, "a\0b"s, "a/b"s}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_maildir_name(bad));
  }
  const auto odd =
      parse_maildir_name("99999999999999999999.M1,S=99999999999999999999,W=,S=7x,W=3:1,S");
  REQUIRE(odd);
  CHECK(odd->seconds == 0);
  CHECK_FALSE(odd->size);
  CHECK(odd->crlf_size == 3U);
  CHECK_FALSE(odd->flags.seen);  // ":1," is somebody's experiment
  CHECK(parse_maildir_name("x:2," + std::string(4096, 'S'))->flags.seen);
}

TEST_CASE("format_maildir_name: flags stand in ASCII order, keywords behind them, each once") {
  MaildirFlags flags;
  flags.seen = flags.draft = flags.replied = true;
  CHECK(format_maildir_name("b", flags, "cac") == "b:2,DRSac");
  CHECK(format_maildir_name("b", {}) == "b:2,");
}

TEST_CASE("MaildirNames: no name comes twice, even if the clock stands still") {
  MaildirNames names("mail/x:y,z.example", 812);
  const WallTime now{std::chrono::microseconds(1795378460000007)};
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(names.make(now, 10, 11));
  CHECK(seen.size() == 1000);
  CHECK(names.make(now, 10, 11) ==
        "1795378460.M7P812Q1001.mail\\057x\\072y\\054z.example,S=10,W=11");
}

TEST_CASE("arrived_before: by time, whatever the digits look like") {
  const auto early = parse_maildir_name("999.M5P1.h");
  const auto late = parse_maildir_name("1000.M4P1.h");
  CHECK(arrived_before(*early, *late));
  CHECK_FALSE(arrived_before(*late, *early));
}
