#include "libmail/base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace posthorn {

std::string IoError::text() const {
  std::string out = operation;
  if (!subject.empty()) out.append(" ").append(subject);
  out.append(": ");
  switch (code) {
    case timed_out:
      return out.append("timed out");
    case cancelled:
      return out.append("cancelled");
    case end_of_stream:
      return out.append("connection closed by the other side");
    default:
      return out.append(std::strerror(code));
  }
}

IoError io_error(std::string operation, std::string subject) {
  return IoError(errno, std::move(operation), std::move(subject));
}

void check(bool condition, std::string_view what, const char* file, int line) {
  if (condition) [[likely]]
    return;
  std::fprintf(stderr, "bug: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(), file,
               line);
  std::abort();
}

}  // namespace posthorn
