// What the store asks of a file system, so that a test can count every call, lose what was not
// synced, or let the disk run full. SystemFiles is the kernel's; MemoryFiles (memory_files.h) is
// the test's.
//
// Every call here may sleep: agents make them inside async::blocking(). A Directory may be used by
// several threads at once, a File by one at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/base/result.h"

namespace posthorn::store {

template <class T>
using IoResult = Result<T, IoError>;

struct FileStatus {
  enum class Type { file, directory, other };
  Type type = Type::other;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint64_t links = 0;
  mode_t mode = 0;  // permission bits only
  WallTime modified;
  WallTime changed;
  [[nodiscard]] bool same_file(const FileStatus& other) const {
    return device == other.device && inode == other.inode;
  }
};

class File {
 public:
  virtual ~File() = default;
  // Appends all the parts, in order, in as few system calls as it takes.
  virtual IoResult<void> write(std::span<const std::string_view> parts) = 0;
  IoResult<void> write(std::string_view octets) { return write(std::span(&octets, 1)); }
  // At most `limit` octets from `offset`; an empty string is the end of the file.
  virtual IoResult<std::string> read(std::uint64_t offset, std::size_t limit) = 0;
  // The same into memory of the caller; how many came.
  virtual IoResult<std::size_t> read_into(std::uint64_t offset, std::span<char> to) = 0;
  // Appends `size` octets of `from`, starting at `offset`, without carrying them through this
  // process if possible.
  virtual IoResult<void> append_from(File& from, std::uint64_t offset, std::uint64_t size) = 0;
  // Not for files opened to append.
  virtual IoResult<void> write_at(std::uint64_t offset, std::string_view octets) = 0;
  virtual IoResult<void> truncate(std::uint64_t size) = 0;
  virtual IoResult<FileStatus> status() = 0;
  // fdatasync(2): content and size survive a power cut once it returned.
  virtual IoResult<void> sync() = 0;
  // The whole file, locked for writing until this File dies (an OFD lock, which fcntl(2) locks of
  // other programs respect). False if somebody else holds a lock.
  virtual IoResult<bool> try_lock() = 0;
  // The kernel's descriptor of it, for a signal handler; -1 if there is none.
  [[nodiscard]] virtual int descriptor() const { return -1; }
};

// How open_file() opens. No mode follows a symbolic link, and none waits for a FIFO.
enum class OpenMode {
  read,
  create_new,        // write only, the name must not exist
  append_or_create,  // read and write, writes go to the end
  append,            // the same, the file must exist
  truncate,          // read and write, created or emptied
  update,            // read and write_at(), created if it does not exist
};

class Directory {
 public:
  virtual ~Directory() = default;
  virtual IoResult<std::unique_ptr<File>> open_file(const std::string& name, OpenMode mode,
                                                    mode_t permissions) = 0;
  // A file without a name that is gone when it is closed.
  virtual IoResult<std::unique_ptr<File>> open_unnamed() = 0;
  // Does not follow a symbolic link.
  virtual IoResult<std::unique_ptr<Directory>> open_directory(const std::string& name) = 0;
  virtual IoResult<void> make_directory(const std::string& name, mode_t permissions) = 0;
  // Replaces `to_name` if it exists.
  virtual IoResult<void> rename(const std::string& name, Directory& to,
                                const std::string& to_name) = 0;
  // Fails with EEXIST if `to_name` exists.
  virtual IoResult<void> rename_new(const std::string& name, Directory& to,
                                    const std::string& to_name) = 0;
  // A second name for the file; fails with EEXIST if `to_name` exists.
  virtual IoResult<void> link(const std::string& name, Directory& to,
                              const std::string& to_name) = 0;
  virtual IoResult<void> unlink(const std::string& name) = 0;
  // An empty one.
  virtual IoResult<void> remove_directory(const std::string& name) = 0;
  // Sets the modification time to now.
  virtual IoResult<void> touch(const std::string& name) = 0;
  virtual IoResult<void> set_modified(const std::string& name, WallTime time) = 0;
  // Of a name (a symbolic link is `other`), and of the directory itself.
  virtual IoResult<FileStatus> status(const std::string& name) = 0;
  virtual IoResult<FileStatus> status() = 0;
  // Every name but . and .., in no order.
  virtual IoResult<std::vector<std::string>> list() = 0;
  // fsync(2): the names in this directory survive a power cut once it returned.
  virtual IoResult<void> sync() = 0;
  // syncfs(2): everything on this directory's file system does.
  virtual IoResult<void> sync_file_system() = 0;
  // The kernel's descriptor of it, for inotify and LMDB; -1 if there is none.
  [[nodiscard]] virtual int descriptor() const { return -1; }
};

class Files {
 public:
  virtual ~Files() = default;
  // Follows symbolic links: for paths of the operator, never for names of strangers.
  virtual IoResult<std::unique_ptr<Directory>> open_directory(const std::string& path) = 0;
  // mkdir -p
  virtual IoResult<void> make_directories(const std::string& path, mode_t permissions) = 0;
  // The time that file times are compared with.
  virtual WallTime now() = 0;
  // When this process began: a lock of ours that is older was left by an earlier process of our
  // number.
  virtual WallTime started() = 0;
};

class SystemFiles final : public Files {
 public:
  IoResult<std::unique_ptr<Directory>> open_directory(const std::string& path) override;
  IoResult<void> make_directories(const std::string& path, mode_t permissions) override;
  WallTime now() override { return wall_now(); }
  WallTime started() override { return started_; }

 private:
  WallTime started_ = wall_now();
};

}  // namespace posthorn::store
