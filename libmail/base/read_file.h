// Whole files.
#pragma once

#include <cstddef>
#include <string>

#include "libmail/base/result.h"

namespace posthorn {

// The octets of a regular file, sleeping as long as the disk takes. Errors: those of open(2) and
// read(2), EINVAL for what is no regular file, EFBIG beyond `limit` octets.
[[nodiscard]] Result<std::string, IoError> read_file(const std::string& path,
                                                     std::size_t limit = std::size_t{1} << 30);

}  // namespace posthorn
