#include "libmail/filter/held_message.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "libmail/async/files.h"

namespace posthorn::filter {

using async::Task;

namespace {

Result<Fd, IoError> open_nameless(const std::string& directory) {
  std::string name = directory + "/.held-XXXXXX";
  Fd file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) return fail(io_error("make a file in", directory));
  ::unlink(name.c_str());
  return file;
}

Result<std::string, IoError> read_all(int file, std::uint64_t offset, std::size_t wanted) {
  std::string octets(wanted, '\0');
  std::size_t have = 0;
  while (have < wanted) {
    const ssize_t count =
        ::pread(file, octets.data() + have, wanted - have, static_cast<off_t>(offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_error("read", "a held message"));
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  octets.resize(have);
  return octets;
}

}  // namespace

Task<Result<void, IoError>> HeldMessage::write(std::string octets) {
  size_ += octets.size();
  if (!file_ && size_ <= in_memory_) {
    memory_ += octets;
    co_return Result<void, IoError>();
  }
  auto work = [this, &octets]() -> Result<void, IoError> {
    if (!file_) {
      auto opened = open_nameless(directory_);
      if (!opened) return fail(std::move(opened.error()));
      file_ = std::move(*opened);
      octets.insert(0, std::exchange(memory_, std::string()));
    }
    if (!write_all(file_.get(), octets))
      return fail(io_error("write a held message in", directory_));
    return {};
  };
  auto written = co_await async::blocking(std::move(work));
  co_return written;
}

Task<Result<std::string, IoError>> HeldMessage::read(std::uint64_t offset,
                                                     std::size_t count) const {
  if (!file_) {
    const std::size_t begin = std::min<std::uint64_t>(offset, memory_.size());
    std::string octets = memory_.substr(begin, count);
    co_return octets;
  }
  const int file = file_.get();
  auto work = [file, offset, count] { return read_all(file, offset, count); };
  auto octets = co_await async::blocking(std::move(work));
  co_return octets;
}

}  // namespace posthorn::filter
