// The calendar in the seconds that signatures, TSIG and cookies count.
#pragma once

#include <chrono>
#include <cstdint>

#include "libmail/base/clock.h"

namespace posthorn::dns {

// Since 1970.
[[nodiscard]] inline std::uint64_t wall_seconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch()).count());
}

}  // namespace posthorn::dns
