#include "libmail/imap/date.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t day_seconds = 86400;

unsigned two_digits(Scanner& in, unsigned most, const char* what) {
  const std::size_t begin = in.position();
  const char first = in.peek();
  (void)in.take(first);
  const char second = in.peek();
  (void)in.take(second);
  const unsigned value =
      static_cast<unsigned>(first - '0') * 10 + static_cast<unsigned>(second - '0');
  if (is_digit(first) && is_digit(second) && value <= most) return value;
  in.fail_at(begin, what);
  return 0;
}

// "Feb-1994" behind the day; the whole date must be one of the calendar.
Date scan_month_and_year(Scanner& in, unsigned day, std::size_t begin) {
  Date date;
  date.day = day;
  in.want('-');
  date.month = 0;
  for (std::size_t i = 0; i < months.size() && date.month == 0; ++i)
    if (in.take_word(months[i])) date.month = static_cast<unsigned>(i + 1);
  in.want('-');
  const std::string_view year = in.take_while(is_digit);
  date.year = year.size() == 4 ? parse_number<int>(year).value_or(0) : -1;
  using namespace std::chrono;
  const bool real =
      (std::chrono::year(date.year) / month(date.month) / std::chrono::day(date.day)).ok();
  if (date.year < 0 || !real) in.fail_at(begin, "a date such as 1-Feb-1994");
  return in.ok() ? date : Date();
}

Date date_of_days(std::int64_t days) {
  using namespace std::chrono;
  const year_month_day date{sys_days{std::chrono::days{days}}};
  return Date(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
              static_cast<unsigned>(date.day()));
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

}  // namespace

std::int64_t days_since_1970(const Date& date) {
  using namespace std::chrono;
  const sys_days days = year(date.year) / month(date.month) / day(date.day);
  return days.time_since_epoch().count();
}

Date DateTime::date() const {
  return date_of_days(floor_div(seconds + zone * 60, day_seconds));
}

Date scan_date(Scanner& in) {
  const bool quoted = in.take('"');
  const std::size_t begin = in.position();
  const std::string_view day = in.take_while(is_digit);
  const unsigned number = day.size() <= 2 ? parse_number<unsigned>(day).value_or(0) : 0;
  if (number == 0) in.fail_at(begin, "a date such as 1-Feb-1994");
  const Date date = scan_month_and_year(in, number, begin);
  if (quoted) in.want('"');
  return date;
}

DateTime scan_date_time(Scanner& in) {
  in.want('"');
  const std::size_t begin = in.position();
  unsigned day = 0;
  if (in.take(' ')) {
    day = parse_number<unsigned>(in.take_while(is_digit)).value_or(0);
    if (day > 9) day = 0;
  } else if (in.dialect().lenient) {
    day = parse_number<unsigned>(in.take_while(is_digit)).value_or(0);
  } else {
    day = two_digits(in, 31, "a date such as \"17-Jul-1996 02:44:25 -0700\"");
  }
  if (day == 0 || day > 31) in.fail_at(begin, "a day");
  const Date date = scan_month_and_year(in, day, begin);
  in.space();
  const unsigned hour = two_digits(in, 23, "an hour");
  in.want(':');
  const unsigned minute = two_digits(in, 59, "a minute");
  in.want(':');
  const unsigned second = two_digits(in, 60, "a second");
  in.space();
  const bool west = in.peek() == '-';
  if (!in.take('-')) in.want('+');
  const unsigned zone_hours = two_digits(in, 99, "a zone");
  const unsigned zone_minutes = two_digits(in, 59, "a zone");
  in.want('"');
  if (!in.ok()) return DateTime();
  DateTime moment;
  moment.zone = static_cast<int>(zone_hours * 60 + zone_minutes) * (west ? -1 : 1);
  moment.seconds =
      days_since_1970(date) * day_seconds + hour * 3600 + minute * 60 + second - moment.zone * 60;
  return moment;
}

std::string format_date(const Date& date) {
  return fmt::format("{}-{}-{:04}", date.day, months.at(date.month - 1), date.year);
}

std::string format_date_time(const DateTime& moment) {
  const std::int64_t local = moment.seconds + moment.zone * 60;
  const std::int64_t days = floor_div(local, day_seconds);
  const std::int64_t time = local - days * day_seconds;
  const Date date = date_of_days(days);
  const int zone = moment.zone < 0 ? -moment.zone : moment.zone;
  return fmt::format("\"{:>2}-{}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}\"", date.day,
                     months.at(date.month - 1), date.year, time / 3600, time / 60 % 60, time % 60,
                     moment.zone < 0 ? '-' : '+', zone / 60, zone % 60);
}

}  // namespace posthorn::imap
