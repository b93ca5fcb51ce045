// Every file operation of the queue goes through this interface, so that a test can count the
// syncs, fail the Nth call, and look at what the disk would hold after a power cut
// (memory_files.h). All calls may sleep: they run on the writer's thread or inside
// async::blocking(). They may be called from several threads.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::queue {

struct FileStatus {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint64_t links = 0;
  uid_t owner = 0;
  bool is_regular = false;
  std::int64_t modified = 0;  // nanoseconds since 1970
};

enum class OpenFor {
  reading,
  writing,  // existing file, write only
  reading_and_writing,
  creating,   // new file, reading and writing; an existing one is an error (EEXIST)
  appending,  // created if absent, reading and writing
};

class File {
 public:
  virtual ~File() = default;
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Up to `count` octets from `offset`; fewer only at the end of the file.
  [[nodiscard]] virtual Result<std::string, IoError> pread(std::uint64_t offset,
                                                           std::size_t count) = 0;
  // All or an error; what a failed call wrote is undefined.
  [[nodiscard]] virtual Result<void, IoError> pwrite(std::uint64_t offset,
                                                     std::string_view octets) = 0;
  [[nodiscard]] virtual Result<void, IoError> pwritev(std::uint64_t offset,
                                                      std::span<const std::string_view> parts) = 0;
  // fdatasync: octets and what reading them needs.
  [[nodiscard]] virtual Result<void, IoError> sync_data() = 0;
  [[nodiscard]] virtual Result<void, IoError> truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<FileStatus, IoError> status() = 0;
  // An exclusive OFD lock on the whole file, without waiting: false if another description holds
  // one. It ends when the file is closed, also by a crash. Needs a file that is open for writing.
  [[nodiscard]] virtual Result<bool, IoError> try_lock() = 0;
};

class Files {
 public:
  virtual ~Files() = default;

  [[nodiscard]] virtual Result<std::unique_ptr<File>, IoError> open(const std::string& path,
                                                                    OpenFor how,
                                                                    mode_t mode = 0600) = 0;
  [[nodiscard]] virtual Result<void, IoError> rename(const std::string& from,
                                                     const std::string& to) = 0;
  // Absent is no error.
  [[nodiscard]] virtual Result<void, IoError> unlink(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void, IoError> sync_directory(const std::string& path) = 0;
  // Creates the directory if it is absent; its mode is set either way if it was created.
  [[nodiscard]] virtual Result<void, IoError> make_directory(const std::string& path,
                                                             mode_t mode) = 0;
  // Names in it, sorted, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>, IoError> list(const std::string& path) = 0;
  // Of the name itself: a symbolic link is not followed. Nothing if it does not exist.
  [[nodiscard]] virtual Result<std::optional<FileStatus>, IoError> status(
      const std::string& path) = 0;
  [[nodiscard]] virtual Result<void, IoError> set_mode(const std::string& path, mode_t mode) = 0;
  // Octets that an unprivileged process can still write on that file system.
  [[nodiscard]] virtual Result<std::uint64_t, IoError> free_space(const std::string& path) = 0;
};

// The kernel's. Has no state.
class RealFiles final : public Files {
 public:
  Result<std::unique_ptr<File>, IoError> open(const std::string& path, OpenFor how,
                                              mode_t mode) override;
  Result<void, IoError> rename(const std::string& from, const std::string& to) override;
  Result<void, IoError> unlink(const std::string& path) override;
  Result<void, IoError> sync_directory(const std::string& path) override;
  Result<void, IoError> make_directory(const std::string& path, mode_t mode) override;
  Result<std::vector<std::string>, IoError> list(const std::string& path) override;
  Result<std::optional<FileStatus>, IoError> status(const std::string& path) override;
  Result<void, IoError> set_mode(const std::string& path, mode_t mode) override;
  Result<std::uint64_t, IoError> free_space(const std::string& path) override;
};

}  // namespace posthorn::queue
