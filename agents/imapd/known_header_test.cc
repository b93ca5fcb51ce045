#include "agents/imapd/known_header.h"

#include <catch2/catch.hpp>

namespace posthorn::imapd {
namespace {

std::vector<std::string> values(std::string_view header, std::string_view name) {
  std::vector<std::string> found;
  FieldFinder fields(header, name);
  while (const auto value = fields.next()) found.emplace_back(*value);
  return found;
}
using Values = std::vector<std::string>;

TEST_CASE("FieldFinder: every field of the name, folds and all, its case ignored") {
  const std::string header =
      "To: a\r\nSubject: one\r\n two\r\nto : b\r\nTo-Do: c\r\nSUBJECT:three\r\n\r\n";
  CHECK(values(header, "Subject") == Values{" one\r\n two", "three"});
  CHECK(values(header, "To") == Values{" a", " b"});
  CHECK(values(header, "Cc").empty());
}

TEST_CASE("FieldFinder: LF ends lines as well, and the body has no fields") {
  CHECK(values("A: 1\nB: 2\n\n B: 3\nB: 4\n", "B") == Values{" 2"});
  CHECK(values("\r\nB: 4\r\n", "B").empty());
  CHECK(values("no field\n B: 1\nB: 2", "B") == Values{" 2"});
  CHECK(values("", "B").empty());
}

}  // namespace
}  // namespace posthorn::imapd
