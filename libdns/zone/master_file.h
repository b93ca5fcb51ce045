// Zone files (RFC 1035 5, $TTL of RFC 2308 4, $GENERATE as BIND has it). Sans I/O: a callback opens
// what $INCLUDE names.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/zone/problem.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

// The text of `path`, as it was written in the file `from`; or why there is none, for the reader of
// the error. It decides what a path means, and must not lead out of the zone's folder.
using OpenInclude =
    std::function<Result<std::string, std::string>(std::string_view path, std::string_view from)>;

struct MasterFileLimits {
  std::size_t records = 5'000'000;
  std::size_t octets = std::size_t{1} << 30;  // of all files together
  std::size_t include_depth = 10;
  std::size_t generated = 65536;  // records of one $GENERATE
  std::size_t problems = 100;     // more aren't collected
};

struct MasterFileOptions {
  std::string file = "zone";  // how problems call the text
  OpenInclude open;           // none: $INCLUDE is refused
  MasterFileLimits limits;
};

struct MasterFile {
  std::shared_ptr<const Zone> zone;  // null if there is an error
  std::vector<Problem> problems;     // in the order of the text
};

// Reads all of it and tells all errors, not only the first. Linear in the text.
[[nodiscard]] MasterFile parse_master_file(std::string_view text, const Name& origin,
                                           const MasterFileOptions& options = {});
// The zone as text, absolute names, SOA first, in canonical order. parse_master_file() makes an
// equal zone of it.
[[nodiscard]] std::string to_master_file(const Zone& zone);

}  // namespace posthorn::dns
