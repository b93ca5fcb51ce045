#include "libmail/smtp/dot.h"

#include <catch2/catch.hpp>

namespace posthorn::smtp {

namespace {

using namespace std::string_literals;

struct Decoded {
  std::string body;
  BodyFault fault = BodyFault::none;
  bool done = false;
  std::string rest;  // what was not used

  bool operator==(const Decoded&) const = default;
};

Decoded decode_cut(std::string_view wire, std::size_t cut, std::size_t limit = default_body_line) {
  DotDecoder decoder(limit);
  Decoded result;
  for (std::string_view piece : {wire.substr(0, cut), wire.substr(cut)}) {
    while (!piece.empty() && !decoder.done()) result.body.append(decoder.step(piece));
    result.rest.append(piece);
  }
  result.fault = decoder.fault();
  result.done = decoder.done();
  if (result.fault != BodyFault::none) result.body.clear();
  return result;
}

// The same at every split in two, and octet by octet.
Decoded decode(std::string_view wire, std::size_t limit = default_body_line) {
  const Decoded whole = decode_cut(wire, wire.size(), limit);
  for (std::size_t cut = 0; cut < wire.size(); ++cut) {
    CAPTURE(wire, cut);
    CHECK(decode_cut(wire, cut, limit) == whole);
  }
  DotDecoder decoder(limit);
  std::string body;
  for (std::size_t i = 0; i < wire.size() && !decoder.done(); ++i) {
    std::string_view octet = wire.substr(i, 1);
    while (!octet.empty() && !decoder.done()) body.append(decoder.step(octet));
  }
  if (decoder.fault() == BodyFault::none) CHECK(body == whole.body);
  CHECK(decoder.fault() == whole.fault);
  CHECK(decoder.done() == whole.done);
  return whole;
}

std::string encode(std::string_view body, std::size_t cut) {
  DotEncoder encoder;
  std::string wire;
  encoder.encode(body.substr(0, cut), wire);
  encoder.encode(body.substr(cut), wire);
  encoder.finish(wire);
  return wire;
}

}  // namespace

TEST_CASE("only CRLF dot CRLF ends DATA, at every split") {
  CHECK(decode(".\r\nQUIT\r\n") == Decoded{"", BodyFault::none, true, "QUIT\r\n"});
  CHECK(decode("a\r\n.\r\n") == Decoded{"a\r\n", BodyFault::none, true, ""});
  CHECK(decode("a\r\n\r\n.\r\nX") == Decoded{"a\r\n\r\n", BodyFault::none, true, "X"});
  CHECK(decode("a\r\n.") == Decoded{"a\r\n", BodyFault::none, false, ""});
  CHECK(decode("a.\r\nb") == Decoded{"a.\r\nb", BodyFault::none, false, ""});
}

TEST_CASE("a leading dot is taken off, whatever follows it") {
  CHECK(decode("..\r\n.\r\n").body == ".\r\n");
  CHECK(decode("...a\r\n..b\r\n.c\r\nd\r\n.\r\n").body == "..a\r\n.b\r\nc\r\nd\r\n");
  CHECK(decode(". \r\n.\r\n").body == " \r\n");
}

TEST_CASE("what other programs take for the end makes the body faulty, and the true end is found") {
  const auto [body, fault] = GENERATE(table<std::string, BodyFault>({
      {"a\n.\nb", BodyFault::bare_lf},
      {"a\n.\r\nb", BodyFault::bare_lf},
      {"a\r\n.\nb", BodyFault::bare_lf},
      {"a\r.\rb", BodyFault::bare_cr},
      {"a\r\n.\rb", BodyFault::bare_cr},
      {"a\r.\r\nb", BodyFault::bare_cr},
      {"a\n.\rb", BodyFault::bare_lf},
      {"a\r\r\n.\r\r\nb", BodyFault::bare_cr},
      {"a\r\n\0.\r\nb"s, BodyFault::nul},
      {"a\0b"s, BodyFault::nul},
      {"\n", BodyFault::bare_lf},
      {"\r", BodyFault::bare_cr},
      {"a\r\n.\r.\r\n", BodyFault::bare_cr},
  }));
  CAPTURE(body);
  const Decoded result = decode(body + "\r\n.\r\nQUIT\r\n");
  CHECK(result.fault == fault);
  CHECK(result.done);
  CHECK(result.rest == "QUIT\r\n");
}

TEST_CASE("the end is found at the edges of buffers") {
  for (const std::size_t edge : {512, 1000, 1024, 2048, 4096, 65536}) {
    for (std::size_t before = edge - 6; before <= edge + 1; ++before) {
      std::string body;
      while (body.size() + 80 < before) body += std::string(76, 'x') + "\r\n";
      body += std::string(before - body.size() - 2, 'y') + "\r\n";
      const std::string wire = body + ".\r\nQUIT\r\n";
      for (std::size_t cut = wire.size() - 10; cut < wire.size(); ++cut) {
        const Decoded result = decode_cut(wire, cut);
        CHECK(result.body == body);
        CHECK(result.rest == "QUIT\r\n");
      }
    }
  }
}

TEST_CASE("a line is too long beyond the limit, its CRLF counted") {
  CHECK(decode(std::string(98, 'x') + "\r\n.\r\n", std::size_t{100}).fault == BodyFault::none);
  CHECK(decode(std::string(99, 'x') + "\r\n.\r\n", std::size_t{100}).fault ==
        BodyFault::line_too_long);
  CHECK(decode(std::string(300, 'x'), std::size_t{100}).fault == BodyFault::line_too_long);
}

TEST_CASE("a message without dots passes in one run") {
  std::string body;
  for (int i = 0; i < 50; ++i) body += "a line of text\r\n";
  std::string_view wire = body;
  DotDecoder decoder;
  std::string_view first = decoder.step(wire);
  CHECK(first.size() == body.size());
  CHECK(first.data() == body.data());
}

TEST_CASE("encoding and decoding give the message back, at every split") {
  const auto body =
      GENERATE(""s, "a\r\n"s, ".\r\n"s, "..\r\n.a\r\n\r\n.\r\n"s, "a\r\n.b\r\nc\r\n"s);
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    const std::string wire = encode(body, cut);
    CHECK(decode(wire).body == body);
    CHECK(wire.ends_with(".\r\n"));
  }
}

TEST_CASE("a missing last CRLF is added before the final dot") {
  CHECK(encode("a", 1) == "a\r\n.\r\n");
  CHECK(encode("", 0) == ".\r\n");
  CHECK(encode(".", 1) == "..\r\n.\r\n");
}

TEST_CASE("a stray CR or LF goes out as a space, so that no line end is smuggled") {
  const auto [body, wire] = GENERATE(table<std::string, std::string>({
      {"a\n.\nb\r\n", "a . b\r\n.\r\n"},
      {"a\r.\rb\r\n", "a . b\r\n.\r\n"},
      {"a\r\n.\rb\r\n", "a\r\n.. b\r\n.\r\n"},
      {"a\r", "a \r\n.\r\n"},
      {"\n", " \r\n.\r\n"},
      {"\r\r\n", " \r\n.\r\n"},
  }));
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    CAPTURE(body, cut);
    CHECK(encode(body, cut) == wire);
    CHECK(decode(encode(body, cut)).fault == BodyFault::none);
  }
}

TEST_CASE("BDAT octets are checked as lines, at every split") {
  const auto [body, fault] = GENERATE(table<std::string, BodyFault>({
      {"a\r\nb\r\n", BodyFault::none},
      {"a\r\n.\r\nb\r\n", BodyFault::none},
      {"a", BodyFault::none},
      {"", BodyFault::none},
      {"a\nb", BodyFault::bare_lf},
      {"a\r\r\nb", BodyFault::bare_cr},
      {"a\r", BodyFault::bare_cr},
      {"a\rb", BodyFault::bare_cr},
      {"a\0b"s, BodyFault::nul},
      {"\n", BodyFault::bare_lf},
  }));
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    CAPTURE(body, cut);
    LineChecker checker;
    checker.feed(std::string_view(body).substr(0, cut));
    checker.feed(std::string_view(body).substr(cut));
    checker.finish();
    CHECK(checker.fault() == fault);
  }
}

}  // namespace posthorn::smtp
