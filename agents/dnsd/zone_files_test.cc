#include "agents/dnsd/zone_files.h"

#include "agents/dnsd/test_folder.h"

using namespace posthorn;
using namespace posthorn::dnsd;

namespace {

std::string text_of(const std::vector<dns::Problem>& problems) {
  std::string text;
  for (const dns::Problem& problem : problems) text += problem.text() + "\n";
  return text;
}

}  // namespace

TEST_CASE("find_zone_files: every NAME.zone of the folder and those that are named") {
  const TestFolder folder;
  folder.write("b.test.zone", "");
  folder.write("a.test.zone", "");
  folder.write("a.test.journal", "");
  folder.write(".c.test.zone", "");
  const auto files = find_zone_files(folder.path(), {"d.test=/x/d"});
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  CHECK(files->at(0).origin.text() == "a.test");
  CHECK(files->at(1).path == folder.path("b.test.zone"));
  CHECK(files->at(2).path == "/x/d");
  CHECK(find_zone_files(folder.path("none"), {})->empty());
}

TEST_CASE("find_zone_files: two files for a zone, and a name that is none, are refused") {
  const TestFolder folder;
  folder.write("a.test.zone", "");
  const auto twice = find_zone_files(folder.path(), {"A.TEST=/x/other"});
  REQUIRE_FALSE(twice);
  CHECK_THAT(twice.error(), Catch::Contains("/x/other") && Catch::Contains("both"));
  folder.write("a..b.zone", "");
  CHECK_FALSE(find_zone_files(folder.path(), {}));
}

TEST_CASE("load_zone_file: what it includes lies in its folder") {
  const TestFolder folder;
  folder.write("zones/example.test.zone", zone_text(1, "$INCLUDE more/hosts\n"));
  folder.write("zones/more/hosts", "www A 192.0.2.80\n");
  const ZoneFile file(*dns::Name::parse("example.test"), folder.path("zones/example.test.zone"));
  const dns::MasterFile good = load_zone_file(file);
  INFO(text_of(good.problems));
  REQUIRE(good.zone);
  CHECK(good.zone->find(*dns::Name::parse("www.example.test"), dns::Type::a) != nullptr);

  folder.write("secret", "secret A 192.0.2.1\n");
  std::filesystem::create_symlink(folder.path("secret"), folder.path("zones/link"));
  for (const char* outside : {"../secret", "/etc/hostname", "link"}) {
    folder.write("zones/example.test.zone",
                 zone_text(1, "$INCLUDE " + std::string(outside) + "\n"));
    const dns::MasterFile bad = load_zone_file(file);
    CHECK_FALSE(bad.zone);
    CHECK_THAT(text_of(bad.problems),
               Catch::Contains("example.test.zone:5") && Catch::Contains("leads out of"));
  }
}

TEST_CASE("load_zone_file: an error names file, line and column; so does a file that is missing") {
  const TestFolder folder;
  folder.write("example.test.zone", zone_text(1, "www A 192.0.2.300\n"));
  const ZoneFile file(*dns::Name::parse("example.test"), folder.path("example.test.zone"));
  const dns::MasterFile loaded = load_zone_file(file);
  CHECK_FALSE(loaded.zone);
  CHECK_THAT(text_of(loaded.problems), Catch::Contains("example.test.zone:5:7"));
  const ZoneFile missing(*dns::Name::parse("no.test"), folder.path("no.test.zone"));
  CHECK_THAT(text_of(load_zone_file(missing).problems), Catch::Contains("no.test.zone"));
}
