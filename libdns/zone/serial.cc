#include "libdns/zone/serial.h"

namespace posthorn::dns {

std::uint32_t next_serial(std::uint32_t current, SerialPolicy policy, std::uint64_t now) {
  if (policy == SerialPolicy::unix_time) {
    const auto seconds = static_cast<std::uint32_t>(now);
    if (seconds != 0 && is_newer_serial(seconds, current)) return seconds;
  }
  return current + 1 == 0 ? 1 : current + 1;
}

}  // namespace posthorn::dns
