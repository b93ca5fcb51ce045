// A zone file of the disk, read as dnsd would read it.
#pragma once

#include <optional>
#include <string>

#include "libdns/zone/master_file.h"

namespace posthorn::operate {

// "example.org" of "zones/example.org.zone", "db.example.org" or "example.org"; nothing if that is no
// name with a dot in it.
[[nodiscard]] std::optional<dns::Name> origin_of_file(const std::string& path);

// $INCLUDE opens files in the folder of `path` and below only. The error says why the file can't be
// read.
[[nodiscard]] Result<dns::MasterFile, std::string> read_zone_file(const std::string& path,
                                                                  const dns::Name& origin);

}  // namespace posthorn::operate
