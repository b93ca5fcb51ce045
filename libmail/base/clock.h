// Two kinds of time that must not be mixed: what a calendar shows and what a deadline counts.
#pragma once

#include <chrono>
#include <string>

namespace posthorn {

using WallTime =
    std::chrono::sys_time<std::chrono::microseconds>;    // Date:, queue ages, certificates
using MonoTime = std::chrono::steady_clock::time_point;  // deadlines and durations
using Duration = std::chrono::steady_clock::duration;

[[nodiscard]] inline WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

// RFC 5322 3.3 with the local zone: "Sun, 22 Nov 2026 20:24:20 +0000".
[[nodiscard]] std::string format_rfc5322_date(WallTime time);
// RFC 3339 in UTC with milliseconds: "2026-11-22T20:24:20.123Z".
[[nodiscard]] std::string format_rfc3339(WallTime time);

// "90", "90s", "5m", "4h", "5d": a span of time; digits alone are seconds. Nothing if it is none.
[[nodiscard]] bool parse_duration(std::string_view text, Duration& into);
// The shortest such text: "5m".
[[nodiscard]] std::string format_duration(Duration duration);

}  // namespace posthorn
