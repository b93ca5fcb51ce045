#include "libdns/wire/presentation.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

std::string place(TextPosition at) {
  return std::to_string(at.line) + ":" + std::to_string(at.column);
}

// Entries one a line: "^" for a blank at the begin, words as they are, quoted ones in brackets,
// each with its place; errors as their text.
std::vector<std::string> read(std::string_view text, TextLimits limits = {}) {
  std::vector<std::string> lines;
  EntryReader reader(text, limits);
  Entry entry;
  for (;;) {
    const auto found = reader.next(entry);
    if (found && !*found) return lines;
    if (!found) {
      lines.push_back(found.error().text());
      continue;
    }
    std::string line = entry.begins_blank ? "^" : "";
    for (const Token& token : entry.tokens) {
      if (line.size() > 1) line += ' ';
      line += token.quoted ? "[" + std::string(token.text) + "]" : std::string(token.text);
      line += "@" + place(token.at);
    }
    lines.push_back(line);
  }
}

using Lines = std::vector<std::string>;

std::string record(std::string_view text, const RecordDefaults& defaults = {}) {
  const auto parsed = parse_record(text, defaults);
  return parsed ? parsed->text() : parsed.error().text();
}

}  // namespace

TEST_CASE("EntryReader: words, blanks, comments, empty lines and every end of line") {
  CHECK(read("a b\tc ; d\r\n\r\n  ;x\n \te\n\nf") == Lines{"a@1:1 b@1:3 c@1:5", "^e@4:3", "f@6:1"});
  CHECK(read("").empty());
  CHECK(read("; only").empty());
  CHECK(read(" \r\n\t").empty());
}

TEST_CASE("EntryReader: parentheses hold lines together") {
  CHECK(read("a ( b ; (\n c) d\ne") == Lines{"a@1:1 b@1:5 c@2:2 d@2:5", "e@3:1"});
  CHECK(read("(\n\na\n)\nb") == Lines{"a@3:1", "b@5:1"});
  CHECK(read("a((b)c)d") == Lines{"a@1:1 b@1:4 c@1:6 d@1:8"});
  CHECK(read("a ( b\nc") == Lines{"line 1, column 3: \"(\" without \")\""});
  CHECK(read("a ) b\nc") == Lines{"line 1, column 3: \")\" without \"(\"", "c@2:1"});
}

TEST_CASE("EntryReader: quoted strings keep what would end a word") {
  CHECK(read("\"a ;( b\"\"c\" \"\" \"\\\"\"") == Lines{"[a ;( b]@1:1 [c]@1:9 []@1:13 [\\\"]@1:16"});
  CHECK(read("k=\"a b\"c d") == Lines{"k=\"a b\"c@1:1 d@1:10"});
  CHECK(read("a\"b c") == Lines{"a\"b@1:1 c@1:5"});
  CHECK(read("a \"b\nc\"") ==
        Lines{"line 1, column 3: a quoted string does not end on its line", "c\"@2:1"});
  CHECK(read("k=\"a\nb") ==
        Lines{"line 1, column 1: a quoted string does not end on its line", "b@2:1"});
  CHECK(read("k=\"a") == Lines{"line 1, column 1: a quoted string does not end"});
}

TEST_CASE("EntryReader: escapes keep a character in its word") {
  CHECK(read("a\\ b\\;c\\(d \\\"") == Lines{"a\\ b\\;c\\(d@1:1 \\\"@1:12"});
  CHECK(read("a\\\nb") == Lines{"line 1, column 2: \"\\\" at the end of a line", "b@2:1"});
  CHECK(read("a\\") == Lines{"line 1, column 2: \"\\\" at the end of a line"});
}

TEST_CASE("EntryReader: control characters are errors, other octets are not") {
  CHECK(read("a\0b"s) == Lines{"line 1, column 2: control character in a word"});
  CHECK(read("\"a\x7f\"\nb") ==
        Lines{"line 1, column 3: control character in a quoted string", "b@2:1"});
  CHECK(read("\xc3\xa4") == Lines{"\xc3\xa4@1:1"});
}

TEST_CASE("EntryReader: limits") {
  TextLimits limits;
  limits.token_octets = 3;
  limits.entry_tokens = 2;
  limits.parentheses = 2;
  CHECK(read("abc def\nabcd\na b c\n((()\nx", limits) ==
        Lines{"abc@1:1 def@1:5", "line 2, column 1: token too long",
              "line 3, column 5: too many tokens", "line 4, column 3: too many open parentheses",
              "x@5:1"});
}

TEST_CASE("parse_ttl: seconds and units, at most 2^31-1") {
  CHECK(parse_ttl("0") == 0u);
  CHECK(parse_ttl("1h30M") == 5400u);
  CHECK(parse_ttl("1w2d3h4m5s") == 788645u);
  CHECK(parse_ttl("1m30") == 90u);
  CHECK(parse_ttl("2147483647") == 0x7fffffffu);
  for (const char* bad : {"", "h", "1x", "-1", "2147483648", "4000w", "1 h", "99999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_ttl(bad));
  }
}

TEST_CASE("parse_time: a moment of UTC or seconds, and back") {
  CHECK(parse_time("20030322173103") == 1048354263u);
  CHECK(parse_time("0") == 0u);
  CHECK(parse_time("21060207062816") == 0u);  // 2^32 is 0 again
  CHECK(time_text(0) == "19700101000000");
  CHECK(time_text(0xffffffff) == "21060207062815");
  CHECK(time_text(951782400) == "20000229000000");
  for (const char* bad : {"", "2003032217310", "20030229000000", "20030101240000", "20030101006000",
                          "20030101000061", "19691231235959", "2003010100000x", "4294967296"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("parse_name: relative, absolute, the origin itself") {
  const Name origin = *Name::parse("example.org");
  const auto text = [&origin](std::string_view name) {
    const auto parsed = parse_name(name, origin);
    return parsed ? parsed->text() : std::string(to_string(parsed.error()));
  };
  CHECK(text("@") == "example.org");
  CHECK(text("www") == "www.example.org");
  CHECK(text("www.") == "www");
  CHECK(text(".") == ".");
  CHECK(text("a\\.") == "a\\..example.org");
  CHECK(text("a\\\\.") == "a\\\\");
  CHECK(text("\\@") == "\\@.example.org");
  CHECK(text("a\\046.") == "a\\.");
  CHECK(text("") == "empty label");
  CHECK(text(std::string(64, 'a')) == "label over 63 octets");
  const std::string label(61, 'a');
  CHECK(text(label + "." + label + "." + label + "." + label) == "name over 255 octets");
}

TEST_CASE("unescape: digits and characters") {
  CHECK(unescape("a\\065\\\"\\\\") == "aA\"\\");
  for (const char* bad : {"\\", "\\25", "\\256", "\\1a1"}) CHECK_FALSE(unescape(bad));
}

TEST_CASE("parse_record: TTL and class in either order or from the defaults") {
  RecordDefaults defaults;
  defaults.origin = *Name::parse("example.org");
  CHECK(record("www 300 IN A 192.0.2.1", defaults) == "www.example.org. 300 IN A 192.0.2.1");
  CHECK(record("www IN 5m A 192.0.2.1", defaults) == "www.example.org. 300 IN A 192.0.2.1");
  CHECK(record("@ CH 0 TXT a", defaults) == "example.org. 0 CH TXT \"a\"");
  CHECK(record("in 1 in a 192.0.2.1", defaults) == "in.example.org. 1 IN A 192.0.2.1");
  CHECK(record("www A 192.0.2.1", defaults) == "line 1, column 5: no TTL here and no default");
  defaults.ttl = 60;
  CHECK(record("www A 192.0.2.1", defaults) == "www.example.org. 60 IN A 192.0.2.1");
  defaults.owner = *Name::parse("last.example.org");
  CHECK(record("\tTYPE1 192.0.2.1", defaults) == "last.example.org. 60 IN A 192.0.2.1");
  CHECK(record("x CLASS32 TYPE731 \\# 6 abcd ( ef 01 23 45 )", defaults) ==
        "x.example.org. 60 CLASS32 TYPE731 \\# 6 abcdef012345");  // RFC 3597 5
}

TEST_CASE("parse_record: errors say where") {
  CHECK(record(" 1 A 192.0.2.1") ==
        "line 1, column 2: begins with a blank, but no owner stands before it");
  CHECK(record("a 1 IN") == "line 1, column 7: the type is missing");
  CHECK(record("a 1 IN BOGUS x") == "line 1, column 8: \"BOGUS\" is no type of a record");
  CHECK(record("a 1 IN ANY x") == "line 1, column 8: \"ANY\" is no type of a record");
  CHECK(record("a 1 IN TSIG x") == "line 1, column 8: \"TSIG\" is no type of a record");
  CHECK(record("a 1 2 A 192.0.2.1") == "line 1, column 5: \"2\" is no type of a record");
  CHECK(record("a..b 1 A 192.0.2.1") == "line 1, column 1: owner \"a..b\": empty label");
  CHECK(record("\"a\" 1 A 192.0.2.1") == "line 1, column 1: owner \"a\": must not be in quotes");
  CHECK(record("a 1 MX (10\n)") == "line 2, column 2: MX exchange is missing");
  CHECK(record("a 1 A 192.0.2.1\nb") == "line 2, column 1: more than one record");
  CHECK(record("") == "line 1, column 1: no record");
}
