// A dialogue as data: what the client says, what the server must answer. README.md has the format.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/base/result.h"

namespace posthorn::test {

struct Step {
  enum class Kind {
    send,        // C: C|   octets
    cut,         // C--     what is behind it goes out as a segment of its own
    close,       // C! close
    half_close,  // C! half
    tls,         // C! tls
    deflate,     // C! deflate
    line,        // S:      octets is a pattern
    until,       // S~      lines are passed over until one fits the pattern
    reply,       // S= CODE PATTERN: a whole reply, PATTERN is about its last line behind the code
    silence,     // S- none
    end,         // S! close
    time,        // T: 5m
    got,         // got: octets is a pattern
    act,         // do: octets says what happens beside the dialogue
  };
  Kind kind = Kind::send;
  int connection = 1;  // C2: and S2: are of a second one, opened when it is first named
  std::string octets;
  int code = 0;
  Duration time{};
  int line = 0;  // in the file

  Step() = default;
  Step(Kind what, int where) : kind(what), line(where) {}
};

struct Transcript {
  std::string path;
  std::map<std::string, std::string> config;
  std::vector<Step> steps;

  [[nodiscard]] std::string value(const std::string& key, const std::string& otherwise = {}) const;
  [[nodiscard]] bool has(Step::Kind kind) const;
};

// The error: "LINE: what is wrong".
[[nodiscard]] Result<Transcript, std::string> parse_transcript(std::string_view text);

// "*" in the pattern stands for any octets, none included; <2A> is a star. <$name> stands for what came in its place before,
// and the first time for a word, a number or whatever else has no blank, bracket or parenthesis in it, which it keeps.
using Names = std::map<std::string, std::string>;
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text, Names& names);
// With every <$name> that is known filled in.
[[nodiscard]] std::string fill_in(std::string_view octets, const Names& names);
// Controls and 8-bit octets as <0D>, so that a failure can be read.
[[nodiscard]] std::string shown(std::string_view octets);

}  // namespace posthorn::test
