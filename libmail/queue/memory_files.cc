#include "libmail/queue/memory_files.h"

#include <algorithm>
#include <cerrno>
#include <random>
#include <set>

namespace posthorn::queue {
namespace {

constexpr std::size_t sector = 512;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

void put(std::string& into, std::uint64_t offset, std::string_view octets) {
  if (into.size() < offset + octets.size()) into.resize(offset + octets.size(), '\0');
  into.replace(offset, octets.size(), octets);
}

}  // namespace

// Replays the journal into what is durable and what is not.
struct MemoryFiles::Disk {
  struct Write {
    std::uint64_t offset = 0;
    std::string octets;
    bool truncates = false;
    bool doomed = false;  // a sync that should have covered it failed
  };
  struct Name {
    std::string path;
    std::uint64_t inode = 0;  // 0: removed
  };
  std::map<std::string, std::uint64_t> names;
  std::map<std::uint64_t, std::string> octets;
  std::map<std::uint64_t, std::vector<Write>> writes;
  std::vector<Name> changes;
  std::map<std::string, std::uint64_t> current;  // names as the running system sees them

  void change(const std::string& path, std::uint64_t inode) {
    Name name;
    name.path = path;
    name.inode = inode;
    changes.push_back(name);
    if (inode == 0) {
      current.erase(path);
    } else {
      current[path] = inode;
    }
  }

  void apply(const Name& name) {
    if (name.inode == 0) {
      names.erase(name.path);
    } else {
      names[name.path] = name.inode;
    }
  }

  void apply(std::uint64_t inode, const Write& write) {
    if (write.truncates) {
      octets[inode].resize(write.offset, '\0');
    } else {
      put(octets[inode], write.offset, write.octets);
    }
  }

  void sync_file(std::uint64_t inode, bool failed) {
    std::vector<Write> left;
    for (Write& write : writes[inode]) {
      if (!failed && !write.doomed) {
        apply(inode, write);
        continue;
      }
      write.doomed = true;
      left.push_back(std::move(write));
    }
    writes[inode] = std::move(left);
  }

  void sync_names(const std::string& directory) {
    std::vector<Name> left;
    for (Name& name : changes) {
      if (directory_of(name.path) == directory) {
        apply(name);
      } else {
        left.push_back(std::move(name));
      }
    }
    changes = std::move(left);
  }

  void replay(const Event& event) {
    switch (event.call) {
      case Call::open:
        change(event.path, event.inode);
        break;
      case Call::write: {
        Write write;
        write.offset = event.offset;
        write.octets = event.octets;
        writes[event.inode].push_back(std::move(write));
        break;
      }
      case Call::truncate: {
        Write write;
        write.offset = event.offset;
        write.truncates = true;
        writes[event.inode].push_back(std::move(write));
        break;
      }
      case Call::sync_data:
        sync_file(event.inode, event.failed);
        break;
      case Call::rename:
        if (event.failed) break;
        change(event.path, 0);
        change(event.to, event.inode);
        break;
      case Call::unlink:
        if (!event.failed) change(event.path, 0);
        break;
      case Call::sync_directory:
        if (!event.failed) sync_names(event.path);
        break;
      case Call::lock:
        break;
    }
  }

  // The cut: decides about everything that is not synced.
  void settle(Unsynced unsynced, std::uint64_t seed) {
    if (unsynced == Unsynced::lost) return;
    std::mt19937_64 random(seed);
    const auto keeps = [&] { return unsynced == Unsynced::kept || (random() & 1) != 0; };
    for (const Name& name : changes) {
      if (keeps()) apply(name);
    }
    for (auto& [inode, pending] : writes) {
      for (const Write& write : pending) {
        if (write.truncates) {
          if (keeps()) apply(inode, write);
          continue;
        }
        std::size_t at = 0;
        while (at < write.octets.size()) {
          const std::size_t in_sector = sector - (write.offset + at) % sector;
          const std::size_t count = std::min(in_sector, write.octets.size() - at);
          if (keeps()) {
            put(octets[inode], write.offset + at, std::string_view(write.octets).substr(at, count));
          }
          at += count;
        }
      }
    }
  }
};

class MemoryFiles::OpenFile final : public File {
 public:
  OpenFile(MemoryFiles& disk, std::uint64_t number, std::shared_ptr<Inode> inode, std::string path,
           bool writable)
      : disk_(disk),
        number_(number),
        inode_(std::move(inode)),
        path_(std::move(path)),
        writable_(writable) {}
  ~OpenFile() override {
    const std::lock_guard hold(disk_.mutex_);
    if (inode_->locked_by == this) inode_->locked_by = nullptr;
  }

  Result<std::string, IoError> pread(std::uint64_t offset, std::size_t count) override {
    const std::lock_guard hold(disk_.mutex_);
    if (offset >= inode_->octets.size()) return std::string();
    return inode_->octets.substr(offset, count);
  }

  Result<void, IoError> pwrite(std::uint64_t offset, std::string_view octets) override {
    return pwritev(offset, std::span(&octets, 1));
  }

  Result<void, IoError> pwritev(std::uint64_t offset,
                                std::span<const std::string_view> parts) override {
    const std::lock_guard hold(disk_.mutex_);
    if (!writable_) return fail(IoError(EBADF, "write", path_));
    Event event;
    event.inode = number_;
    event.offset = offset;
    event.path = path_;
    for (const std::string_view part : parts) event.octets += part;
    const int error = disk_.fault(Call::write, path_);
    // A disk that fills up takes the front of a write.
    if (error != 0) event.octets.resize(event.octets.size() / 2);
    event.failed = error != 0;
    put(inode_->octets, offset, event.octets);
    disk_.record(std::move(event));
    if (error != 0) return fail(IoError(error, "write", path_));
    return {};
  }

  Result<void, IoError> sync_data() override {
    const std::lock_guard hold(disk_.mutex_);
    Event event;
    event.call = Call::sync_data;
    event.inode = number_;
    event.path = path_;
    const int error = disk_.fault(Call::sync_data, path_);
    event.failed = error != 0;
    disk_.record(std::move(event));
    if (error != 0) return fail(IoError(error, "fdatasync", path_));
    return {};
  }

  Result<void, IoError> truncate(std::uint64_t size) override {
    const std::lock_guard hold(disk_.mutex_);
    const int error = disk_.fault(Call::truncate, path_);
    if (error != 0) return fail(IoError(error, "ftruncate", path_));
    Event event;
    event.call = Call::truncate;
    event.inode = number_;
    event.offset = size;
    event.path = path_;
    inode_->octets.resize(size, '\0');
    disk_.record(std::move(event));
    return {};
  }

  Result<FileStatus, IoError> status() override {
    const std::lock_guard hold(disk_.mutex_);
    FileStatus status;
    status.inode = number_;
    status.size = inode_->octets.size();
    status.is_regular = true;
    for (const auto& [name, inode] : disk_.names_) status.links += inode == number_ ? 1 : 0;
    return status;
  }

  Result<bool, IoError> try_lock() override {
    const std::lock_guard hold(disk_.mutex_);
    const int error = disk_.fault(Call::lock, path_);
    if (error != 0) return fail(IoError(error, "lock", path_));
    if (inode_->locked_by != nullptr && inode_->locked_by != this) return false;
    inode_->locked_by = this;
    return true;
  }

 private:
  MemoryFiles& disk_;
  std::uint64_t number_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  bool writable_;
};

void MemoryFiles::set_fault(Fault fault) {
  const std::lock_guard hold(mutex_);
  fault_ = std::move(fault);
}

void MemoryFiles::fail_nth(std::size_t nth, int error) {
  const std::lock_guard hold(mutex_);
  fail_in_ = nth;
  fail_with_ = error;
}

void MemoryFiles::set_free_space(std::uint64_t octets) {
  const std::lock_guard hold(mutex_);
  free_space_ = octets;
}

std::size_t MemoryFiles::events() const {
  const std::lock_guard hold(mutex_);
  return journal_.size();
}

std::vector<MemoryFiles::Event> MemoryFiles::journal() const {
  const std::lock_guard hold(mutex_);
  return journal_;
}

std::unique_ptr<MemoryFiles> MemoryFiles::after_power_cut(std::size_t events, Unsynced unsynced,
                                                          std::uint64_t seed) const {
  const std::lock_guard hold(mutex_);
  Disk disk;
  disk.names = first_names_;
  disk.current = first_names_;
  disk.octets = first_octets_;
  for (std::size_t i = 0; i < std::min(events, journal_.size()); ++i) disk.replay(journal_[i]);
  disk.settle(unsynced, seed);

  auto after = std::make_unique<MemoryFiles>();
  after->directories_ = directories_;
  after->free_space_ = free_space_;
  after->next_inode_ = next_inode_;
  after->names_ = disk.names;
  for (const auto& [path, number] : disk.names) {
    auto inode = std::make_shared<Inode>();
    inode->octets = disk.octets[number];
    after->inodes_.emplace(number, std::move(inode));
  }
  after->first_names_ = after->names_;
  for (const auto& [number, inode] : after->inodes_) after->first_octets_[number] = inode->octets;
  return after;
}

std::string MemoryFiles::contents(const std::string& path) const {
  const std::lock_guard hold(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? std::string() : inodes_.at(found->second)->octets;
}

void MemoryFiles::set_contents(const std::string& path, std::string octets) {
  const std::lock_guard hold(mutex_);
  // A new inode, as if the file had been there before the journal began.
  const std::uint64_t number = next_inode_++;
  auto inode = std::make_shared<Inode>();
  inode->octets = octets;
  inodes_[number] = std::move(inode);
  names_[path] = number;
  first_names_[path] = number;
  first_octets_[number] = std::move(octets);
}

bool MemoryFiles::exists(const std::string& path) const {
  const std::lock_guard hold(mutex_);
  return names_.contains(path);
}

int MemoryFiles::fault(Call call, const std::string& path) {
  const bool changes = call != Call::lock && call != Call::open;
  if (changes && fail_in_ > 0 && --fail_in_ == 0) return fail_with_;
  return fault_ ? fault_(call, path) : 0;
}

Result<std::unique_ptr<File>, IoError> MemoryFiles::open(const std::string& path, OpenFor how,
                                                         mode_t /*mode*/) {
  const std::lock_guard hold(mutex_);
  if (const int error = fault(Call::open, path); error != 0)
    return fail(IoError(error, "open", path));
  auto found = names_.find(path);
  const bool creates = how == OpenFor::creating || how == OpenFor::appending;
  if (found != names_.end() && how == OpenFor::creating) return fail(IoError(EEXIST, "open", path));
  if (found == names_.end()) {
    if (!creates || !directories_.contains(directory_of(path))) {
      return fail(IoError(ENOENT, "open", path));
    }
    found = names_.emplace(path, next_inode_++).first;
    inodes_[found->second] = std::make_shared<Inode>();
    Event event;
    event.call = Call::open;
    event.inode = found->second;
    event.path = path;
    record(std::move(event));
  }
  return std::unique_ptr<File>(std::make_unique<OpenFile>(
      *this, found->second, inodes_.at(found->second), path, how != OpenFor::reading));
}

Result<void, IoError> MemoryFiles::rename(const std::string& from, const std::string& to) {
  const std::lock_guard hold(mutex_);
  if (const int error = fault(Call::rename, from); error != 0) {
    return fail(IoError(error, "rename", from));
  }
  const auto found = names_.find(from);
  if (found == names_.end()) return fail(IoError(ENOENT, "rename", from));
  Event event;
  event.call = Call::rename;
  event.inode = found->second;
  event.path = from;
  event.to = to;
  record(std::move(event));
  names_[to] = found->second;
  names_.erase(from);
  return {};
}

Result<void, IoError> MemoryFiles::unlink(const std::string& path) {
  const std::lock_guard hold(mutex_);
  if (const int error = fault(Call::unlink, path); error != 0) {
    return fail(IoError(error, "unlink", path));
  }
  if (names_.erase(path) == 0) return {};
  Event event;
  event.call = Call::unlink;
  event.path = path;
  record(std::move(event));
  return {};
}

Result<void, IoError> MemoryFiles::sync_directory(const std::string& path) {
  const std::lock_guard hold(mutex_);
  Event event;
  event.call = Call::sync_directory;
  event.path = path;
  const int error = fault(Call::sync_directory, path);
  event.failed = error != 0;
  record(std::move(event));
  if (error != 0) return fail(IoError(error, "fsync", path));
  return {};
}

Result<void, IoError> MemoryFiles::make_directory(const std::string& path, mode_t /*mode*/) {
  const std::lock_guard hold(mutex_);
  directories_[path] = true;
  return {};
}

Result<std::vector<std::string>, IoError> MemoryFiles::list(const std::string& path) {
  const std::lock_guard hold(mutex_);
  if (!directories_.contains(path)) return fail(IoError(ENOENT, "opendir", path));
  std::set<std::string> names;
  for (const auto& [name, inode] : names_) {
    if (directory_of(name) == path) names.insert(name.substr(path.size() + 1));
  }
  for (const auto& [name, there] : directories_) {
    if (directory_of(name) == path) names.insert(name.substr(path.size() + 1));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::optional<FileStatus>, IoError> MemoryFiles::status(const std::string& path) {
  const std::lock_guard hold(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end()) return std::optional<FileStatus>();
  FileStatus status;
  status.inode = found->second;
  status.size = inodes_.at(found->second)->octets.size();
  status.is_regular = true;
  for (const auto& [name, inode] : names_) status.links += inode == found->second ? 1 : 0;
  return std::optional(status);
}

Result<void, IoError> MemoryFiles::set_mode(const std::string& /*path*/, mode_t /*mode*/) {
  return {};
}

Result<std::uint64_t, IoError> MemoryFiles::free_space(const std::string& /*path*/) {
  const std::lock_guard hold(mutex_);
  return free_space_;
}

}  // namespace posthorn::queue
