#include "libdns/wire/builder.h"

#include <catch2/catch.hpp>

#include "libdns/wire/address.h"
#include "libdns/wire/test_names.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

TEST_CASE("Writer: a suffix that was written becomes a pointer to it") {
  Writer writer;
  writer.octets(std::string(12, '.'));
  writer.name(name("example.org"));
  writer.name(name("mx.example.org"));
  writer.name(name("example.org"));
  writer.name(name("org"));
  writer.name(Name());
  CHECK(writer.out().substr(12) == "\7example\3org\0\2mx\xc0\14\xc0\14\xc0\24\0"s);
}

TEST_CASE("Writer: another case is another name to compression, so case comes back as written") {
  Writer writer;
  writer.octets(std::string(12, '.'));
  writer.name(name("example.org"));
  const std::size_t at = writer.size();
  writer.name(name("EXAMPLE.org"));
  Reader reader(writer.out(), at);
  CHECK(reader.name().name().wire() == name("EXAMPLE.org").wire());
}

TEST_CASE("Writer: any number of names is read back, whatever the table remembers") {
  Writer writer;
  writer.octets(std::string(12, '.'));
  std::vector<std::pair<std::size_t, Name>> written;
  for (unsigned i = 0; i < 3000; ++i) {
    const unsigned n = i * 2654435761u;
    const Name one = name("h" + std::to_string(n % 97) + ".z" + std::to_string(n % 13) +
                          ".example." + (n % 3 != 0 ? "org" : "ORG"));
    written.emplace_back(writer.size(), one);
    writer.name(one);
  }
  REQUIRE(writer.size() < 65536);
  for (const auto& [at, one] : written) {
    Reader reader(writer.out(), at);
    const NameView view = reader.name();
    REQUIRE(reader.ok());
    REQUIRE(view.name().wire() == one.wire());
  }
}

TEST_CASE("Writer: names at offsets that a pointer can't say are not remembered") {
  Writer writer;
  writer.octets(std::string(0x4000, '.'));
  writer.name(name("example.org"));
  writer.name(name("example.org"));
  CHECK(writer.size() == 0x4000 + 26);
}

TEST_CASE("Writer: what was cut off is forgotten") {
  Writer writer;
  writer.octets(std::string(12, '.'));
  writer.name(name("example.org"));
  writer.cut(12);
  writer.name(name("mx.example.org"));
  Reader reader(writer.out(), 12);
  CHECK(reader.name().name() == name("mx.example.org"));
  CHECK(reader.at_end());
}

TEST_CASE("make_query: RD, one question, and an OPT of 11 octets at the end") {
  QueryFlags flags;
  flags.authentic_data = true;
  const std::string octets = make_query(0xbeef, Question(name("example.org"), Type::mx), flags);
  CHECK(hex(octets) ==
        "beef"
        "0120"
        "0001"
        "0000"
        "0000"
        "0001"
        "076578616d706c65036f726700"
        "000f"
        "0001"
        "00"
        "0029"
        "04d0"
        "00"
        "00"
        "0000"
        "0000");
  flags.dnssec_ok = true;
  const std::string with_do = make_query(0xbeef, Question(name("example.org"), Type::mx), flags);
  CHECK(
      hex(with_do).ends_with("00"
                             "0029"
                             "04d0"
                             "00"
                             "00"
                             "8000"
                             "0000"));
}

TEST_CASE("MessageBuilder: a record that doesn't fit leaves the message as it was") {
  Header header;
  header.response = true;
  const auto build = [&header](std::size_t limit, std::size_t& taken) {
    MessageBuilder builder(header, limit);
    EdnsSettings edns;
    REQUIRE(builder.edns(edns));
    REQUIRE(builder.question(Question(name("example.org"), Type::txt)));
    taken = 0;
    for (int i = 0; i < 20; ++i) {
      if (builder.answer(Record(name("example.org"), 60, Txt{{std::string(40, 'x')}}))) ++taken;
    }
    builder.set_truncated();
    return builder.finish();
  };
  std::size_t taken = 0;
  for (std::size_t limit = 60; limit < 600; ++limit) {
    const std::string octets = build(limit, taken);
    CAPTURE(limit, taken);
    REQUIRE(octets.size() <= limit);
    const auto message = MessageView::parse(octets);
    REQUIRE(message);
    REQUIRE(message->answer().size() == taken);
    REQUIRE(message->edns());
    REQUIRE(message->header().truncated);
  }
  CHECK(taken == 10);
}

TEST_CASE("MessageBuilder: an rcode over 15 has its upper bits in OPT") {
  MessageBuilder builder{Header()};
  REQUIRE(builder.edns(EdnsSettings()));
  builder.set_rcode(Rcode::badcookie);
  const std::string octets = builder.finish();
  CHECK(MessageView::parse(octets)->rcode() == Rcode::badcookie);
}
