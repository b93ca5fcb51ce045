#include "agents/mua/octets.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::mua;

namespace {

Octets written(std::string_view text, std::size_t by) {
  OctetsWriter writer;
  for (std::size_t at = 0; at < text.size(); at += by)
    REQUIRE(writer.append(text.substr(at, by)).has_value());
  REQUIRE(writer.size() == text.size());
  return writer.finish().value();
}

std::string all_of(const Octets& octets) {
  std::string text;
  const auto done = octets.each([&text](std::string_view piece) {
    CHECK(piece.size() <= Octets::piece);
    text += piece;
    return true;
  });
  REQUIRE(done.has_value());
  return text;
}

}  // namespace

TEST_CASE("octets: what was written is read back, from memory and from a file") {
  for (const std::size_t size : {0UL, 1UL, 65'536UL, OctetsWriter::memory_limit, 700'001UL}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; i += 7) text[i] = static_cast<char>(i * 31);
    const Octets octets = written(text, 10'007);
    CHECK(octets.size() == size);
    CHECK(all_of(octets) == text);
    CHECK(octets.read(size).value().empty());
    CHECK(octets.read(size / 2, 100).value() == text.substr(size / 2, 100));
    Octets copy;
    copy = octets;
    CHECK(copy.whole().value() == text);
    if (size > 0) CHECK_FALSE(copy.whole(size - 1).has_value());
  }
}

TEST_CASE("octets: the header ends at the first empty line, whatever its line ends are") {
  CHECK(Octets("a: b\r\n\r\nc\n\nd").header().value() == "a: b\r\n\r\n");
  CHECK(Octets("a: b\n\nc\r\n\r\n").header().value() == "a: b\n\n");
  CHECK(Octets("a: b\n").header().value() == "a: b\n");
  // Across two pieces.
  const std::string head = "a: " + std::string(Octets::piece - 5, 'x') + "\r\n";
  CHECK(Octets(head + "\r\n" + std::string(100, 'y')).header().value() == head + "\r\n");
  // One that has no end is not kept whole.
  CHECK(written(std::string(3 << 20, 'x'), 1 << 20).header().value().size() <=
        (1 << 20) + Octets::piece);
}

TEST_CASE("octets: a sink that has enough stops the reading") {
  const Octets octets = written(std::string(1 << 20, 'x'), 1 << 16);
  int pieces = 0;
  CHECK(octets.each([&pieces](std::string_view) { return ++pieces < 3; }).has_value());
  CHECK(pieces == 3);
}
