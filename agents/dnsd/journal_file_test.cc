#include "agents/dnsd/journal_file.h"

#include "agents/dnsd/test_folder.h"
#include "agents/dnsd/zone_files.h"

using namespace posthorn;
using namespace posthorn::dnsd;

namespace {

// One record more, and the next serial.
dns::ZoneVersion next_version(const std::shared_ptr<const dns::Zone>& zone,
                              const std::string& record) {
  dns::ZoneEditor editor(zone);
  REQUIRE(editor.add(dns::record(record, "example.test.")));
  editor.set_serial(zone->serial() + 1);
  auto version = editor.commit();
  REQUIRE(version);
  return std::move(*version);
}

struct Updated {
  std::shared_ptr<const dns::Zone> first = dns::zone_of("example.test", zone_text(1));
  dns::ZoneVersion second = next_version(first, "a 300 A 192.0.2.1");
  dns::ZoneVersion third = next_version(second.zone, "b 300 A 192.0.2.2");

  // Both differences, one behind the other; where the second begins.
  std::size_t write(const std::string& path) const {
    const std::string one = dns::encode_journal_entry(second.difference);
    REQUIRE(append_journal(path, 0, one));
    REQUIRE(append_journal(path, one.size(), dns::encode_journal_entry(third.difference)));
    return one.size();
  }
};

}  // namespace

TEST_CASE("beside: the files of a zone have its name") {
  CHECK(beside("/x/example.test.zone", ".signed") == "/x/example.test.signed");
  CHECK(journal_path("/x/other") == "/x/other.journal");
}

TEST_CASE("A journal leads from the zone file to the zone as it was updated") {
  const TestFolder folder;
  const Updated updated;
  updated.write(folder.path("j"));
  const auto journal = read_journal(folder.path("j"));
  REQUIRE(journal);
  CHECK_FALSE(journal->is_torn);
  const auto versions = replay(updated.first, journal->entries, "j");
  REQUIRE(versions);
  REQUIRE(versions->size() == 2);
  CHECK(*versions->back().zone == *updated.third.zone);
}

TEST_CASE("No journal is an empty one") {
  const TestFolder folder;
  const auto journal = read_journal(folder.path("none"));
  REQUIRE(journal);
  CHECK(journal->entries.empty());
}

TEST_CASE("A file that has the first updates already takes the rest") {
  const TestFolder folder;
  const Updated updated;
  updated.write(folder.path("j"));
  const auto versions = replay(updated.second.zone, read_journal(folder.path("j"))->entries, "j");
  REQUIRE(versions);
  CHECK(versions->size() == 1);
  const auto none = replay(updated.third.zone, read_journal(folder.path("j"))->entries, "j");
  REQUIRE(none);
  CHECK(none->empty());
}

TEST_CASE("A journal that was cut off anywhere gives its whole entries and goes on behind them") {
  const TestFolder folder;
  const Updated updated;
  const std::size_t second_at = updated.write(folder.path("j"));
  const std::string whole = folder.read("j");
  for (std::size_t size = second_at; size < whole.size(); ++size) {
    folder.write("cut", whole.substr(0, size));
    const auto journal = read_journal(folder.path("cut"));
    REQUIRE(journal);
    CHECK(journal->entries.size() == 1);
    CHECK(journal->whole_octets == second_at);
    CHECK(journal->is_torn == (size != second_at));
  }
  folder.write("cut", whole.substr(0, whole.size() - 1));
  REQUIRE(append_journal(folder.path("cut"), second_at,
                         dns::encode_journal_entry(updated.third.difference)));
  CHECK(folder.read("cut") == whole);
}

TEST_CASE("A damaged entry in the middle is told, not passed over") {
  const TestFolder folder;
  const Updated updated;
  updated.write(folder.path("j"));
  std::string octets = folder.read("j");
  octets[20] = static_cast<char>(octets[20] ^ 1);
  folder.write("j", octets);
  const auto journal = read_journal(folder.path("j"));
  REQUIRE_FALSE(journal);
  CHECK_THAT(journal.error(), Catch::Contains("octet 0 is damaged"));
}

TEST_CASE("A journal that fits nowhere is told, with what to do") {
  const TestFolder folder;
  const Updated updated;
  updated.write(folder.path("j"));
  const auto edited = dns::zone_of("example.test", zone_text(7));
  const auto versions = replay(edited, read_journal(folder.path("j"))->entries, "the.journal");
  REQUIRE_FALSE(versions);
  CHECK_THAT(versions.error(), Catch::Contains("serial 7") && Catch::Contains("the.journal"));
}

TEST_CASE("Replacing a zone file removes its journal and leaves nothing else") {
  const TestFolder folder;
  folder.write("example.test.zone", "old");
  folder.write("example.test.journal", "x");
  REQUIRE(replace_zone_file(folder.path("example.test.zone"), "new"));
  CHECK(folder.read("example.test.zone") == "new");
  CHECK_FALSE(folder.has("example.test.journal"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
