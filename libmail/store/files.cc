#include "libmail/store/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "libmail/base/fd.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

WallTime wall_time(const timespec& time) {
  return WallTime(std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)));
}

FileStatus status_of(const struct stat& st) {
  FileStatus status;
  if (S_ISREG(st.st_mode)) status.type = FileStatus::Type::file;
  if (S_ISDIR(st.st_mode)) status.type = FileStatus::Type::directory;
  status.device = st.st_dev;
  status.inode = st.st_ino;
  status.size = static_cast<std::uint64_t>(st.st_size);
  status.links = st.st_nlink;
  status.mode = st.st_mode & 07777;
  status.modified = wall_time(st.st_mtim);
  status.changed = wall_time(st.st_ctim);
  return status;
}

class SystemFile final : public File {
 public:
  explicit SystemFile(Fd fd) : fd_(std::move(fd)) {}

  IoResult<void> write(std::span<const std::string_view> parts) override;
  IoResult<std::string> read(std::uint64_t offset, std::size_t limit) override;
  IoResult<std::size_t> read_into(std::uint64_t offset, std::span<char> to) override;
  IoResult<void> append_from(File& from, std::uint64_t offset, std::uint64_t size) override;
  IoResult<void> write_at(std::uint64_t offset, std::string_view octets) override;
  IoResult<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) < 0) return fail(io_error("truncate"));
    return {};
  }
  IoResult<FileStatus> status() override {
    struct stat st{};
    if (::fstat(fd_.get(), &st) < 0) return fail(io_error("stat"));
    return status_of(st);
  }
  IoResult<void> sync() override {
    if (::fdatasync(fd_.get()) < 0) return fail(io_error("fdatasync"));
    return {};
  }
  IoResult<bool> try_lock() override {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd_.get(), F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return fail(io_error("lock"));
  }
  [[nodiscard]] int descriptor() const override { return fd_.get(); }

 private:
  IoResult<void> copy_through(File& from, std::uint64_t offset, std::uint64_t size);
  Fd fd_;
};

IoResult<void> SystemFile::write(std::span<const std::string_view> parts) {
  static constexpr std::size_t most = 16;
  std::array<iovec, most> vec{};
  while (!parts.empty()) {
    std::size_t count = 0;
    for (; count < most && count < parts.size(); ++count) {
      vec[count] = {const_cast<char*>(parts[count].data()), parts[count].size()};
    }
    parts = parts.subspan(count);
    iovec* next = vec.data();
    while (count > 0) {
      const ssize_t written = ::writev(fd_.get(), next, static_cast<int>(count));
      if (written < 0) {
        if (errno == EINTR) continue;
        return fail(io_error("write"));
      }
      auto left = static_cast<std::size_t>(written);
      while (count > 0 && left >= next->iov_len) {
        left -= next->iov_len;
        ++next;
        --count;
      }
      if (count > 0) {
        next->iov_base = static_cast<char*>(next->iov_base) + left;
        next->iov_len -= left;
      }
    }
  }
  return {};
}

IoResult<std::size_t> SystemFile::read_into(std::uint64_t offset, std::span<char> to) {
  std::size_t got = 0;
  while (got < to.size()) {
    const ssize_t n =
        ::pread(fd_.get(), to.data() + got, to.size() - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("read"));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

IoResult<std::string> SystemFile::read(std::uint64_t offset, std::size_t limit) {
  std::string out(limit, '\0');
  const auto got = read_into(offset, out);
  if (!got) return fail(got.error());
  out.resize(*got);
  return out;
}

IoResult<void> SystemFile::write_at(std::uint64_t offset, std::string_view octets) {
  while (!octets.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), octets.data(), octets.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("write"));
    offset += static_cast<std::uint64_t>(n);
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

IoResult<void> SystemFile::append_from(File& from, std::uint64_t offset, std::uint64_t size) {
  auto* source = dynamic_cast<SystemFile*>(&from);
  check(source != nullptr, "files of two kinds are mixed");
  auto at = static_cast<off64_t>(offset);
  while (size > 0) {
    const ssize_t n = ::copy_file_range(source->fd_.get(), &at, fd_.get(), nullptr, size, 0);
    if (n < 0 && errno == EINTR) continue;
    // Another file system, or one that can't: carry the octets ourselves.
    if (n < 0 && (errno == EXDEV || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP)) {
      return copy_through(from, static_cast<std::uint64_t>(at), size);
    }
    if (n < 0) return fail(io_error("copy"));
    if (n == 0) return fail(IoError(EIO, "copy", "a file that became shorter"));
    size -= static_cast<std::uint64_t>(n);
  }
  return {};
}

IoResult<void> SystemFile::copy_through(File& from, std::uint64_t offset, std::uint64_t size) {
  static constexpr std::uint64_t chunk = 64 * 1024;
  while (size > 0) {
    const auto octets = from.read(offset, static_cast<std::size_t>(std::min(chunk, size)));
    if (!octets) return fail(octets.error());
    if (octets->empty()) return fail(IoError(EIO, "copy", "a file that became shorter"));
    const std::string_view part = *octets;
    if (auto written = write(std::span(&part, 1)); !written) return written;
    offset += octets->size();
    size -= octets->size();
  }
  return {};
}

int flags_of(OpenMode mode) {
  // O_NONBLOCK: opening a FIFO that a stranger put there must not wait for its writer.
  constexpr int always = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  switch (mode) {
    case OpenMode::read:
      return always | O_RDONLY;
    case OpenMode::create_new:
      return always | O_WRONLY | O_CREAT | O_EXCL;
    case OpenMode::append_or_create:
      return always | O_RDWR | O_CREAT | O_APPEND;
    case OpenMode::append:
      return always | O_RDWR | O_APPEND;
    case OpenMode::truncate:
      return always | O_RDWR | O_CREAT | O_TRUNC;
    case OpenMode::update:
      return always | O_RDWR | O_CREAT;
  }
  return always;
}

class SystemDirectory final : public Directory {
 public:
  SystemDirectory(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  IoResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode,
                                            mode_t permissions) override {
    Fd fd(::openat(fd_.get(), name.c_str(), flags_of(mode), permissions));
    if (!fd) return fail(io_error("open", of(name)));
    return std::make_unique<SystemFile>(std::move(fd));
  }

  IoResult<std::unique_ptr<File>> open_unnamed() override {
    Fd fd(::openat(fd_.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd) return std::make_unique<SystemFile>(std::move(fd));
    if (errno != EOPNOTSUPP && errno != EISDIR) return fail(io_error("open", of("")));
    // A file system without O_TMPFILE: a name nobody can guess, gone at once.
    const std::string name = "unnamed." + hex(random_octets(16));
    fd.reset(::openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                      0600));
    if (!fd) return fail(io_error("open", of(name)));
    if (::unlinkat(fd_.get(), name.c_str(), 0) < 0) return fail(io_error("unlink", of(name)));
    return std::make_unique<SystemFile>(std::move(fd));
  }

  IoResult<std::unique_ptr<Directory>> open_directory(const std::string& name) override {
    Fd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail(io_error("open", of(name)));
    return std::make_unique<SystemDirectory>(std::move(fd), of(name));
  }

  IoResult<void> make_directory(const std::string& name, mode_t permissions) override {
    if (::mkdirat(fd_.get(), name.c_str(), permissions) < 0) {
      return fail(io_error("mkdir", of(name)));
    }
    return {};
  }

  IoResult<void> rename(const std::string& name, Directory& to,
                        const std::string& to_name) override {
    auto* target = dynamic_cast<SystemDirectory*>(&to);
    check(target != nullptr, "directories of two kinds are mixed");
    if (::renameat(fd_.get(), name.c_str(), target->fd_.get(), to_name.c_str()) < 0) {
      return fail(io_error("rename", of(name)));
    }
    return {};
  }

  IoResult<void> rename_new(const std::string& name, Directory& to,
                            const std::string& to_name) override {
    const int target = to.descriptor();
    if (::renameat2(fd_.get(), name.c_str(), target, to_name.c_str(), RENAME_NOREPLACE) == 0) {
      return {};
    }
    if (errno != EINVAL && errno != ENOSYS) return fail(io_error("rename", of(name)));
    // A file system that can't look and rename in one step.
    if (to.status(to_name)) return fail(IoError(EEXIST, "rename", of(name)));
    return rename(name, to, to_name);
  }

  IoResult<void> link(const std::string& name, Directory& to, const std::string& to_name) override {
    if (::linkat(fd_.get(), name.c_str(), to.descriptor(), to_name.c_str(), 0) < 0) {
      return fail(io_error("link", of(name)));
    }
    return {};
  }

  IoResult<void> remove_directory(const std::string& name) override {
    if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) < 0) {
      return fail(io_error("rmdir", of(name)));
    }
    return {};
  }

  IoResult<void> unlink(const std::string& name) override {
    if (::unlinkat(fd_.get(), name.c_str(), 0) < 0) return fail(io_error("unlink", of(name)));
    return {};
  }

  IoResult<void> touch(const std::string& name) override {
    if (::utimensat(fd_.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) < 0) {
      return fail(io_error("touch", of(name)));
    }
    return {};
  }

  IoResult<void> set_modified(const std::string& name, WallTime time) override {
    const auto since = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    timespec times[2] = {{0, UTIME_OMIT}, {seconds.count(), (since - seconds).count() * 1000}};
    if (::utimensat(fd_.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0) {
      return fail(io_error("touch", of(name)));
    }
    return {};
  }

  IoResult<FileStatus> status(const std::string& name) override {
    struct stat st{};
    if (::fstatat(fd_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0) {
      return fail(io_error("stat", of(name)));
    }
    return status_of(st);
  }

  IoResult<FileStatus> status() override {
    struct stat st{};
    if (::fstat(fd_.get(), &st) < 0) return fail(io_error("stat", path_));
    return status_of(st);
  }

  IoResult<std::vector<std::string>> list() override {
    // A descriptor of its own: the position in a directory belongs to the open description.
    Fd fd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail(io_error("open", path_));
    DIR* stream = ::fdopendir(fd.get());
    if (stream == nullptr) return fail(io_error("list", path_));
    static_cast<void>(fd.release());
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry =
          ::readdir(stream);  // NOLINT(concurrency-mt-unsafe): a stream of our own
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int code = errno;
    ::closedir(stream);
    if (code != 0) return fail(IoError(code, "list", path_));
    return names;
  }

  IoResult<void> sync() override {
    if (::fsync(fd_.get()) < 0) return fail(io_error("fsync", path_));
    return {};
  }

  IoResult<void> sync_file_system() override {
    if (::syncfs(fd_.get()) < 0) return fail(io_error("syncfs", path_));
    return {};
  }

  [[nodiscard]] int descriptor() const override { return fd_.get(); }

 private:
  [[nodiscard]] std::string of(const std::string& name) const { return path_ + "/" + name; }
  Fd fd_;
  std::string path_;
};

}  // namespace

IoResult<std::unique_ptr<Directory>> SystemFiles::open_directory(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(io_error("open", path));
  return std::make_unique<SystemDirectory>(std::move(fd), path);
}

IoResult<void> SystemFiles::make_directories(const std::string& path, mode_t permissions) {
  std::size_t end = 0;
  while (end != path.size()) {
    end = path.find('/', end + 1);
    if (end == std::string::npos) end = path.size();
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), permissions) == 0 || errno == EEXIST) continue;
    // A parent we may not write to is no trouble if what lies below it exists.
    const int code = errno;
    struct stat st{};
    if (::stat(part.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) continue;
    return fail(IoError(code, "mkdir", part));
  }
  return {};
}

}  // namespace posthorn::store
