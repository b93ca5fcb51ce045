#include "libdns/wire/rrset.h"

#include <catch2/catch.hpp>

#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"

using namespace posthorn::dns;

namespace {

Record record(std::string_view text) {
  auto parsed = parse_record(text);
  REQUIRE(parsed.has_value());
  return std::move(*parsed);
}

std::string message(const std::vector<std::string>& records) {
  Header header;
  header.response = true;
  MessageBuilder builder(header);
  for (const std::string& text : records) REQUIRE(builder.answer(record(text)));
  return builder.finish();
}

const std::string signature =
    "a.test. 60 IN RRSIG MX 13 2 300 20300101000000 20200101000000 7 a.test. AAAA";

}  // namespace

TEST_CASE(
    "collect_rrsets: records of one name and type are one set, whatever their case and order") {
  const std::string octets = message({"a.test. 300 IN MX 10 m.test.", "b.test. 60 IN A 192.0.2.1",
                                      "A.TEST. 200 IN MX 20 n.test."});
  const auto view = MessageView::parse(octets);
  REQUIRE(view.has_value());
  const auto sets = collect_rrsets(view->answer());
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].owner.text() == "a.test");
  CHECK(sets[0].ttl == 200);
  REQUIRE(sets[0].records().size() == 2);
  CHECK(sets[0].records()[1].text() == "a.test. 200 IN MX 20 n.test.");
  CHECK(sets[1].type == Type::a);
}

TEST_CASE("collect_rrsets: a record that comes twice counts once") {
  const std::string octets =
      message({"a.test. 300 IN MX 10 m.test.", "a.test. 300 IN MX 10 m.test."});
  const auto sets = collect_rrsets(MessageView::parse(octets)->answer());
  REQUIRE(sets.size() == 1);
  CHECK(sets[0].rdata.size() == 1);
}

TEST_CASE(
    "collect_rrsets: a signature goes to the set that it covers, and is dropped without one") {
  const std::string octets =
      message({signature, "a.test. 300 IN MX 10 m.test.", "a.test. 300 IN TXT x"});
  const auto sets = collect_rrsets(MessageView::parse(octets)->answer());
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].signatures.size() == 1);
  CHECK(sets[0].ttl == 60);
  CHECK(sets[1].signatures.empty());
  CHECK(collect_rrsets(MessageView::parse(message({signature}))->answer()).empty());
}

TEST_CASE("MessageBuilder: a set is written whole, names compressed, or not at all") {
  RrSet set(*Name::parse("a.test"), Type::mx, 300);
  set.add(rdata_to_wire(record("a.test. 300 IN MX 10 m.a.test.").data));
  set.add(rdata_to_wire(record("a.test. 300 IN MX 20 n.a.test.").data));
  set.signatures.push_back(rdata_to_wire(record(signature).data));

  MessageBuilder builder{Header()};
  REQUIRE(builder.answer(set, Signatures::include));
  const std::string octets = builder.finish();
  const auto view = MessageView::parse(octets);
  REQUIRE(view.has_value());
  CHECK(view->answer().size() == 3);
  CHECK(collect_rrsets(view->answer())[0].rdata == set.rdata);
  std::size_t plain = header_octets;
  for (const auto& data : set.rdata) plain += 8 + 10 + data.size();
  for (const auto& data : set.signatures) plain += 8 + 10 + data.size();
  CHECK(octets.size() < plain);

  MessageBuilder small(Header(), header_octets + 40);
  CHECK_FALSE(small.answer(set, Signatures::include));
  CHECK(small.finish().size() == header_octets);
}
