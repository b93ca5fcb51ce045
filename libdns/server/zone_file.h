// A zone file on disk. Sleeps as long as the disk takes.
#pragma once

#include <string>

#include "libdns/zone/master_file.h"

namespace posthorn::dns {

// With what it includes: $INCLUDE is relative to the file it stands in and may not lead out of the
// folder that the zone file lies in, symbolic links followed. The error says why there is no text.
[[nodiscard]] Result<MasterFile, IoError> read_zone_file(const std::string& path,
                                                         const Name& origin);

}  // namespace posthorn::dns
