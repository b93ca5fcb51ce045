// Where the root's servers are, to begin with (RFC 9609).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/name.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

struct RootHint {
  Name host;
  std::vector<std::string> addresses;  // literal, v4 and v6
  RootHint() = default;
  RootHint(Name name, std::vector<std::string> at)
      : host(std::move(name)), addresses(std::move(at)) {}
};

[[nodiscard]] std::vector<RootHint> built_in_root_hints();
// A hints file in the form of a zone file: NS of the root, A and AAAA of those hosts. The error
// names line and column.
[[nodiscard]] Result<std::vector<RootHint>, std::string> parse_root_hints(std::string_view text);

}  // namespace posthorn::dns
