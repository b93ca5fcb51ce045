// Numbers of 32 bits that go round (RFC 1982): serials of zones, times of signatures.
#pragma once

#include <cstdint>

namespace posthorn::dns {

// True if `serial` follows `than`. Two numbers exactly 2^31 apart are in no order (RFC 1982 3.2):
// neither is newer.
[[nodiscard]] constexpr bool is_newer_serial(std::uint32_t serial, std::uint32_t than) {
  const std::uint32_t ahead = serial - than;
  return ahead != 0 && ahead < 0x80000000u;
}

}  // namespace posthorn::dns
