// Files that are replaced while we run: tables, users, certificates.
#pragma once

#include <string>
#include <vector>

#include "libmail/async/timer.h"
#include "libmail/base/function.h"

namespace posthorn::async {

// Looks at the files every `interval` (a stat each, in the pool) and calls `on_change` with the
// path of each whose inode, size or time of change is another, also when it appears or disappears.
// Polling, because inotify loses the file that is renamed over and watches run out; a stat a second
// costs nothing.
class FileWatch {
 public:
  FileWatch(std::vector<std::string> paths, Duration interval,
            Function<void(const std::string&)> on_change);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace posthorn::async
