#include "agents/posthorn/dns_zone_file.h"

#include <catch2/catch.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/test_site.h"
#include "libdns/server/zone_file.h"

namespace posthorn::operate {
namespace {

const dns::Name origin = *dns::Name::parse("example.org");
constexpr std::string_view good =
    "$TTL 3600\n@ SOA ns hostmaster 1 3600 600 864000 300\n@ NS ns\n@ NS ns2\nns A 192.0.2.1\n"
    "ns2 A 198.51.100.1\n";

int check(const std::vector<std::string>& words) {
  Tools tools;
  tools.push_back(make_dns_check());
  std::vector<std::string> all = {"dns", "check"};
  all.insert(all.end(), words.begin(), words.end());
  return service::run_tools("posthorn", "", tools, all);
}

}  // namespace

TEST_CASE("The zone's name is told from the file's") {
  CHECK(origin_of_file("/x/zones/example.org.zone") == origin);
  CHECK(origin_of_file("db.example.org") == origin);
  CHECK(origin_of_file("example.org") == origin);
  CHECK_FALSE(origin_of_file("/x/example.org/zone"));
}

TEST_CASE("An included file may lie in the zone's folder, and nowhere else") {
  TestSite dir;
  dir.write("mx", "@ MX 10 ns\n");
  dir.write("conf/a.zone", std::string(good) + "$INCLUDE sub\n");
  dir.write("conf/sub", "@ MX 10 ns\n");
  const auto inside = dns::read_zone_file(dir.path("conf/a.zone"), origin);
  REQUIRE(inside);
  REQUIRE(inside->zone);
  CHECK(inside->zone->find(origin, dns::Type::mx) != nullptr);
  for (const std::string& path : {std::string("../mx"), dir.path("mx")}) {
    dir.write("conf/b.zone", std::string(good) + "$INCLUDE " + path + "\n");
    const auto outside = dns::read_zone_file(dir.path("conf/b.zone"), origin);
    REQUIRE(outside);
    CHECK_FALSE(outside->zone);
  }
}

TEST_CASE("A symbolic link doesn't lead out of the folder") {
  TestSite dir;
  dir.write("mx", "@ MX 10 ns\n");
  std::filesystem::create_symlink("../mx", dir.path("conf/link"));
  dir.write("conf/a.zone", std::string(good) + "$INCLUDE link\n");
  const auto file = dns::read_zone_file(dir.path("conf/a.zone"), origin);
  REQUIRE(file);
  CHECK_FALSE(file->zone);
}

TEST_CASE("dns check ends with 0 for a zone without errors, with 1 for one with") {
  TestSite dir;
  dir.write("good.test.zone", std::string(good));
  dir.write("bad.test.zone", std::string(good) + "www A 192.0.2.999\n");
  dir.write("alias.test.zone", std::string(good) + "@ MX 10 mail\nmail CNAME ns\n");
  CHECK(check({dir.path("good.test.zone")}) == 0);
  CHECK(check({"--origin", "example.org", dir.path("good.test.zone"), "--json"}) == 0);
  CHECK(check({dir.path("bad.test.zone")}) == 1);
  CHECK(check({dir.path("alias.test.zone")}) == 1);
}

TEST_CASE("dns check without a file, or with one that isn't there, says so") {
  TestSite dir;
  CHECK(check({}) == 64);
  CHECK(check({dir.path("zone")}) == 64);
  CHECK(check({dir.path("none.test.zone")}) == 69);
}

}  // namespace posthorn::operate
