#include "libmail/message/date.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::message;

namespace {

std::string shown(std::string_view text) {
  const auto date = parse_date(text);
  if (!date) return "none";
  return format_rfc3339(date->time).substr(0, 19) + " " + std::to_string(date->zone.count()) +
         (date->zone_known ? "" : " unknown") + (date->by_the_book ? "" : " guessed");
}

}  // namespace

TEST_CASE("parse_date: reads RFC 5322 with its obsolete forms") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"Sun, 22 Nov 2026 20:24:20 +0100", "2026-11-22T19:24:20 60"},
      {"22 Nov 2026 20:24 -0330", "2026-11-22T23:54:00 -210"},
      {" Sun , 1 nov 2026 00:00:00 +0000 (UTC)", "2026-11-01T00:00:00 0"},
      {"Sun, 22 Nov 2026 20:24:20 -0000", "2026-11-22T20:24:20 0 unknown"},
      {"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06 0"},
      {"21 Nov 03 09:55:06 EST", "2003-11-21T14:55:06 -300"},
      {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06 -360"},
      {"21 Nov 1997 09:55:06 A", "1997-11-21T09:55:06 0 unknown"},
      {"Sun, 22 Nov 2026 23:59:60 +0000", "2026-11-23T00:00:00 0"},
      {"Sun,\r\n 22 Nov 2026 20:24:20 +0100", "2026-11-22T19:24:20 60"},
      {"29 Feb 2024 00:00:00 Z", "2024-02-29T00:00:00 0"},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_date: guesses what real mail means") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"Mon, 22 Nov 2026 20:24:20 +0100", "2026-11-22T19:24:20 60 guessed"},
      {"Sun Nov 22 20:24:20 2026", "2026-11-22T20:24:20 0 unknown guessed"},
      {"Sun Nov 22 20:24:20 EST 2026", "2026-11-23T01:24:20 -300 guessed"},
      {"22 November 2026 20:24:20 GMT+0200", "2026-11-22T18:24:20 120 guessed"},
      {"Nov 22, 2026 8:24 PM", "2026-11-22T20:24:00 0 unknown guessed"},
      {"2026-11-22T20:24:20.123+01:00", "2026-11-22T19:24:20 60 guessed"},
      {"2026-11-22 20:24:20Z", "2026-11-22T20:24:20 0 guessed"},
      {"22-Nov-2026 20:24:20 +0100", "2026-11-22T19:24:20 60 guessed"},
      {"Sun, 22 Nov 2026", "2026-11-22T00:00:00 0 unknown guessed"},
      {"Sun, 22 Nov 2026 20:24:20", "2026-11-22T20:24:20 0 unknown guessed"},
      {"Sun, 22 Nov 2026 20:24:20 +9999", "2026-11-22T20:24:20 0 unknown guessed"},
      {"Sun, 22 Nov 2026 20:24:20 +0100 junk", "2026-11-22T19:24:20 60 guessed"},
      {"12:30 12 Dec 2026", "none"},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_date: what is no day of the calendar is no date") {
  const std::string text = GENERATE(
      as<std::string>(), "", "yesterday", "30 Feb 2026 00:00:00 +0000", "0 Nov 2026 00:00:00 +0000",
      "99999999999999999999 Nov 2026", "22 Nov 99999 00:00:00 +0000", "22 Xxx 2026", "Sun,", "((((",
      "22", "1 Jan 0000 00:00:00 +0000", "2026-13-01");
  CAPTURE(text);
  CHECK(shown(text) == "none");
}

TEST_CASE("format_date: writes an instant on a clock of any zone") {
  const auto time = parse_date("Sun, 22 Nov 2026 20:24:20 +0000")->time;
  CHECK(format_date(time, std::chrono::minutes(60)) == "Sun, 22 Nov 2026 21:24:20 +0100");
  CHECK(format_date(time, std::chrono::minutes(-210)) == "Sun, 22 Nov 2026 16:54:20 -0330");
  CHECK(format_date(time, std::chrono::minutes(300)) == "Mon, 23 Nov 2026 01:24:20 +0500");
}

TEST_CASE("parse_internal_date: reads what format_internal_date writes, and nothing else") {
  const auto time = parse_date("2 Nov 2026 20:24:20 +0000")->time;
  CHECK(format_internal_date(time) == " 2-Nov-2026 20:24:20 +0000");
  CHECK(format_internal_date(time, std::chrono::minutes(-90)) == " 2-Nov-2026 18:54:20 -0130");
  const auto date = parse_internal_date(" 2-Nov-2026 18:54:20 -0130");
  REQUIRE(date);
  CHECK(date->time == time);
  CHECK(date->zone == std::chrono::minutes(-90));
  CHECK(parse_internal_date("22-Nov-2026 18:54:20 +0000"));
  CHECK(parse_internal_date("2-Nov-2026 18:54:20 +0000"));
  const std::string bad =
      GENERATE(as<std::string>(), "", "22 Nov 2026 18:54:20 +0000", "22-Nov-2026 18:54 +0000",
               "22-Nov-2026 18:54:20", "31-Feb-2026 18:54:20 +0000", "22-Nov-26 18:54:20 +0000",
               "22-Nov-2026 18:54:20 GMT", "222-Nov-2026 18:54:20 +0000");
  CAPTURE(bad);
  CHECK_FALSE(parse_internal_date(bad));
}
