#include "libdns/resolver/root_hints.h"

#include <algorithm>

#include "libdns/wire/presentation.h"

namespace posthorn::dns {

namespace {

struct RootServer {
  const char* host;
  const char* v4;
  const char* v6;
};
// IANA, named.root of 2024.
constexpr RootServer root_servers[] = {
    {"a.root-servers.net", "198.41.0.4", "2001:503:ba3e::2:30"},
    {"b.root-servers.net", "170.247.170.2", "2801:1b8:10::b"},
    {"c.root-servers.net", "192.33.4.12", "2001:500:2::c"},
    {"d.root-servers.net", "199.7.91.13", "2001:500:2d::d"},
    {"e.root-servers.net", "192.203.230.10", "2001:500:a8::e"},
    {"f.root-servers.net", "192.5.5.241", "2001:500:2f::f"},
    {"g.root-servers.net", "192.112.36.4", "2001:500:12::d0d"},
    {"h.root-servers.net", "198.97.190.53", "2001:500:1::53"},
    {"i.root-servers.net", "192.36.148.17", "2001:7fe::53"},
    {"j.root-servers.net", "192.58.128.30", "2001:503:c27::2:30"},
    {"k.root-servers.net", "193.0.14.129", "2001:7fd::1"},
    {"l.root-servers.net", "199.7.83.42", "2001:500:9f::42"},
    {"m.root-servers.net", "202.12.27.33", "2001:dc3::35"},
};

RootHint& hint_of(std::vector<RootHint>& hints, const Name& host) {
  const auto there = std::ranges::find_if(hints, [&](const RootHint& h) { return h.host == host; });
  if (there != hints.end()) return *there;
  return hints.emplace_back(host, std::vector<std::string>());
}

}  // namespace

std::vector<RootHint> built_in_root_hints() {
  std::vector<RootHint> hints;
  for (const RootServer& server : root_servers) {
    std::vector<std::string> addresses = {server.v4, server.v6};
    hints.emplace_back(Name::parse(server.host).value_or(Name()), std::move(addresses));
  }
  return hints;
}

Result<std::vector<RootHint>, std::string> parse_root_hints(std::string_view text) {
  std::vector<RootHint> hints;
  const auto records = parse_records(text);
  if (!records) return fail(records.error().text());
  for (const PlacedRecord& placed : *records) {
    const Record& record = placed.record;
    if (const A* v4 = record.as<A>()) hint_of(hints, record.owner).addresses.push_back(v4->text());
    if (const Aaaa* v6 = record.as<Aaaa>())
      hint_of(hints, record.owner).addresses.push_back(v6->text());
  }
  if (hints.empty()) return fail(std::string("no address of a root server"));
  return hints;
}

}  // namespace posthorn::dns
