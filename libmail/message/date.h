// Dates of messages (RFC 5322 3.3 and 4.3) and of IMAP (RFC 9051, INTERNALDATE).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"

namespace posthorn::message {

struct Date {
  std::chrono::sys_seconds time;  // the instant, in UTC
  std::chrono::minutes zone{0};   // east of Greenwich, as the sender's clock shows it
  bool zone_known = true;         // "-0000" and unknown letters: UTC, but nobody knows where
  bool by_the_book = true;        // RFC 5322 with its obsolete forms; else guessed
  bool operator==(const Date&) const = default;
};

// A Date field body. Reads what RFC 5322 reads, comments and obsolete zones and years too, and what real
// mail brings: a wrong or absent day of the week, no seconds, "Nov 22, 2026", hyphens, ISO 8601, ctime(),
// "GMT+0200", no zone at all. Nothing if there is no day in it that a calendar has.
[[nodiscard]] std::optional<Date> parse_date(std::string_view text);

// "Sun, 22 Nov 2026 20:24:20 +0100": that instant on a clock of that zone.
[[nodiscard]] std::string format_date(std::chrono::sys_seconds time, std::chrono::minutes zone);
// "22-Nov-2026 20:24:20 +0100", the day padded with a space: without the quotes of the protocol.
[[nodiscard]] std::string format_internal_date(std::chrono::sys_seconds time,
                                               std::chrono::minutes zone = {});
// Strict: exactly that form, the day with one or two digits.
[[nodiscard]] std::optional<Date> parse_internal_date(std::string_view text);

}  // namespace posthorn::message
