// How the serial number of a zone goes on.
#pragma once

#include <cstdint>

#include "libdns/wire/serial.h"

namespace posthorn::dns {

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
