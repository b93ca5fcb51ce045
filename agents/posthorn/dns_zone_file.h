// Which zone is a file?
#pragma once

#include <optional>
#include <string>

#include "libdns/wire/name.h"

namespace posthorn::operate {

// "example.org" of "zones/example.org.zone", "db.example.org" or "example.org"; nothing if that is no
// name with a dot in it.
[[nodiscard]] std::optional<dns::Name> origin_of_file(const std::string& path);

}  // namespace posthorn::operate
