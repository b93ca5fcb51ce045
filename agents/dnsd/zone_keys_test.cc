#include "agents/dnsd/zone_keys.h"

#include "agents/dnsd/test_folder.h"

using namespace posthorn;
using namespace posthorn::dnsd;

namespace {

const dns::Name& zone() {
  static const dns::Name name = *dns::Name::parse("Example.test");
  return name;
}

}  // namespace

TEST_CASE("find_or_make_keys: a zone without a key gets one, and has the same afterwards") {
  const TestFolder folder;
  const auto made = find_or_make_keys(folder.path("keys"), zone());
  REQUIRE(made);
  REQUIRE(made->active.size() == 1);
  CHECK(made->active[0].algorithm() == 13);
  CHECK(made->active[0].dnskey().flags == dns::ksk_flags);
  const auto again = find_or_make_keys(folder.path("keys"), zone());
  REQUIRE(again);
  REQUIRE(again->active.size() == 1);
  CHECK(again->active[0].dnskey() == made->active[0].dnskey());
}

TEST_CASE("find_or_make_keys: the private half is nobody else's to read") {
  const TestFolder folder;
  REQUIRE(find_or_make_keys(folder.path("keys"), zone()));
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("keys"))) {
    if (entry.path().extension() != ".private") continue;
    ++count;
    using std::filesystem::perms;
    CHECK((entry.status().permissions() & (perms::group_all | perms::others_all)) == perms::none);
  }
  CHECK(count == 1);
}

TEST_CASE("find_or_make_keys: zones don't take each other's keys") {
  const TestFolder folder;
  const auto one = find_or_make_keys(folder.path("keys"), zone());
  const auto other = find_or_make_keys(folder.path("keys"), *dns::Name::parse("sub.example.test"));
  REQUIRE(one);
  REQUIRE(other);
  CHECK_FALSE(one->active[0].dnskey() == other->active[0].dnskey());
}

TEST_CASE("find_or_make_keys: a broken key is an error, not a reason for a new one") {
  const TestFolder folder;
  folder.write("keys/Kexample.test.+013+00001.private", "nonsense");
  folder.write("keys/Kexample.test.+013+00001.key", "example.test. IN DNSKEY 257 3 13 AAAA\n");
  const auto keys = find_or_make_keys(folder.path("keys"), zone());
  REQUIRE_FALSE(keys);
  CHECK_THAT(keys.error(), Catch::Contains("Kexample.test.+013+00001.private"));
}
