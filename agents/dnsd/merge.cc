#include "agents/dnsd/merge.h"

#include <map>
#include <set>
#include <string>

namespace posthorn::dnsd {

using nlohmann::ordered_json;

namespace {

constexpr const char* server_key = "server";

std::string server_of(const ordered_json& line) {
  const auto found = line.find(server_key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::uint64_t ttl_of(const ordered_json& line) {
  const auto found = line.find("ttl");
  return found != line.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}
bool has_more(const ordered_json& reply) {
  const auto found = reply.find("more");
  return found != reply.end() && found->is_boolean() && found->get<bool>();
}

void add_servers(ordered_json& sum, const ordered_json& other) {
  std::set<std::string> known;
  for (const ordered_json& server : sum) known.insert(server_of(server));
  for (const ordered_json& server : other) {
    if (server.is_object() && known.insert(server_of(server)).second) sum.push_back(server);
  }
}

// All of a line but its TTL.
std::string identity(const ordered_json& line) {
  ordered_json copy = line;
  copy.erase("ttl");
  return copy.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

void add_stats(ordered_json& sum, const ordered_json& other) {
  if (sum.is_null()) {
    sum = other;
  } else if (sum.is_number_unsigned() && other.is_number_unsigned()) {
    sum = sum.get<std::uint64_t>() + other.get<std::uint64_t>();
  } else if (sum.is_number() && other.is_number()) {
    sum = sum.get<double>() + other.get<double>();
  } else if (sum.is_array() && other.is_array()) {
    add_servers(sum, other);
  } else if (sum.is_object() && other.is_object()) {
    for (const auto& [key, value] : other.items()) add_stats(sum[key], value);
  }
}

void add_lines(ordered_json& all, const ordered_json& other, std::size_t limit) {
  if (!other.is_object() || !other.contains("lines") || !other["lines"].is_array()) return;
  ordered_json& lines = all["lines"];
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < lines.size(); ++i) places.emplace(identity(lines[i]), i);
  bool is_whole = !has_more(all) && !has_more(other);
  for (const ordered_json& line : other["lines"]) {
    if (!line.is_object()) continue;
    const auto found = places.find(identity(line));
    if (found != places.end()) {
      ordered_json& known = lines[found->second];
      if (ttl_of(line) > ttl_of(known)) known["ttl"] = ttl_of(line);
    } else if (lines.size() < limit) {
      places.emplace(identity(line), lines.size());
      lines.push_back(line);
    } else {
      is_whole = false;
    }
  }
  all["more"] = !is_whole;
}

}  // namespace posthorn::dnsd
