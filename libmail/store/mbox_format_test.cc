#include "libmail/store/mbox_format.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::store;

namespace {

std::string escaped(std::string_view text, std::size_t cut = 0) {
  std::string out;
  MboxQuoter quoter;
  quoter.append(text.substr(0, cut), out);
  quoter.append(text.substr(cut), out);
  quoter.finish(out);
  return out;
}

std::string unquoted(std::string_view text, std::size_t cut = 0) {
  std::string out;
  MboxUnquoter unquoter;
  unquoter.append(text.substr(0, cut), out);
  unquoter.append(text.substr(cut), out);
  unquoter.finish(out);
  return out;
}

const std::string tricky =
    "From me\n>From you\n>>From them\nFrom\nFrome\nFro\n> From\n>>x\n\nFrom \n>From\nend From "
    "here\n>\n";

}  // namespace

TEST_CASE("mbox_from_line: the null sender and odd octets") {
  const WallTime when =
      std::chrono::sys_days(std::chrono::year(2026) / 11 / 2) + std::chrono::seconds(3723);
  CHECK(mbox_from_line("bob@beta.test", when) == "From bob@beta.test Mon Nov  2 01:02:03 2026\n");
  CHECK(mbox_from_line("", when) == "From MAILER-DAEMON Mon Nov  2 01:02:03 2026\n");
  CHECK(mbox_from_line("\"a b\n\"@x", when) == "From \"a-b-\"@x Mon Nov  2 01:02:03 2026\n");
}

TEST_CASE("MboxQuoter: quotes From lines, however many > they have, wherever the text is cut") {
  const std::string expected =
      ">From me\n>>From you\n>>>From them\nFrom\nFrome\nFro\n> From\n>>x\n\n>From \n>From\nend "
      "From here\n>\n\n";
  for (std::size_t cut = 0; cut <= tricky.size(); ++cut) {
    CAPTURE(cut);
    CHECK(escaped(tricky, cut) == expected);
  }
}

TEST_CASE("MboxUnquoter: gives back what was quoted, wherever the text is cut") {
  const std::string text = escaped(tricky);
  const std::string message =
      text.substr(0, text.size() - 1);  // without the empty line of the format
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    CAPTURE(cut);
    CHECK(unquoted(message, cut) == tricky);
  }
  for (const char* end : {"x", ">", ">>", ">Fro", "From", ">>From "}) {
    CAPTURE(end);
    const std::string whole = escaped(end);
    CHECK(unquoted(whole.substr(0, whole.size() - 2)) == end);
  }
}

TEST_CASE("MboxScanner: finds every message and its size, wherever the file is cut") {
  const std::string first = "A: b\n\nbody\n" + tricky;
  const std::string second = "Subject: no body\n";
  const std::string third = "C: d\r\n\r\ncrlf\r\n";
  const std::string file = "From a Mon\n" + escaped(first) + "From b Mon\n" + escaped(second) +
                           "From c Mon\n" + escaped(third) + "From d Mon\nE: last, no end";
  for (std::size_t cut = 0; cut <= file.size(); ++cut) {
    CAPTURE(cut);
    MboxScanner scanner;
    scanner.feed(std::string_view(file).substr(0, cut));
    scanner.feed(std::string_view(file).substr(cut));
    scanner.finish();
    CHECK(scanner.is_mbox());
    REQUIRE(scanner.messages().size() == 4);
    const std::string expected[] = {first, second, third, "E: last, no end"};
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& message = scanner.messages()[i];
      CHECK(unquoted(file.substr(message.start, message.end - message.start)) == expected[i]);
      const std::size_t lines =
          i == 2
              ? 0
              : static_cast<std::size_t>(std::count(expected[i].begin(), expected[i].end(), '\n'));
      CHECK(message.crlf_size == expected[i].size() + lines);
    }
  }
}

TEST_CASE(
    "MboxScanner: a From line inside a paragraph is text, and a file that is no mbox is known") {
  MboxScanner text;
  text.feed("From a\nX: y\n\nhello\nFrom here on\n");
  text.finish();
  CHECK(text.messages().size() == 1);
  MboxScanner other;
  other.feed("#!/bin/sh\nFrom a\n");
  other.finish();
  CHECK_FALSE(other.is_mbox());
  MboxScanner empty;
  empty.finish();
  CHECK(empty.is_mbox());
  CHECK(empty.messages().empty());
}
