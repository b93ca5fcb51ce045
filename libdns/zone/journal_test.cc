#include "libdns/zone/journal.h"

#include "libdns/zone/test_zone.h"

using namespace posthorn::dns;

namespace {

std::shared_ptr<const Zone> first_version() {
  return zone_of("a.test",
                 "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\nww A 192.0.2.2\n");
}

// Three versions, one after the other.
std::vector<ZoneVersion> versions() {
  std::vector<ZoneVersion> made;
  auto zone = first_version();
  const char* const adds[] = {
      "x.a.test. 60 TXT one",
      "x.a.test. 60 RRSIG TXT 13 3 60 20300101000000 20200101000000 7 a.test. AAAA",
      "a.test. 60 RRSIG SOA 13 2 60 20300101000000 20200101000000 7 a.test. AAAA"};
  for (std::uint32_t i = 0; i < 3; ++i) {
    ZoneEditor editor(zone);
    REQUIRE(editor.add(record(adds[i])));
    if (i == 1) CHECK(editor.remove_set(name("ww.a.test"), Type::a));
    editor.set_serial(i + 2);
    made.push_back(std::move(*editor.commit()));
    zone = made.back().zone;
  }
  return made;
}

std::string journal() {
  std::string octets;
  for (const ZoneVersion& version : versions()) octets += encode_journal_entry(version.difference);
  return octets;
}

}  // namespace

TEST_CASE("journal: what was written is read, and leads to the same zone") {
  const auto made = versions();
  const std::string octets = journal();
  JournalReader reader(octets);
  auto zone = first_version();
  for (const ZoneVersion& version : made) {
    const auto difference = reader.next();
    REQUIRE(difference);
    CHECK(*difference == version.difference);
    ZoneEditor editor(zone);
    REQUIRE(editor.apply(*difference));
    zone = editor.commit()->zone;
    CHECK(*zone == *version.zone);
  }
  CHECK_FALSE(reader.next());
  CHECK(reader.end() == JournalEnd::clean);
  CHECK(reader.offset() == octets.size());
}

TEST_CASE("journal: cut off anywhere, whole entries are read and the torn one is told") {
  const std::string octets = journal();
  std::vector<std::size_t> ends = {0};
  for (JournalReader reader(octets); reader.next();) ends.push_back(reader.offset());
  REQUIRE(ends.size() == 4);
  for (std::size_t size = 0; size < octets.size(); ++size) {
    JournalReader reader(std::string_view(octets).substr(0, size));
    std::size_t whole = 0;
    while (reader.next()) ++whole;
    CAPTURE(size);
    CHECK(reader.offset() == ends[whole]);
    CHECK(ends[whole] <= size);
    CHECK(ends[whole + 1] > size);
    CHECK(reader.end() == (size == ends[whole] ? JournalEnd::clean : JournalEnd::torn));
  }
}

TEST_CASE("journal: a changed octet is found, in the last entry as torn, before it as corrupt") {
  const std::string octets = journal();
  JournalReader whole(octets);
  REQUIRE(whole.next());
  const std::size_t first = whole.offset();
  REQUIRE(whole.next());
  const std::size_t last = whole.offset();
  for (std::size_t at = 0; at < octets.size(); ++at) {
    std::string changed = octets;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    JournalReader reader(changed);
    std::size_t entries = 0;
    while (reader.next()) ++entries;
    CAPTURE(at);
    CHECK(entries == (at < first ? 0u : at < last ? 1u : 2u));
    CHECK(reader.end() != JournalEnd::clean);
    // Behind the header of an entry that isn't the last it is certain.
    if (at >= 12 && at < first) CHECK(reader.end() == JournalEnd::corrupt);
    if (at >= last + 12) CHECK(reader.end() == JournalEnd::torn);
  }
}

TEST_CASE("journal: zeros behind the last entry are torn, other things corrupt") {
  const std::string octets = journal();
  const auto end_with = [&octets](const std::string& more) {
    const std::string all = octets + more;
    JournalReader reader(all);
    while (reader.next()) {
    }
    CHECK(reader.offset() == octets.size());
    return reader.end();
  };
  CHECK(end_with(std::string(4096, '\0')) == JournalEnd::torn);
  CHECK(end_with("PH") == JournalEnd::torn);
  CHECK(end_with("hello") == JournalEnd::corrupt);
  CHECK(end_with("this is no journal at all") == JournalEnd::corrupt);
}
