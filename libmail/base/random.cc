#include "libmail/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "libmail/base/result.h"

namespace posthorn {

std::string random_octets(std::size_t count) {
  std::string octets(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::getrandom(octets.data() + done, count - done, 0);
    check(got > 0 || errno == EINTR, "getrandom gives octets");
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return octets;
}

std::uint64_t random_u64() {
  const std::string octets = random_octets(sizeof(std::uint64_t));
  std::uint64_t value;
  std::memcpy(&value, octets.data(), sizeof value);
  return value;
}

}  // namespace posthorn
