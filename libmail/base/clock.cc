#include "libmail/base/clock.h"

#include <array>
#include <ctime>

#include "libmail/base/text.h"

namespace posthorn {
namespace {

constexpr std::array<const char*, 7> weekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Unit {
  char letter;
  std::chrono::seconds length;
};
constexpr std::array<Unit, 4> units = {{{'d', std::chrono::hours(24)},
                                        {'h', std::chrono::hours(1)},
                                        {'m', std::chrono::minutes(1)},
                                        {'s', std::chrono::seconds(1)}}};

}  // namespace

std::string format_rfc5322_date(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  localtime_r(&seconds, &local);
  const long offset = local.tm_gmtoff / 60;
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld",
                    weekdays.at(static_cast<std::size_t>(local.tm_wday)), local.tm_mday,
                    months.at(static_cast<std::size_t>(local.tm_mon)), local.tm_year + 1900,
                    local.tm_hour, local.tm_min, local.tm_sec, offset < 0 ? '-' : '+',
                    std::abs(offset) / 60, std::abs(offset) % 60);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string format_rfc3339(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec, static_cast<int>(millis));
  return {text.data(), static_cast<std::size_t>(length)};
}

bool parse_duration(std::string_view text, Duration& into) {
  if (text.empty()) return false;
  std::chrono::seconds unit(1);
  for (const Unit& known : units) {
    if (text.back() == known.letter) {
      unit = known.length;
      text.remove_suffix(1);
      break;
    }
  }
  constexpr long most = 100L * 366 * 24 * 3600;  // a century of seconds fits a Duration
  const auto number = parse_number<long>(text);
  if (!number || *number > most / unit.count()) return false;
  into = *number * unit;
  return true;
}

std::string format_duration(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  for (const Unit& unit : units) {
    if (seconds.count() != 0 && seconds.count() % unit.length.count() == 0) {
      return std::to_string(seconds.count() / unit.length.count()) + unit.letter;
    }
  }
  return std::to_string(seconds.count()) + "s";
}

}  // namespace posthorn
