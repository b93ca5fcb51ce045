#include "libmail/store/memory_files.h"

#include <algorithm>
#include <cerrno>

#include "libmail/base/text.h"

namespace posthorn::store {

using Names = std::map<std::string, std::shared_ptr<MemoryFiles::Node>>;

struct MemoryFiles::Node {
  bool directory = false;
  mode_t mode = 0;
  std::uint64_t inode = 0;
  WallTime modified;
  WallTime changed;
  std::string content, synced_content;
  Names names, synced_names;
  bool locked = false;
};

namespace {

FileStatus status_of(const MemoryFiles::Node& node) {
  FileStatus status;
  status.type = node.directory ? FileStatus::Type::directory : FileStatus::Type::file;
  status.device = 1;
  status.inode = node.inode;
  status.size = node.content.size();
  status.links = 1;
  status.mode = node.mode;
  status.modified = node.modified;
  status.changed = node.changed;
  return status;
}

}  // namespace

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFiles& files, std::shared_ptr<MemoryFiles::Node> node, std::string name)
      : files_(files), node_(std::move(node)), name_(std::move(name)) {}
  ~MemoryFile() override {
    const std::lock_guard hold(files_.mutex_);
    if (holds_lock_) node_->locked = false;
  }

  IoResult<void> write(std::span<const std::string_view> parts) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("write", name_, true); !ok) {
      // As the kernel does when the disk runs full: some of it was written.
      const bool off = files_.cut_at_ && files_.changes_ >= *files_.cut_at_;
      if (!off && !parts.empty()) {
        node_->content.append(parts[0].substr(0, parts[0].size() / 2));
      }
      return ok;
    }
    for (const std::string_view part : parts) node_->content.append(part);
    node_->modified = node_->changed = files_.clock_;
    return {};
  }
  IoResult<std::size_t> read_into(std::uint64_t offset, std::span<char> to) override {
    const auto octets = read(offset, to.size());
    if (!octets) return fail(octets.error());
    std::copy(octets->begin(), octets->end(), to.begin());
    return octets->size();
  }
  IoResult<std::string> read(std::uint64_t offset, std::size_t limit) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("read", name_, false); !ok) return fail(ok.error());
    if (offset >= node_->content.size()) return std::string();
    return node_->content.substr(offset, limit);
  }
  IoResult<void> append_from(File& from, std::uint64_t offset, std::uint64_t size) override {
    const auto octets = from.read(offset, size);
    if (!octets) return fail(octets.error());
    const std::string_view part = *octets;
    return write(std::span(&part, 1));
  }
  IoResult<void> write_at(std::uint64_t offset, std::string_view octets) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("write", name_, true); !ok) return ok;
    if (node_->content.size() < offset + octets.size()) {
      node_->content.resize(offset + octets.size());
    }
    node_->content.replace(offset, octets.size(), octets);
    node_->modified = node_->changed = files_.clock_;
    return {};
  }
  IoResult<void> truncate(std::uint64_t size) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("truncate", name_, true); !ok) return ok;
    node_->content.resize(size);
    return {};
  }
  IoResult<FileStatus> status() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("stat", name_, false); !ok) return fail(ok.error());
    return status_of(*node_);
  }
  IoResult<void> sync() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("sync", name_, true); !ok) return ok;
    node_->synced_content = node_->content;
    return {};
  }
  IoResult<bool> try_lock() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("lock", name_, false); !ok) return fail(ok.error());
    if (node_->locked) return holds_lock_;
    node_->locked = holds_lock_ = true;
    return true;
  }

 private:
  MemoryFiles& files_;
  std::shared_ptr<MemoryFiles::Node> node_;
  std::string name_;
  bool holds_lock_ = false;
};

class MemoryDirectory final : public Directory {
 public:
  MemoryDirectory(MemoryFiles& files, std::shared_ptr<MemoryFiles::Node> node, std::string path)
      : files_(files), node_(std::move(node)), path_(std::move(path)) {}

  IoResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode,
                                            mode_t permissions) override {
    const std::lock_guard hold(files_.mutex_);
    const auto found = node_->names.find(name);
    const bool exists = found != node_->names.end();
    const bool creates = mode == OpenMode::create_new || (!exists && mode != OpenMode::read);
    if (auto ok = files_.begin(creates ? "create" : "open", of(name), creates); !ok) {
      return fail(ok.error());
    }
    if (exists && mode == OpenMode::create_new) return error(EEXIST, "open", name);
    if (!exists && (mode == OpenMode::read || mode == OpenMode::append)) {
      return error(ENOENT, "open", name);
    }
    if (exists && found->second->directory) return error(EISDIR, "open", name);
    std::shared_ptr<MemoryFiles::Node> node;
    if (exists) {
      node = found->second;
      if (mode == OpenMode::truncate) node->content.clear();
    } else {
      node = files_.make_node(false, permissions);
      node_->names.emplace(name, node);
      names_changed();
    }
    return std::make_unique<MemoryFile>(files_, node, of(name));
  }
  IoResult<std::unique_ptr<File>> open_unnamed() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("create", of(""), true); !ok) return fail(ok.error());
    return std::make_unique<MemoryFile>(files_, files_.make_node(false, 0600), of(""));
  }
  IoResult<std::unique_ptr<Directory>> open_directory(const std::string& name) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("open", of(name), false); !ok) return fail(ok.error());
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "open", name);
    if (!found->second->directory) return error(ENOTDIR, "open", name);
    return std::make_unique<MemoryDirectory>(files_, found->second, of(name));
  }
  IoResult<void> make_directory(const std::string& name, mode_t permissions) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("mkdir", of(name), true); !ok) return ok;
    if (node_->names.contains(name)) return error(EEXIST, "mkdir", name);
    node_->names.emplace(name, files_.make_node(true, permissions));
    names_changed();
    return {};
  }
  IoResult<void> rename(const std::string& name, Directory& to,
                        const std::string& to_name) override {
    auto& target = dynamic_cast<MemoryDirectory&>(to);
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("rename", of(name) + " -> " + target.of(to_name), true); !ok) {
      return ok;
    }
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "rename", name);
    const auto node = found->second;
    node_->names.erase(found);
    target.node_->names[to_name] = node;
    node->changed = files_.clock_;
    names_changed();
    target.names_changed();
    return {};
  }
  IoResult<void> rename_new(const std::string& name, Directory& to,
                            const std::string& to_name) override {
    if (to.status(to_name)) return error(EEXIST, "rename", name);
    return rename(name, to, to_name);
  }
  IoResult<void> link(const std::string& name, Directory& to, const std::string& to_name) override {
    auto& target = dynamic_cast<MemoryDirectory&>(to);
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("link", of(name) + " -> " + target.of(to_name), true); !ok) {
      return ok;
    }
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "link", name);
    if (!target.node_->names.emplace(to_name, found->second).second) {
      return error(EEXIST, "link", name);
    }
    target.names_changed();
    return {};
  }
  IoResult<void> unlink(const std::string& name) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("unlink", of(name), true); !ok) return ok;
    if (node_->names.erase(name) == 0) return error(ENOENT, "unlink", name);
    names_changed();
    return {};
  }
  IoResult<void> remove_directory(const std::string& name) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("rmdir", of(name), true); !ok) return ok;
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "rmdir", name);
    if (!found->second->directory) return error(ENOTDIR, "rmdir", name);
    if (!found->second->names.empty()) return error(ENOTEMPTY, "rmdir", name);
    node_->names.erase(found);
    names_changed();
    return {};
  }
  IoResult<void> touch(const std::string& name) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("touch", of(name), false); !ok) return ok;
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "touch", name);
    found->second->modified = found->second->changed = files_.clock_;
    return {};
  }
  IoResult<void> set_modified(const std::string& name, WallTime time) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("touch", of(name), false); !ok) return ok;
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "touch", name);
    found->second->modified = time;
    found->second->changed = files_.clock_;
    return {};
  }
  IoResult<FileStatus> status(const std::string& name) override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("stat", of(name), false); !ok) return fail(ok.error());
    const auto found = node_->names.find(name);
    if (found == node_->names.end()) return error(ENOENT, "stat", name);
    return status_of(*found->second);
  }
  IoResult<FileStatus> status() override {
    const std::lock_guard hold(files_.mutex_);
    return status_of(*node_);
  }
  IoResult<std::vector<std::string>> list() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("list", path_, false); !ok) return fail(ok.error());
    std::vector<std::string> names;
    names.reserve(node_->names.size());
    for (const auto& [name, node] : node_->names) names.push_back(name);
    return names;
  }
  IoResult<void> sync() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("sync_directory", path_, true); !ok) return ok;
    node_->synced_names = node_->names;
    return {};
  }
  IoResult<void> sync_file_system() override {
    const std::lock_guard hold(files_.mutex_);
    if (auto ok = files_.begin("syncfs", path_, true); !ok) return ok;
    for (const auto& weak : files_.nodes_) {
      if (const auto node = weak.lock()) {
        node->synced_content = node->content;
        node->synced_names = node->names;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] std::string of(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] tl::unexpected<IoError> error(int code, const char* operation,
                                              const std::string& name) const {
    return fail(IoError(code, operation, of(name)));
  }
  void names_changed() { node_->modified = node_->changed = files_.clock_; }
  MemoryFiles& files_;
  std::shared_ptr<MemoryFiles::Node> node_;
  std::string path_;
};

MemoryFiles::MemoryFiles() : clock_(std::chrono::sys_days(std::chrono::year(2026) / 11 / 22)) {
  root_ = make_node(true, 0755);
}

std::shared_ptr<MemoryFiles::Node> MemoryFiles::make_node(bool directory, mode_t mode) {
  auto node = std::make_shared<Node>();
  node->directory = directory;
  node->mode = mode;
  node->inode = next_inode_++;
  node->modified = node->changed = clock_;
  nodes_.push_back(node);
  return node;
}

IoResult<void> MemoryFiles::begin(const char* operation, const std::string& subject, bool changes) {
  if (watcher_) watcher_(Call{operation, subject});
  if (cut_at_ && changes_ >= *cut_at_) return fail(IoError(EIO, operation, subject));
  if (changes) ++changes_;
  for (Failure& failure : failures_) {
    if (failure.operation != operation || failure.times == 0) continue;
    if (failure.after > 0) {
      --failure.after;
      continue;
    }
    --failure.times;
    return fail(IoError(failure.code, operation, subject));
  }
  return {};
}

std::shared_ptr<MemoryFiles::Node> MemoryFiles::find(const std::string& path) const {
  std::shared_ptr<Node> node = root_;
  for (const std::string_view name : split(path, '/')) {
    if (name.empty()) continue;
    const auto found = node->names.find(std::string(name));
    if (found == node->names.end()) return nullptr;
    node = found->second;
  }
  return node;
}

IoResult<std::unique_ptr<Directory>> MemoryFiles::open_directory(const std::string& path) {
  const std::lock_guard hold(mutex_);
  if (auto ok = begin("open", path, false); !ok) return fail(ok.error());
  const auto node = find(path);
  if (!node) return fail(IoError(ENOENT, "open", path));
  if (!node->directory) return fail(IoError(ENOTDIR, "open", path));
  return std::make_unique<MemoryDirectory>(*this, node, path);
}

IoResult<void> MemoryFiles::make_directories(const std::string& path, mode_t permissions) {
  const std::lock_guard hold(mutex_);
  if (auto ok = begin("mkdir", path, true); !ok) return ok;
  std::shared_ptr<Node> node = root_;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty()) continue;
    auto& child = node->names[std::string(part)];
    if (!child) child = make_node(true, permissions);
    node->synced_names =
        node->names;  // the operator's directories stood there before any test began
    node = child;
  }
  return {};
}

WallTime MemoryFiles::now() {
  const std::lock_guard hold(mutex_);
  return clock_;
}

void MemoryFiles::advance(Duration span) {
  const std::lock_guard hold(mutex_);
  clock_ += std::chrono::duration_cast<std::chrono::microseconds>(span);
}

void MemoryFiles::cut_at(std::size_t nth) {
  const std::lock_guard hold(mutex_);
  cut_at_ = nth;
}

std::size_t MemoryFiles::changes() const {
  const std::lock_guard hold(mutex_);
  return changes_;
}

void MemoryFiles::fail_next(std::string operation, int code, std::size_t after, std::size_t times) {
  const std::lock_guard hold(mutex_);
  failures_.push_back({std::move(operation), code, after, times});
}

void MemoryFiles::watch(std::function<void(const Call&)> watcher) {
  const std::lock_guard hold(mutex_);
  watcher_ = std::move(watcher);
}

std::optional<std::string> MemoryFiles::content(const std::string& path) const {
  const std::lock_guard hold(mutex_);
  const auto node = find(path);
  if (!node || node->directory) return std::nullopt;
  return node->content;
}

std::vector<std::string> MemoryFiles::names(const std::string& path) const {
  const std::lock_guard hold(mutex_);
  std::vector<std::string> names;
  if (const auto node = find(path)) {
    for (const auto& [name, child] : node->names) names.push_back(name);
  }
  return names;
}

void MemoryFiles::put(const std::string& path, std::string content) {
  const std::size_t slash = path.rfind('/');
  check(make_directories(path.substr(0, slash), 0700).has_value(), "put on a disk that is cut off");
  const std::lock_guard hold(mutex_);
  const auto parent = find(path.substr(0, slash));
  auto node = make_node(false, 0600);
  node->content = node->synced_content = std::move(content);
  parent->names[path.substr(slash + 1)] = node;
  parent->synced_names[path.substr(slash + 1)] = node;
}

namespace {

// Copies one node as the cut leaves it.
class PowerCut {
 public:
  PowerCut(MemoryFiles::Unsynced unsynced, unsigned seed) : unsynced_(unsynced), chance_(seed) {}

  std::string content(const MemoryFiles::Node& node) {
    using Unsynced = MemoryFiles::Unsynced;
    if (unsynced_ == Unsynced::contents_survive) return node.content;
    if (unsynced_ != Unsynced::by_chance || node.content == node.synced_content) {
      return node.synced_content;
    }
    switch (chance_() % 3) {
      case 0:
        return node.synced_content;
      case 1:
        return node.content;
      default:
        return node.content.substr(0, chance_() % (node.content.size() + 1));
    }
  }

  Names names(const MemoryFiles::Node& node) {
    using Unsynced = MemoryFiles::Unsynced;
    if (unsynced_ == Unsynced::names_survive) return node.names;
    Names out = node.synced_names;
    if (unsynced_ != Unsynced::by_chance) return out;
    for (const auto& [name, child] : node.synced_names) {
      const auto now = node.names.find(name);
      const bool changed = now == node.names.end() || now->second != child;
      if (changed && chance_() % 2 == 0) out.erase(name);
    }
    for (const auto& [name, child] : node.names) {
      if (chance_() % 2 == 0) out[name] = child;
    }
    return out;
  }

 private:
  MemoryFiles::Unsynced unsynced_;
  std::minstd_rand chance_;
};

}  // namespace

std::unique_ptr<MemoryFiles> MemoryFiles::after_power_cut(Unsynced unsynced, unsigned seed) const {
  const std::lock_guard hold(mutex_);
  auto after = std::make_unique<MemoryFiles>();
  after->clock_ = clock_ + std::chrono::seconds(1);
  after->started_ = after->clock_;
  PowerCut cut(unsynced, seed);
  std::map<const Node*, std::shared_ptr<Node>> copies;
  copies[root_.get()] = after->root_;
  std::vector<std::pair<const Node*, std::shared_ptr<Node>>> open{{root_.get(), after->root_}};
  while (!open.empty()) {
    const auto [from, to] = open.back();
    open.pop_back();
    if (!from->directory) {
      to->content = to->synced_content = cut.content(*from);
      continue;
    }
    for (const auto& [name, child] : cut.names(*from)) {
      auto& copy = copies[child.get()];
      if (!copy) {
        copy = after->make_node(child->directory, child->mode);
        copy->modified = child->modified;
        copy->changed = child->changed;
        open.emplace_back(child.get(), copy);
      }
      to->names[name] = copy;
    }
    to->synced_names = to->names;
  }
  return after;
}

}  // namespace posthorn::store
