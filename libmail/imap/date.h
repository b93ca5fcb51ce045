// Dates of SEARCH, INTERNALDATE and APPEND (RFC 9051 "date", "date-time").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"
#include "libmail/imap/scanner.h"

namespace posthorn::imap {

// A day of the calendar, in whatever zone the thing it is compared with has.
struct Date {
  int year = 1970;
  unsigned month = 1;  // 1 to 12
  unsigned day = 1;

  Date() = default;
  Date(int y, unsigned m, unsigned d) : year(y), month(m), day(d) {}
  auto operator<=>(const Date&) const = default;
};

// A moment, and the zone it was written in.
struct DateTime {
  std::int64_t seconds = 0;  // since 1970 in UTC
  int zone = 0;              // minutes east

  DateTime() = default;
  DateTime(std::int64_t utc, int minutes_east) : seconds(utc), zone(minutes_east) {}
  // The day it is in its own zone: what SEARCH compares (RFC 9051 6.4.4: "disregarding time and timezone").
  [[nodiscard]] Date date() const;
  bool operator==(const DateTime&) const = default;
};

[[nodiscard]] std::int64_t days_since_1970(const Date& date);

[[nodiscard]] Date scan_date(Scanner& in);           // 1-Feb-1994, quoted or not
[[nodiscard]] DateTime scan_date_time(Scanner& in);  // "17-Jul-1996 02:44:25 -0700", " 7-Jul-..."
[[nodiscard]] std::string format_date(const Date& date);             // 1-Feb-1994
[[nodiscard]] std::string format_date_time(const DateTime& moment);  // with its quotes

}  // namespace posthorn::imap
