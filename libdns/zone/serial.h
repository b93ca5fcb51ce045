// Serial numbers of zones: 32 bits that go round (RFC 1982).
#pragma once

#include <cstdint>

namespace posthorn::dns {

// True if `serial` follows `than`. Two numbers exactly 2^31 apart are in no order (RFC 1982 3.2):
// neither is newer.
[[nodiscard]] constexpr bool is_newer_serial(std::uint32_t serial, std::uint32_t than) {
  const std::uint32_t ahead = serial - than;
  return ahead != 0 && ahead < 0x80000000u;
}

// How a zone that changes here gets its next serial.
enum class SerialPolicy : std::uint8_t {
  increment,
  unix_time,  // seconds since 1970; increment where that would stand still or go back
};

// The serial behind `current`: always newer than it, never 0, which some secondaries take for "no
// zone". `now` is in seconds since 1970.
[[nodiscard]] std::uint32_t next_serial(std::uint32_t current, SerialPolicy policy,
                                        std::uint64_t now);

}  // namespace posthorn::dns
