#include "libmail/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "libmail/base/fd.h"

namespace posthorn {

Result<std::string, IoError> read_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return fail(io_error("open", path));
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return fail(io_error("stat", path));
  if (!S_ISREG(facts.st_mode)) return fail(IoError(EINVAL, "not a regular file", path));
  std::string octets;
  while (true) {
    constexpr std::size_t piece = 65536;
    const std::size_t had = octets.size();
    octets.resize(had + piece);
    const ssize_t count = ::read(file.get(), octets.data() + had, piece);
    octets.resize(had + static_cast<std::size_t>(count > 0 ? count : 0));
    if (count < 0 && errno != EINTR) return fail(io_error("read", path));
    if (octets.size() > limit) return fail(IoError(EFBIG, "read", path));
    if (count == 0) return octets;
  }
}

}  // namespace posthorn
