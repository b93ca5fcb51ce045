#include "libmail/session/deflate.h"

#include <catch2/catch.hpp>

namespace posthorn::session {
namespace {

std::string unpack_all(Inflater& in, std::string_view packed) {
  std::string text;
  do {
    if (in.unpack(packed, 100, text) != Inflater::State::more) return "<" + text + ">";
  } while (!packed.empty() || in.has_more());
  return text;
}

const std::string line = "* 1 FETCH (UID 4711 FLAGS (\\Seen \\Answered) MODSEQ (1234567890))\r\n";

}  // namespace

TEST_CASE("deflate: what is packed comes out, cut at every octet") {
  Deflater out;
  const std::string packed = out.pack(line);
  for (std::size_t cut = 0; cut <= packed.size(); ++cut) {
    Inflater in;
    std::string text = unpack_all(in, std::string_view(packed).substr(0, cut));
    in.rest();
    text += unpack_all(in, std::string_view(packed).substr(cut));
    CHECK(text == line);
  }
}

TEST_CASE("deflate: one deflater serves many peers, each with its own history") {
  Deflater out;
  Inflater ann;
  Inflater bob;
  const std::string others(40000, 'x');
  CHECK(unpack_all(ann, out.pack(line)) == line);
  out.restart("");
  CHECK(unpack_all(bob, out.pack(others)) == others);
  out.restart(line);
  const std::string again = out.pack(line);
  CHECK(again.size() < line.size() / 3);
  CHECK(unpack_all(ann, again) == line);
}

TEST_CASE("deflate: at rest an inflater remembers what it may be referred to") {
  Deflater out;
  Inflater in;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = std::to_string(i) + line;
    REQUIRE(unpack_all(in, out.pack(text)) == text);
    in.rest();
  }
}

TEST_CASE("deflate: a bomb comes in pieces") {
  Deflater out;
  const std::string packed = out.pack(std::string(1 << 20, 'a'));
  Inflater in;
  std::string_view rest = packed;
  std::string text;
  CHECK(in.unpack(rest, 1000, text) == Inflater::State::more);
  CHECK(text.size() == 1000);
  CHECK(in.has_more());
}

TEST_CASE("deflate: nonsense is told") {
  Inflater in;
  std::string_view nonsense = "a1 NOOP\r\na2 NOOP\r\n\xff\xff\xff\xff";
  std::string text;
  CHECK(in.unpack(nonsense, 1000, text) == Inflater::State::broken);
  CHECK_FALSE(in.error().empty());
}

}  // namespace posthorn::session
