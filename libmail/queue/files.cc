#include "libmail/queue/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libmail/base/fd.h"

namespace posthorn::queue {
namespace {

FileStatus from_stat(const struct stat& found) {
  FileStatus status;
  status.inode = found.st_ino;
  status.size = static_cast<std::uint64_t>(found.st_size);
  status.links = found.st_nlink;
  status.owner = found.st_uid;
  status.is_regular = S_ISREG(found.st_mode);
  status.modified = found.st_mtim.tv_sec * 1000000000LL + found.st_mtim.tv_nsec;
  return status;
}

class RealFile final : public File {
 public:
  RealFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::string, IoError> pread(std::uint64_t offset, std::size_t count) override {
    std::string octets(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      const ssize_t got =
          ::pread(fd_.get(), octets.data() + have, count - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(io_error("read", path_));
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    octets.resize(have);
    return octets;
  }

  Result<void, IoError> pwrite(std::uint64_t offset, std::string_view octets) override {
    return pwritev(offset, std::span(&octets, 1));
  }

  Result<void, IoError> pwritev(std::uint64_t offset,
                                std::span<const std::string_view> parts) override {
    std::vector<iovec> left;
    left.reserve(parts.size());
    for (const std::string_view part : parts) {
      if (!part.empty()) left.push_back({const_cast<char*>(part.data()), part.size()});
    }
    std::size_t first = 0;
    while (first < left.size()) {
      const int count = static_cast<int>(std::min<std::size_t>(left.size() - first, IOV_MAX));
      const ssize_t wrote = ::pwritev(fd_.get(), &left[first], count, static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return fail(io_error("write", path_));
      offset += static_cast<std::uint64_t>(wrote);
      auto done = static_cast<std::size_t>(wrote);
      while (first < left.size() && done >= left[first].iov_len) done -= left[first++].iov_len;
      if (done == 0) continue;
      left[first].iov_base = static_cast<char*>(left[first].iov_base) + done;
      left[first].iov_len -= done;
    }
    return {};
  }

  Result<void, IoError> sync_data() override {
    if (::fdatasync(fd_.get()) != 0) return fail(io_error("fdatasync", path_));
    return {};
  }

  Result<void, IoError> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
      return fail(io_error("ftruncate", path_));
    }
    return {};
  }

  Result<FileStatus, IoError> status() override {
    struct stat found{};
    if (::fstat(fd_.get(), &found) != 0) return fail(io_error("fstat", path_));
    return from_stat(found);
  }

  Result<bool, IoError> try_lock() override {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(fd_.get(), F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return fail(io_error("lock", path_));
  }

 private:
  Fd fd_;
  std::string path_;
};

int open_flags(OpenFor how) {
  switch (how) {
    case OpenFor::reading:
      return O_RDONLY;
    case OpenFor::writing:
      return O_WRONLY;
    case OpenFor::reading_and_writing:
      return O_RDWR;
    case OpenFor::creating:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenFor::appending:
      return O_RDWR | O_CREAT;
  }
  return O_RDONLY;
}

}  // namespace

Result<std::unique_ptr<File>, IoError> RealFiles::open(const std::string& path, OpenFor how,
                                                       mode_t mode) {
  // Never through a symbolic link and never stuck on a FIFO: strangers may write into drop/.
  Fd fd(::open(path.c_str(), open_flags(how) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
  if (!fd) return fail(io_error("open", path));
  return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
}

Result<void, IoError> RealFiles::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(io_error("rename to " + to, from));
  return {};
}

Result<void, IoError> RealFiles::unlink(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(io_error("unlink", path));
  return {};
}

Result<void, IoError> RealFiles::sync_directory(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == EACCES) {
    // drop/ of a system site may be written but not read, so it can't be opened: its file system is
    // synced, by way of a file that has no name.
    const Fd nameless(::open(path.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!nameless) return fail(io_error("open", path));
    if (::syncfs(nameless.get()) != 0) return fail(io_error("syncfs", path));
    return {};
  }
  if (!fd) return fail(io_error("open", path));
  if (::fsync(fd.get()) != 0) return fail(io_error("fsync", path));
  return {};
}

Result<void, IoError> RealFiles::make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return {};
    return fail(io_error("mkdir", path));
  }
  return set_mode(path, mode);  // the umask must not decide who may drop mail
}

Result<std::vector<std::string>, IoError> RealFiles::list(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return fail(io_error("opendir", path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(directory);
  if (error != 0) return fail(IoError(error, "readdir", path));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::optional<FileStatus>, IoError> RealFiles::status(const std::string& path) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0) return std::optional(from_stat(found));
  if (errno == ENOENT) return std::optional<FileStatus>();
  return fail(io_error("stat", path));
}

Result<void, IoError> RealFiles::set_mode(const std::string& path, mode_t mode) {
  if (::chmod(path.c_str(), mode) != 0) return fail(io_error("chmod", path));
  return {};
}

Result<std::uint64_t, IoError> RealFiles::free_space(const std::string& path) {
  struct statvfs found{};
  if (::statvfs(path.c_str(), &found) != 0) return fail(io_error("statvfs", path));
  return static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize;
}

}  // namespace posthorn::queue
