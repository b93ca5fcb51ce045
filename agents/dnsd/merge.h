// What several workers said, as one answer.
#pragma once

#include <nlohmann/json.hpp>

namespace posthorn::dnsd {

// Adds numbers, member by member. Of two lists of servers ("server" tells them apart) each server
// stays once, as who came first knows it. Anything else stays as it is in `sum`, or comes from
// `other`.
void add_stats(nlohmann::ordered_json& sum, const nlohmann::ordered_json& other);

// {"lines":[...],"more":BOOL} of two caches: what both have alike is there once, with the TTL that is
// longer. `limit` lines at most.
void add_lines(nlohmann::ordered_json& all, const nlohmann::ordered_json& other, std::size_t limit);

}  // namespace posthorn::dnsd
