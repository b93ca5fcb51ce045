#include "libmail/pop3/body.h"

#include <catch2/catch.hpp>

using namespace posthorn::pop3;

namespace {

std::string encode(std::string_view text, std::size_t cut) {
  BodyEncoder encoder;
  std::string out;
  encoder.append(text.substr(0, cut), out);
  encoder.append(text.substr(cut), out);
  encoder.finish(out);
  return out;
}

std::string top(std::string_view text, std::uint64_t lines, std::size_t cut) {
  TopCutter cutter(lines);
  std::string out(cutter.take(text.substr(0, cut)));
  if (!cutter.done()) out += cutter.take(text.substr(cut));
  return out;
}

}  // namespace

TEST_CASE("body: dots are stuffed and line ends made whole, at every split") {
  const auto [text, wire] = GENERATE(table<std::string, std::string>({
      {"", ".\r\n"},
      {"a\n", "a\r\n.\r\n"},
      {"a\r\n", "a\r\n.\r\n"},
      {"a", "a\r\n.\r\n"},
      {".\n", "..\r\n.\r\n"},
      {"..\r\n.a\n\n.", "...\r\n..a\r\n\r\n..\r\n.\r\n"},
      {"a\rb\n", "a\rb\r\n.\r\n"},
      {"a\r\r\n.\n", "a\r\r\n..\r\n.\r\n"},
      {"a.\n.b", "a.\r\n..b\r\n.\r\n"},
      {"\n\n", "\r\n\r\n.\r\n"},
  }));
  CAPTURE(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK(encode(text, cut) == wire);
}

TEST_CASE("body: what is encoded is decoded the same, at every split") {
  const std::string text = "Subject: x\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\r\nlast\r\n";
  const std::string wire = encode(text, 0) + "+OK next";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    BodyDecoder decoder;
    std::string out;
    std::size_t used = decoder.feed(std::string_view(wire).substr(0, cut), out);
    if (!decoder.ended()) {
      CHECK(used == cut);
      used += decoder.feed(std::string_view(wire).substr(cut), out);
    }
    CHECK(decoder.ended());
    CHECK(used == wire.size() - 8);
    CHECK(out == text);
  }
}

TEST_CASE("top: header, empty line, and so many lines, at every split") {
  const std::string text = "A: 1\r\nB: 2\r\n\r\none\r\n\r\ntwo\r\nthree";
  const auto [lines, wanted] = GENERATE_COPY(table<std::uint64_t, std::string>({
      {0, "A: 1\r\nB: 2\r\n\r\n"},
      {1, "A: 1\r\nB: 2\r\n\r\none\r\n"},
      {3, "A: 1\r\nB: 2\r\n\r\none\r\n\r\ntwo\r\n"},
      {4, text},
      {1000, text},
  }));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK(top(text, lines, cut) == wanted);
}

TEST_CASE("top: a message without body or without empty line is sent whole") {
  CHECK(top("A: 1\nB: 2\n", 5, 3) == "A: 1\nB: 2\n");
  CHECK(top("\none\ntwo\n", 1, 0) == "\none\n");
  CHECK(top("", 0, 0).empty());
}
