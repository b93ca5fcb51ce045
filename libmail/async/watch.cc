#include "libmail/async/watch.h"

#include <sys/stat.h>

#include <optional>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"

namespace posthorn::async {
namespace {

// What tells one version of a file from another. All zero if there is none.
struct Version {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
  bool operator==(const Version& other) const {
    return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

std::vector<Version> look(const std::vector<std::string>& paths) {
  std::vector<Version> versions;
  for (const auto& path : paths) {
    struct stat facts{};
    Version version;
    if (::stat(path.c_str(), &facts) == 0) {
      version.inode = facts.st_ino;
      version.size = facts.st_size;
      version.changed = facts.st_ctim;
    }
    versions.push_back(version);
  }
  return versions;
}

}  // namespace

struct FileWatch::State : std::enable_shared_from_this<FileWatch::State> {
  std::vector<std::string> paths;
  std::vector<Version> seen;
  Duration interval{};
  Function<void(const std::string&)> on_change;
  Timer timer;
  bool stopped = false;

  void arm() {
    timer.set(Deadline::in(interval), [this] { look_in_pool(); });
  }
  void look_in_pool() {
    auto fresh = std::make_shared<std::vector<Version>>();
    auto self = shared_from_this();
    detail::run_in_pool([self, fresh] { *fresh = look(self->paths); },
                        [self, fresh] { self->compare(std::move(*fresh)); });
  }
  void compare(std::vector<Version> fresh) {
    if (stopped) return;
    const std::vector<Version> before = std::exchange(seen, std::move(fresh));
    for (std::size_t i = 0; i < paths.size() && !stopped; ++i) {
      if (!(before[i] == seen[i])) on_change(paths[i]);
    }
    if (!stopped) arm();
  }
};

FileWatch::FileWatch(std::vector<std::string> paths, Duration interval,
                     Function<void(const std::string&)> on_change)
    : state_(std::make_shared<State>()) {
  state_->paths = std::move(paths);
  state_->seen = look(state_->paths);
  state_->interval = interval;
  state_->on_change = std::move(on_change);
  state_->arm();
}

FileWatch::~FileWatch() {
  state_->stopped = true;
  state_->timer.clear();
}

}  // namespace posthorn::async
