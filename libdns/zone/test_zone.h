// Zones from text and answers as text, for the tests of this room.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/presentation.h"
#include "libdns/wire/test_names.h"
#include "libdns/zone/lookup.h"
#include "libdns/zone/master_file.h"

namespace posthorn::dns {

inline Record record(std::string_view text, std::string_view origin = ".") {
  RecordDefaults defaults;
  defaults.origin = name(origin);
  defaults.ttl = 3600;
  auto parsed = parse_record(text, defaults);
  INFO(text);
  REQUIRE(parsed.has_value());
  return std::move(*parsed);
}

inline std::shared_ptr<const Zone> zone_of(std::string_view origin, std::string_view text) {
  const MasterFile file = parse_master_file(text, name(origin));
  for (const Problem& problem : file.problems) UNSCOPED_INFO(problem.text());
  REQUIRE(file.zone != nullptr);
  return file.zone;
}

// "www.example.org A 192.0.2.1 192.0.2.2", the set's owner without dot.
inline std::string line_of(const RrSet& set) {
  std::string line = set.owner.text() + ' ' + to_string(set.type);
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(set.type, octets);
    line += ' ' + (data ? to_text(*data) : "?");
  }
  return line;
}

// "a.example NSEC", for sets whose data a test doesn't look at.
inline std::string head_of(const RrSet& set) {
  return set.owner.text() + ' ' + to_string(set.type);
}

using Lines = std::vector<std::string>;
inline Lines lines_of(const std::vector<const RrSet*>& sets) {
  Lines lines;
  for (const RrSet* set : sets) lines.push_back(line_of(*set));
  return lines;
}
inline Lines heads_of(const std::vector<const RrSet*>& sets) {
  Lines lines;
  for (const RrSet* set : sets) lines.push_back(head_of(*set));
  return lines;
}

inline ZoneAnswer ask(const Zone& zone, std::string_view qname, Type type, bool dnssec_ok = false) {
  return look_up(zone, name(qname), type, dnssec_ok);
}

}  // namespace posthorn::dns
