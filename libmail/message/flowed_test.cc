#include "libmail/message/flowed.h"

#include <catch2/catch.hpp>

using namespace posthorn::message;

namespace {

// "depth:text" of each paragraph, '=' before fixed ones.
std::string shown(std::string_view text, bool delsp = false) {
  std::string out;
  for (const auto& paragraph : parse_flowed(text, delsp)) {
    out += (paragraph.fixed ? "=" : "") + std::to_string(paragraph.quote_depth) + ":" +
           paragraph.text + "|";
  }
  return out;
}

}  // namespace

TEST_CASE("parse_flowed: joins what flows (RFC 3676 4)") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"one \r\ntwo\r\nthree\r\n", "0:one two|=0:three|"},
      {"> a \n> b\n>> c\n", "1:a b|=2:c|"},
      {">a \n>> b\n", "1:a |=2:b|"},
      {" stuffed\n > no quote\n", "=0:stuffed|=0:> no quote|"},
      {"-- \nAnn\n", "=0:-- |=0:Ann|"},
      {"flows \n-- \nAnn\n", "0:flows |=0:-- |=0:Ann|"},
      {"a \n\nb\n", "0:a |=0:b|"},
      {"> -- \n> x\n", "=1:-- |=1:x|"},
      {"no end", "=0:no end|"},
      {"", ""},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_flowed: with DelSp the blank that says it flows is no blank of the text") {
  CHECK(shown("日本 \n語\n", true) == "0:日本語|");
  CHECK(shown("one  \ntwo\n", true) == "0:one two|");
}

TEST_CASE("reflow: wraps paragraphs to a screen, fixed lines stay") {
  CHECK(reflow(parse_flowed("one two three four \nfive\n"), 12) == "one two\nthree four\nfive\n");
  CHECK(reflow(parse_flowed("> quoted words that \n> flow\n"), 16) ==
        "> quoted words\n> that flow\n");
  CHECK(reflow(parse_flowed("a fixed line that is longer\n"), 12) ==
        "a fixed line that is longer\n");
  CHECK(reflow(parse_flowed("averyveryverylongword \nx\n"), 10) == "averyveryverylongword\nx\n");
  CHECK(reflow(parse_flowed("ünï cödé \nx\n"), 10) == "ünï cödé x\n");
}

TEST_CASE("flowed: a thousand quote marks are no reason to write them before every line") {
  const std::string deep = std::string(1000, '>') + " " + [] {
    std::string words;
    for (int i = 0; i < 1000; ++i) words += "word ";
    return words;
  }();
  const auto paragraphs = parse_flowed(deep);
  REQUIRE(paragraphs.size() == 1);
  CHECK(paragraphs[0].quote_depth == 50);
  CHECK(reflow(paragraphs, 72).size() < 10 * deep.size());
  CHECK(make_flowed(deep).size() < 10 * deep.size());
}

TEST_CASE("make_flowed: what it makes is joined again, and stuffed where it must") {
  CHECK(make_flowed("short\n") == "short\n");
  CHECK(make_flowed("one two three four", 10) == "one two \nthree four\n");
  CHECK(make_flowed(" indented\nFrom here\n>> deep quote\n> quote\n-- \nAnn  \n") ==
        "  indented\n From here\n>> deep quote\n> quote\n-- \nAnn\n");
  const std::string text =
      "A long paragraph of words that will have to be broken into several lines, with ünïcödé and "
      "averyverylongwordthatdoesnotfitintoanylineofseventytwocharactersbecauseitistoolongforthat "
      "end.\n"
      ">> quoted at length, quoted at length, quoted at length, quoted at length, quoted at "
      "length\n"
      " > no quote at all but a line that begins with a mark, after a blank, and it goes on and "
      "on\n";
  const std::string flowed = make_flowed(text);
  std::string again;
  for (const auto& paragraph : parse_flowed(flowed)) {
    if (paragraph.quote_depth > 0) again += std::string(paragraph.quote_depth, '>') + " ";
    again += paragraph.text + "\n";
  }
  CHECK(again == text);
}
