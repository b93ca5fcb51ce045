#include "libmail/store/dotlock.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

std::string host_name() {
  char buffer[HOST_NAME_MAX + 1] = {};
  if (::gethostname(buffer, sizeof buffer - 1) < 0) return "localhost";
  return buffer;
}

StoreError held_by_other(const std::string& name) {
  return {StoreError::Kind::locked, "another program holds " + name};
}

bool is_no_room(const IoError& error) {
  const StoreError::Kind kind = StoreError(error).kind;
  return kind == StoreError::Kind::disk_full || kind == StoreError::Kind::over_quota;
}

enum class Owner {
  unknown,  // on another host, or what it says is nonsense
  unnamed,  // nothing is in it: killed before it could write, or its disk is full
  alive,
  gone,
};

// Who made the lock, as far as this host can tell.
Owner owner_of(Files& files, Directory& directory, const std::string& name,
               const FileStatus& status) {
  const auto file = directory.open_file(name, OpenMode::read, 0);
  if (!file) return Owner::unknown;
  const auto text = (*file)->read(0, 512);
  if (!text) return Owner::unknown;
  if (text->empty()) return Owner::unnamed;
  const std::string_view line = trim(*text);
  const std::size_t colon = line.find(':');
  const auto pid = parse_number<pid_t>(line.substr(0, colon));
  if (colon == std::string_view::npos || !pid || *pid <= 0 ||
      line.substr(colon + 1) != host_name()) {
    return Owner::unknown;
  }
  if (*pid == ::getpid()) {
    // Another task of ours, or the process that had our number before us (in a container every
    // time).
    // The kernel's file times lag behind its clock by some milliseconds.
    const auto slack = std::chrono::milliseconds(50);
    return status.modified + slack < files.started() ? Owner::gone : Owner::alive;
  }
  return ::kill(*pid, 0) < 0 && errno == ESRCH ? Owner::gone : Owner::alive;
}

// Under a name of its own first: whoever is killed in the middle leaves no lock that says nothing. Nothing: there is a lock.
StoreResult<std::optional<FileStatus>> make(Directory& directory, const std::string& lock_name) {
  using Made = std::optional<FileStatus>;
  if (directory.status(lock_name)) return Made();
  static std::atomic<std::uint64_t> made_before = 0;
  const std::string own_name =
      fmt::format("{}.{}.{}", lock_name, ::getpid(), made_before.fetch_add(1));
  auto file = directory.open_file(own_name, OpenMode::create_new, 0600);
  if (!file && file.error().code == EEXIST) return Made();
  if (!file) return fail(StoreError(file.error()));
  const std::string text = std::to_string(::getpid()) + ":" + host_name();
  const auto written = (*file)->write(text);
  const auto status = (*file)->status();
  IoResult<void> linked;
  // The name in it is a help for others, who go by the time without it. A full disk must not keep anybody from deleting mail.
  const bool usable = (written || is_no_room(written.error())) && status;
  if (usable) linked = directory.link(own_name, directory, lock_name);
  static_cast<void>(directory.unlink(own_name));
  if (!usable) return fail(StoreError(written ? status.error() : written.error()));
  if (linked) return Made(*status);
  if (linked.error().code == EEXIST) return Made();
  // A file system without second names: made in its place, and for a moment without a name in it.
  file = directory.open_file(lock_name, OpenMode::create_new, 0600);
  if (!file && file.error().code == EEXIST) return Made();
  if (!file) return fail(StoreError(file.error()));
  static_cast<void>((*file)->write(text));
  const auto made = (*file)->status();
  if (made) return Made(*made);
  static_cast<void>(directory.unlink(lock_name));
  return fail(StoreError(made.error()));
}

}  // namespace

DotLock::DotLock(Files& files, Directory& directory, std::string name, FileStatus mine,
                 const DotLockRules& rules)
    : files_(&files),
      directory_(&directory),
      name_(std::move(name)),
      mine_(mine),
      rules_(rules),
      touched_(files.now()) {}

DotLock::DotLock(DotLock&& other) noexcept
    : files_(other.files_),
      directory_(std::exchange(other.directory_, nullptr)),
      name_(std::move(other.name_)),
      mine_(other.mine_),
      rules_(other.rules_),
      touched_(other.touched_) {}

DotLock::~DotLock() {
  if (directory_ == nullptr) return;
  const auto status = directory_->status(name_);
  if (status && status->same_file(mine_)) static_cast<void>(directory_->unlink(name_));
}

StoreResult<DotLock> DotLock::try_acquire(Files& files, Directory& directory,
                                          const std::string& name, const DotLockRules& rules) {
  const std::string lock_name = name + ".lock";
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto made = make(directory, lock_name);
    if (!made) return fail(std::move(made.error()));
    if (*made) return DotLock(files, directory, lock_name, **made, rules);

    const auto status = directory.status(lock_name);
    if (!status) continue;  // it went away in between
    const Owner owner = owner_of(files, directory, lock_name, *status);
    const WallTime last = std::max(status->modified, status->changed);
    const Duration idle = files.now() - last;
    const bool stale = (owner == Owner::unknown && idle > rules.stale_after) ||
                       (owner == Owner::unnamed && idle > rules.unnamed_after);
    if (owner != Owner::gone && !stale) return fail(held_by_other(lock_name));
    // Whoever else saw it may have removed it and made a lock of its own.
    const auto again = directory.status(lock_name);
    if (again && again->same_file(*status) && again->modified == status->modified) {
      static_cast<void>(directory.unlink(lock_name));
    }
  }
  return fail(held_by_other(lock_name));
}

StoreResult<void> DotLock::keep() {
  const WallTime now = files_->now();
  if (now - touched_ < rules_.touch_every) return {};
  touched_ = now;
  if (auto held = verify(); !held) return held;
  if (auto done = directory_->touch(name_); !done) return fail(StoreError(done.error()));
  return {};
}

StoreResult<void> DotLock::verify() const {
  const auto status = directory_->status(name_);
  if (!status || !status->same_file(mine_)) return fail(held_by_other(name_));
  return {};
}

}  // namespace posthorn::store
