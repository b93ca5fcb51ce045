#include "libdns/zone/zone.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/zone/test_zone.h"

using namespace posthorn::dns;

namespace {

std::shared_ptr<const Zone> small() {
  return zone_of("a.test", R"(
$TTL 60
@ SOA ns h 10 1 1 1 30
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
)");
}

Lines lines_of(const std::vector<RrSet>& sets) {
  Lines lines;
  for (const RrSet& set : sets) lines.push_back(line_of(set));
  return lines;
}

ZoneVersion commit(ZoneEditor& editor) {
  auto version = editor.commit();
  REQUIRE(version.has_value());
  return std::move(*version);
}

}  // namespace

TEST_CASE("Name order: a node's key sorts as RFC 4034 6.1 has it") {
  const std::vector<std::string> sorted = {
      "example",   "a.example",       "yljkjljk.a.example", "Z.a.example",    "zABC.a.EXAMPLE",
      "z.example", "\\001.z.example", "*.z.example",        "\\200.z.example"};
  std::vector<std::string> keys;
  for (const std::string& text : sorted) keys.emplace_back(NodeKey(name(text), 1).octets());
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(NodeKey(name("\\000.x"), 0).octets() > NodeKey(name("x"), 0).octets());
  CHECK(NodeKey(name("\\000.x"), 0).octets() < NodeKey(name("\\001.x"), 0).octets());
  CHECK(NodeKey(name("ab.x"), 0).octets() > NodeKey(name("z.a.x"), 0).octets());
}

TEST_CASE("NodeKey: an ancestor's key is a prefix, also with the longest name there is") {
  std::string wire;
  for (int i = 0; i < 3; ++i) wire += '\x3f' + std::string(63, '\x01');
  wire += '\x3d' + std::string(61, '\0') + '\0';
  const auto longest = Name::from_wire(wire);
  REQUIRE(longest);
  const NodeKey key(*longest, 0);
  CHECK(key.labels() == 4);
  CHECK(key.octets().size() == 2 * (3 * 63 + 61) + 4);
  CHECK(key.prefix(3) == NodeKey(longest->parent(), 0).octets());
}

TEST_CASE("Zone: knows its SOA, what exists and where it ends") {
  const auto zone = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 10 1 1 1 30
@ NS ns
ns A 192.0.2.1
x.y.z A 192.0.2.2
sub NS ns.sub
ns.sub A 192.0.2.3
)");
  CHECK(zone->serial() == 10);
  CHECK(zone->negative_soa_set().ttl == 30);
  CHECK_FALSE(zone->is_signed());
  CHECK(zone->record_count() == 6);
  CHECK(zone->exists(name("z.a.test")));
  CHECK(zone->exists(name("X.Y.z.a.test")));
  CHECK_FALSE(zone->exists(name("y.a.test")));
  CHECK_FALSE(zone->exists(name("test")));
  CHECK(zone->find(name("z.a.test")) == nullptr);
  REQUIRE(zone->cut_above(name("h.ns.sub.a.test")) != nullptr);
  CHECK(zone->cut_above(name("h.ns.sub.a.test"))->owner() == name("sub.a.test"));
  CHECK(zone->cut_above(name("ns.a.test")) == nullptr);
}

TEST_CASE("Zone: a hundred thousand names are found, and one change copies little") {
  ZoneEditor editor(name("big.test"));
  REQUIRE(editor.add(record("big.test. SOA ns.big.test. h.big.test. 1 1 1 1 1")));
  for (int i = 0; i < 100000; ++i) {
    RrSet set(name(fmt::format("h{}.big.test", i * 7919 % 100000)), Type::a, 60);
    set.rdata.push_back(std::string("\xc0\x00\x02\x01", 4));
    REQUIRE(editor.put(std::move(set)));
  }
  const auto first = commit(editor).zone;
  CHECK(first->nodes().size() == 100001);
  CHECK(first->find(name("h99999.big.test"), Type::a) != nullptr);
  CHECK(first->find(name("h100000.big.test")) == nullptr);

  ZoneEditor next(first);
  REQUIRE(next.add(record("h5.big.test. TXT changed")));
  const auto second = commit(next).zone;
  CHECK(first->find(name("h5.big.test"), Type::txt) == nullptr);
  CHECK(second->find(name("h5.big.test"), Type::txt) != nullptr);
  // Unchanged nodes are the same ones in both.
  CHECK(first->find(name("h4.big.test")) == second->find(name("h4.big.test")));
  CHECK(first->find(name("h777.big.test")) == second->find(name("h777.big.test")));
}

TEST_CASE("NodeTree: versions with names added and removed all over stay in order") {
  ZoneEditor editor(name("t"));
  REQUIRE(editor.add(record("t. SOA ns.t. h.t. 1 1 1 1 1")));
  auto zone = commit(editor).zone;
  std::size_t expected = 1;
  for (int round = 0; round < 20; ++round) {
    ZoneEditor next(zone);
    for (int i = 0; i < 300; ++i) {
      const Name owner = name(fmt::format("n{}.t", (round * 131 + i * 17) % 4000));
      const bool is_there = next.find(owner) != nullptr;
      if (round % 3 == 2) {
        CHECK(next.remove_name(owner) == is_there);
        expected -= is_there ? 1 : 0;
      } else {
        REQUIRE(next.add(Record(owner, 60, A{})));
        expected += is_there ? 0 : 1;
      }
    }
    zone = commit(next).zone;
    std::size_t count = 0;
    std::string last;
    for (auto at = zone->nodes().first(); at.node() != nullptr; at.to_next(), ++count) {
      CHECK((count == 0 || at.node()->key > last));
      last = at.node()->key;
      CHECK(zone->nodes().find(last) == at.node());
    }
    CHECK(count == expected);
    CHECK(zone->nodes().size() == expected);
    CHECK(zone->record_count() == expected);
  }
}

TEST_CASE("ZoneEditor: tells what was removed and added") {
  ZoneEditor editor(small());
  CHECK(editor.remove(name("WWW.a.test"), record("x. A 192.0.2.2").data));
  REQUIRE(editor.add(record("www.a.test. 60 A 192.0.2.4")));
  REQUIRE(editor.add(record("new.a.test. 60 MX 10 ns.a.test.")));
  editor.set_serial(11);
  const ZoneVersion version = commit(editor);
  CHECK(version.zone->serial() == 11);
  CHECK(version.difference.from() == 10);
  CHECK(version.difference.to() == 11);
  CHECK(lines_of(version.difference.removed) == Lines{"www.a.test A 192.0.2.2"});
  CHECK(lines_of(version.difference.added) ==
        Lines{"new.a.test MX 10 ns.a.test.", "www.a.test A 192.0.2.4"});
}

TEST_CASE("ZoneEditor: what comes back to what it was is no difference") {
  const auto before = small();
  ZoneEditor editor(before);
  CHECK(editor.remove_name(name("www.a.test")));
  REQUIRE(editor.add(record("www.a.test. 60 A 192.0.2.3")));
  REQUIRE(editor.add(record("www.a.test. 60 A 192.0.2.2")));
  REQUIRE(editor.add(record("gone.a.test. 60 A 192.0.2.2")));
  CHECK(editor.remove_set(name("gone.a.test"), Type::a));
  const ZoneVersion version = commit(editor);
  CHECK(version.difference.empty());
  CHECK(*version.zone == *before);
}

TEST_CASE("ZoneEditor: a difference applied to its old version gives the new one") {
  const auto before = small();
  ZoneEditor editor(before);
  CHECK(editor.remove_set(name("www.a.test"), Type::a));
  REQUIRE(editor.add(record("ns.a.test. 300 A 192.0.2.9")));  // the set's TTL changes
  REQUIRE(editor.add(
      record("ns.a.test. 300 RRSIG A 13 3 300 20300101000000 20200101000000 7 a.test. AAAA")));
  REQUIRE(editor.add(
      record("a.test. 60 RRSIG SOA 13 2 60 20300101000000 20200101000000 7 a.test. AAAA")));
  editor.set_serial(12);
  const ZoneVersion version = commit(editor);
  ZoneEditor other(before);
  REQUIRE(other.apply(version.difference));
  CHECK(*commit(other).zone == *version.zone);

  ZoneEditor wrong(version.zone);
  const auto applied = wrong.apply(version.difference);
  REQUIRE_FALSE(applied);
  CHECK(applied.error() == EditFault::does_not_apply);
}

TEST_CASE("ZoneEditor: a difference that removes what isn't there doesn't apply") {
  const auto before = small();
  ZoneEditor editor(before);
  CHECK(editor.remove_set(name("www.a.test"), Type::a));
  editor.set_serial(11);
  ZoneDifference difference = commit(editor).difference;
  difference.removed[0].rdata.push_back(std::string("\x7f\x00\x00\x01", 4));
  ZoneEditor other(before);
  CHECK_FALSE(other.apply(difference));
}

TEST_CASE("ZoneEditor: records that no zone may have are refused") {
  const auto [text, fault] = GENERATE(table<const char*, EditFault>({
      {"b.test. A 192.0.2.1", EditFault::outside_zone},
      {"a.test. CH TXT x", EditFault::not_internet},
      {"www.a.test. SOA ns.a.test. h.a.test. 1 1 1 1 1", EditFault::misplaced_soa},
  }));
  ZoneEditor editor(small());
  const auto added = editor.add(record(text));
  REQUIRE_FALSE(added);
  CHECK(added.error() == fault);
}

TEST_CASE("ZoneEditor: a zone has one SOA") {
  ZoneEditor none(name("a.test"));
  REQUIRE(none.add(record("a.test. A 192.0.2.1")));
  CHECK(none.commit().error() == EditFault::no_soa);
  ZoneEditor two(small());
  REQUIRE(two.add(record("a.test. SOA ns.a.test. h.a.test. 11 1 1 1 1")));
  CHECK(two.commit().error() == EditFault::several_soas);
}

TEST_CASE("ZoneEditor: a set has a bounded number of records") {
  ZoneEditor editor(small());
  for (std::size_t i = 0; i < max_set_records; ++i) {
    REQUIRE(editor.add(record(fmt::format("many.a.test. TXT {}", i))));
  }
  const auto added = editor.add(record("many.a.test. TXT more"));
  REQUIRE_FALSE(added);
  CHECK(added.error() == EditFault::too_many_records);
}

TEST_CASE("ZoneEditor: records that differ in the case of a name are one (RFC 3597 6)") {
  ZoneEditor editor(small());
  REQUIRE(editor.add(record("a.test. 60 MX 10 Mail.a.test.")));
  REQUIRE(editor.add(record("a.test. 60 MX 10 mail.A.test.")));
  REQUIRE(editor.add(record("a.test. 60 MX 5 zz.a.test.")));
  CHECK(editor.find(name("a.test"), Type::mx)->rdata.size() == 2);
  CHECK(line_of(*editor.find(name("a.test"), Type::mx)) ==
        "a.test MX 5 zz.a.test. 10 Mail.a.test.");
  CHECK(editor.remove(name("a.test"), record("x. MX 10 MAIL.a.test.").data));
}

TEST_CASE("ZoneEditor: signatures may come before their set, and go when it goes") {
  ZoneEditor editor(small());
  REQUIRE(editor.add(
      record("s.a.test. 60 RRSIG A 13 3 60 20300101000000 20200101000000 7 a.test. AAAA")));
  REQUIRE(editor.add(
      record("t.a.test. 60 RRSIG A 13 3 60 20300101000000 20200101000000 7 a.test. AAAA")));
  CHECK(editor.find(name("s.a.test")) == nullptr);
  REQUIRE(editor.add(record("s.a.test. 300 A 192.0.2.1")));
  const auto zone = commit(editor).zone;
  const RrSet* set = zone->find(name("s.a.test"), Type::a);
  REQUIRE(set != nullptr);
  CHECK(set->ttl == 300);
  CHECK(set->signatures.size() == 1);
  CHECK(zone->find(name("t.a.test")) == nullptr);

  ZoneEditor next(zone);
  CHECK(next.remove(name("s.a.test"), record("x. A 192.0.2.1").data));
  const ZoneVersion version = commit(next);
  CHECK(version.zone->find(name("s.a.test")) == nullptr);
  REQUIRE(version.difference.removed.size() == 1);
  CHECK(version.difference.removed[0].signatures.size() == 1);
}
