#include "libmail/message/line_scan.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace posthorn::message;

namespace {

// Octets that are mostly those that matter.
std::string random_text(std::mt19937& random, std::size_t size, int letters) {
  constexpr std::string_view special("\n\r-\0\x80", 5);
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    const auto n =
        random() % static_cast<unsigned>(special.size() + static_cast<std::size_t>(letters));
    out += n < special.size() ? special[n] : 'x';
  }
  return out;
}

// To the end, over every stop, in pieces of `piece` octets.
Tally scan_all(std::string_view text, std::size_t piece, Instructions with,
               std::vector<std::size_t>* stops) {
  Tally tally;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at, piece);
    const std::size_t taken =
        scan_lines(rest, stops != nullptr ? StopAt::dash : StopAt::end, tally, with);
    at += taken;
    if (taken == rest.size()) continue;
    stops->push_back(at);
    (void)scan_lines(text.substr(at, 1), StopAt::end, tally);
    ++at;
  }
  return tally;
}

}  // namespace

TEST_CASE("scan_lines: the vector forms agree with the scalar one, however the text is cut") {
  const Instructions with = GENERATE(Instructions::best, Instructions::sse2);
  std::mt19937 random(20261123);
  for (const int letters : {0, 3, 60, 2000}) {
    for (const std::size_t size : {1U, 63U, 128U, 129U, 500U, 5000U, 100'000U}) {
      const std::string text = random_text(random, size, letters);
      Tally expected;
      REQUIRE(scan_lines(text, StopAt::end, expected, Instructions::scalar) == text.size());
      std::vector<std::size_t> expected_stops;
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '-' && (i == 0 || text[i - 1] == '\n')) expected_stops.push_back(i);
      }
      for (const std::size_t piece :
           {text.size(), std::size_t{64}, std::size_t{191}, std::size_t{4096}}) {
        CAPTURE(letters, size, piece);
        std::vector<std::size_t> stops;
        CHECK(scan_all(text, piece, with, &stops) == expected);
        CHECK(stops == expected_stops);
        CHECK(scan_all(text, piece, with, nullptr) == expected);
      }
    }
  }
}

TEST_CASE("scan_lines: 998 octets are no long line, 999 are, wherever the line begins") {
  for (std::size_t before = 0; before < 200; ++before) {
    for (const std::size_t size : {998U, 999U}) {
      for (const std::string_view end : {"\n", "\r\n"}) {
        CAPTURE(before, size, end.size());
        const std::string text =
            std::string(before, 'x') + "\n" + std::string(size, 'x') + std::string(end) + "y\n";
        Tally tally;
        REQUIRE(scan_lines(text, StopAt::end, tally) == text.size());
        CHECK(tally.long_line == (size == 999));
      }
    }
  }
}

TEST_CASE("LineBuffer: a line beyond the limit is cut, its size and tail are known") {
  for (std::size_t cut = 0; cut < 22; ++cut) {
    CAPTURE(cut);
    const std::string_view text = "0123456789abc  \t\r\nnext";
    LineBuffer buffer(10);
    Line line;
    bool whole = false;
    const std::size_t taken = buffer.take(text.substr(0, cut), 0, line, whole);
    if (!whole) REQUIRE(buffer.take(text.substr(taken), taken, line, whole) == 18 - taken);
    REQUIRE(whole);
    CHECK(line.text == "0123456789");
    CHECK(line.size == 16);
    CHECK(line.crlf);
    CHECK(line.end() == 18);
    CHECK_FALSE(line.blank_tail);
  }
}
