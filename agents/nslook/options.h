// The command line.
#pragma once

#include <string>
#include <vector>

#include "agents/nslook/settings.h"
#include "agents/nslook/sts_policy.h"
#include "libmail/service/tool.h"

namespace posthorn::nslook {

// As the flags are; Settings are made of them.
struct Flags {
  std::string server;
  std::vector<std::string> types;
  std::string klass = "IN";
  std::string key;
  std::string port;
  Duration timeout = std::chrono::seconds(5);
  unsigned retries = 2;
  bool json = false;
  bool brief = false;
  bool debug = false;
  bool tcp = false;
  bool dnssec_ok = false;
  bool no_recurse = false;
  bool no_search = false;
  bool interactive = false;
  // Modes.
  bool trace = false;
  bool dnssec = false;
  std::string mail;
  std::string root;
  std::uint16_t authority_port = dns_port;
  std::string trust_anchor;
  std::vector<std::string> selectors;
  std::vector<std::string> block_lists;
  std::vector<std::string> addresses;
  std::uint16_t https_port = https_port_of_policies;
  std::string web_authorities;

  void describe(service::OptionTable& table);
};

// "-type=mx" and other words of nslookup's own, "@HOST", and "-" alone, taken out of the arguments.
struct OldWords {
  std::vector<std::string> rest;
  std::vector<std::string> sets;  // "type=mx"
  std::string server;             // of "@HOST"
  bool interactive = false;       // "-"
};
[[nodiscard]] OldWords take_old_words(const std::vector<std::string>& arguments);

// Without servers. The error is a sentence.
[[nodiscard]] Result<Settings, std::string> make_settings(const Flags& flags,
                                                          const std::vector<std::string>& sets);

}  // namespace posthorn::nslook
