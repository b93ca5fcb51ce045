// What `set` changes, and what a question is asked by.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/nslook/asker.h"

namespace posthorn::nslook {

struct Settings {
  std::vector<Place> servers;    // asked in this order, the next one if one doesn't answer
  std::vector<dns::Type> types;  // empty: A and AAAA; an address: PTR
  dns::Class klass = dns::Class::in;
  Manner manner;
  std::uint16_t port = dns_port;
  std::vector<std::string> search;
  bool use_search = true;
  unsigned ndots = 1;  // names with fewer dots are looked up with the search list first
  bool fail = true;    // SERVFAIL of one server is an answer; else the next one is asked
  bool debug = false;  // whole replies
  bool d2 = false;     // questions, too
  bool brief = false;  // data only
  // Where `root` goes, and where a trace begins.
  std::vector<Place> roots;
};

// One word behind `set`, without "all": "type=mx", "nodebug", "port=5353". The error is a sentence.
[[nodiscard]] Result<void, std::string> apply_set(Settings& settings, std::string_view word);
// What `set all` shows.
[[nodiscard]] std::string show_settings(const Settings& settings);

}  // namespace posthorn::nslook
