#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "libmail/async/loop.h"
#include "test/dns/scenario.h"

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("every scenario goes as it says") {
  posthorn::async::Loop::current().use_virtual_time();
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(POSTHORN_SCENARIOS))
    if (entry.path().extension() == ".scn") paths.insert(entry.path());
  REQUIRE_FALSE(paths.empty());
  for (const auto& path : paths) {
    DYNAMIC_SECTION(path.stem().string()) {
      for (const std::string& fault : posthorn::dns::test::run_scenario(read_file(path)))
        FAIL_CHECK(fault);
    }
  }
}

TEST_CASE("a scenario that expects the wrong thing fails") {
  posthorn::async::Loop::current().use_virtual_time();
  const char* text = R"(
zone .
  . NS a.root
  a.root A 192.0.2.1
end
server 192.0.2.1 serves .
ask a.root A
  rcode NXDOMAIN
  answer a.root A 192.0.2.2
  security secure
)";
  CHECK(posthorn::dns::test::run_scenario(text).size() == 3);
}
