// Landlock by raw system calls: the headers of Debian 12 know only half of what newer kernels
// offer.
#pragma once

#include <string>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::service {

// What may be done below a directory, or with one file if `path` is none.
struct PathRule {
  std::string path;
  bool write = false;  // create, rename, remove, truncate as well as read
};

// The version the kernel speaks, 0 if it has none or it is switched off.
[[nodiscard]] int landlock_abi();
// From now on this thread, and what it starts, touches nothing but what `rules` allow. A path that
// does not exist is skipped. With execute allowed nowhere, execve fails too.
Result<void, IoError> landlock(const std::vector<PathRule>& rules);

}  // namespace posthorn::service
