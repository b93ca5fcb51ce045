#include "agents/dnsd/merge.h"

#include <catch2/catch.hpp>
#include <vector>

namespace posthorn::dnsd {
namespace {

using nlohmann::ordered_json;

TEST_CASE("Numbers of two workers are added, member by member") {
  ordered_json sum = {{"questions", {{"udp", 5}, {"tcp", 1}}}, {"name", "x"}};
  add_stats(sum, {{"questions", {{"udp", 7}, {"tcp", 0}}}, {"rcodes", {{"NXDOMAIN", 2}}}});
  CHECK(sum == ordered_json({{"questions", {{"udp", 12}, {"tcp", 1}}},
                             {"name", "x"},
                             {"rcodes", {{"NXDOMAIN", 2}}}}));
}

TEST_CASE("A server that two workers know stays once") {
  ordered_json sum = {{"servers", {{{"server", "a"}, {"silences", 1}}}}};
  add_stats(sum, {{"servers", {{{"server", "a"}, {"silences", 3}}, {{"server", "b"}}}}});
  CHECK(sum["servers"] ==
        ordered_json::array({{{"server", "a"}, {"silences", 1}}, {{"server", "b"}}}));
}

TEST_CASE("What is no object and no number leaves the sum as it was") {
  ordered_json sum = {{"questions", {{"udp", 5}}}};
  const ordered_json before = sum;
  for (const ordered_json& other : {ordered_json("text"), ordered_json(3), ordered_json::array(),
                                    ordered_json{{"questions", "many"}}}) {
    add_stats(sum, other);
    CHECK(sum == before);
  }
}

ordered_json line(const char* name, unsigned ttl) {
  return {{"name", name}, {"type", "A"}, {"data", "192.0.2.1"}, {"ttl", ttl}};
}

ordered_json reply(std::vector<ordered_json> lines, bool more = false) {
  return {{"lines", lines}, {"more", more}};
}

TEST_CASE("A line that two caches have is there once, with the longer TTL") {
  ordered_json all = reply({line("a.", 10), line("b.", 20)});
  add_lines(all, reply({line("b.", 25), line("a.", 5), line("c.", 1)}), 100);
  CHECK(all == reply({line("a.", 10), line("b.", 25), line("c.", 1)}));
}

TEST_CASE("No more lines than the limit, and then there are more") {
  ordered_json all = reply({line("a.", 10)});
  add_lines(all, reply({line("b.", 10), line("a.", 10), line("c.", 10)}), 2);
  CHECK(all == reply({line("a.", 10), line("b.", 10)}, true));
}

TEST_CASE("One cache that has more makes all have more") {
  ordered_json all = reply({});
  add_lines(all, reply({line("a.", 1)}, true), 100);
  CHECK(all == reply({line("a.", 1)}, true));
}

TEST_CASE("A reply without lines adds none") {
  ordered_json all = reply({line("a.", 10)});
  add_lines(all, ordered_json::object(), 100);
  add_lines(all, {{"lines", 3}, {"more", "yes"}}, 100);
  add_lines(all, {{"lines", {1, "x"}}}, 100);
  CHECK(all == reply({line("a.", 10)}));
}

}  // namespace
}  // namespace posthorn::dnsd
