// What one packet says about one question. Pure: the network and the clock are elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libdns/stub/resolver.h"

namespace posthorn::dns {

struct Reading {
  Answer answer;
  // False: this server is of no help with this question (failure, refusal, nonsense), ask another.
  bool usable = false;
  // The server will say the same again.
  bool final = false;
  // The reply ended with an alias and says nothing about its target: ask for that.
  std::optional<Name> ask_next;
  // The reply had an OPT record.
  bool edns = false;
  Reading() = default;
};

// `octets` came from a server as the reply to `question`. `trusted`: its AD bit counts. `aliases` are the CNAME owners
// that led to this question, so that a loop over several replies is found.
[[nodiscard]] Reading read_reply(std::string_view octets, const Question& question, bool trusted,
                                 const std::vector<Name>& aliases, unsigned max_aliases);

}  // namespace posthorn::dns
