#include "libdns/wire/name.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libdns/wire/test_names.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

TEST_CASE("Name: text becomes labels behind their lengths, ended by the root") {
  CHECK(name("example.org").wire() == "\7example\3org\0"s);
  CHECK(name("example.org.") == name("example.org"));
  CHECK(name(".").wire() == "\0"s);
}

TEST_CASE("Name: escapes stand for the octet they name, and text() writes what parse() reads") {
  CHECK(name("a\\.b.c").wire() == "\3a.b\1c\0"s);
  CHECK(name("\\000\\255x").wire() == "\3\0\xffx\0"s);
  CHECK(name("\\@").wire() == "\1@\0"s);
  for (const char* text : {"a\\.b.c", "\\000\\255x", "x\\\\y.z", "\\\"q\\\"", "sp\\032ace", "."}) {
    CHECK(name(text).text() == text);
  }
}

TEST_CASE("Name: every octet survives text and back") {
  for (int octet = 0; octet < 256; ++octet) {
    const std::string label(1, static_cast<char>(octet));
    const auto made = Name().child(label);
    REQUIRE(made);
    CAPTURE(octet, made->text());
    CHECK(name(made->text()).wire() == made->wire());
  }
}

TEST_CASE("Name: what is no name is refused with its reason") {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  CHECK(name(longest).wire().size() == 255);
  CHECK(Name::parse(longest + "b").error() == NameError::name_too_long);
  CHECK(Name::parse("a." + longest).error() == NameError::name_too_long);
  CHECK(Name::parse(label + "a").error() == NameError::label_too_long);
  for (const char* text : {"", "..", "a..b", ".a", "a.."}) {
    CAPTURE(text);
    CHECK(Name::parse(text).error() == NameError::empty_label);
  }
  for (const char* text : {"a\\", "a\\25", "a\\256", "\\2x5"}) {
    CAPTURE(text);
    CHECK(Name::parse(text).error() == NameError::bad_escape);
  }
}

TEST_CASE("Name: case is kept and ignored") {
  const Name upper = name("ExAmPle.ORG");
  CHECK(upper == name("example.org"));
  CHECK(upper.text() == "ExAmPle.ORG");
  CHECK(upper.folded().text() == "example.org");
  CHECK(NameHash()(upper) == NameHash()(name("example.org")));
  CHECK_FALSE(upper == name("example.com"));
}

TEST_CASE("Name: sorts as RFC 4034 6.1 shows it") {
  std::vector<Name> names;
  const char* sorted[] = {"example",         "a.example",      "yljkjljk.a.example",
                          "Z.a.example",     "zABC.a.EXAMPLE", "z.example",
                          "\\001.z.example", "*.z.example",    "\\200.z.example"};
  for (const char* text : sorted) names.push_back(name(text));
  std::reverse(names.begin(), names.end());
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(names[i] == name(sorted[i]));
}

TEST_CASE("Name: knows what lies below it, by whole labels") {
  CHECK(name("mx.Example.org").is_at_or_below(name("example.ORG")));
  CHECK(name("example.org").is_at_or_below(name("example.org")));
  CHECK(name("example.org").is_at_or_below(Name()));
  CHECK_FALSE(name("badexample.org").is_at_or_below(name("example.org")));
  CHECK_FALSE(name("org").is_at_or_below(name("example.org")));
  // The octets of example.org end this name too, but not at a label.
  CHECK_FALSE(name("x\\007example.org").is_at_or_below(name("example.org")));
}

TEST_CASE("Name: labels, parent and child") {
  const Name host = name("mx.example.org");
  CHECK(host.label_count() == 3);
  CHECK(host.labels() == std::vector<std::string_view>{"mx", "example", "org"});
  CHECK(host.parent() == name("example.org"));
  CHECK(Name().parent().is_root());
  CHECK(name("example.org").child("mx") == host);
  CHECK_FALSE(host.child(""));
  CHECK_FALSE(host.child(std::string(64, 'x')));
}

TEST_CASE("Name: from_wire takes exactly one name") {
  CHECK(Name::from_wire("\3org\0"s)->text() == "org");
  CHECK_FALSE(Name::from_wire(""));
  CHECK_FALSE(Name::from_wire("\3org"));
  CHECK_FALSE(Name::from_wire("\3org\0\0"s));
  CHECK_FALSE(Name::from_wire("\xc0\0"s));
  CHECK_FALSE(Name::from_wire(std::string(256, '\0')));
}
