#include "libmail/message/date.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
// Longer than any date with comments that means one.
constexpr std::size_t longest_text = 300;

struct Zone {
  std::string_view name;
  int hours;
};
constexpr std::array<Zone, 13> zones = {{{"UT", 0},
                                         {"GMT", 0},
                                         {"EST", -5},
                                         {"EDT", -4},
                                         {"CST", -6},
                                         {"CDT", -5},
                                         {"MST", -7},
                                         {"MDT", -6},
                                         {"PST", -8},
                                         {"PDT", -7},
                                         {"Z", 0},
                                         {"UTC", 0},
                                         {"CET", 1}}};

struct Token {
  enum class Kind : std::uint8_t { word, number, mark };
  Kind kind = Kind::mark;
  std::string_view text;
};

// Words, numbers and single marks; comments and blanks are left out.
std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '(') ++depth;
    if (depth > 0 || is_space(c) || c == '\r' || c == '\n') {
      if (c == ')') --depth;
      if (c == '\\') ++at;
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    Token token;
    if (is_digit(c)) {
      while (end < text.size() && is_digit(text[end])) ++end;
      token.kind = Token::Kind::number;
    } else if (is_alpha(c)) {
      while (end < text.size() && is_alpha(text[end])) ++end;
      token.kind = Token::Kind::word;
    }
    token.text = text.substr(at, end - at);
    tokens.push_back(token);
    at = end;
  }
  return tokens;
}

template <std::size_t size>
std::optional<unsigned> place_in(const std::array<std::string_view, size>& names,
                                 std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  for (std::size_t i = 0; i < size; ++i) {
    if (iequals(word.substr(0, 3), names[i])) return static_cast<unsigned>(i);
  }
  return std::nullopt;
}

std::optional<int> whole_year(std::string_view text) {
  const auto year = parse_number<int>(text);
  if (!year || text.size() > 4) return std::nullopt;
  // RFC 5322 4.3.
  if (text.size() == 2) return *year < 50 ? 2000 + *year : 1900 + *year;
  if (text.size() == 3) return 1900 + *year;
  return *year;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : tokens_(tokens_of(text)) {}

  std::optional<Date> read() {
    if (!read_day()) return std::nullopt;
    if (!read_time()) date_.by_the_book = false;
    read_year_of_ctime();
    read_zone();
    if (at_ != tokens_.size()) date_.by_the_book = false;
    const std::chrono::year_month_day day{std::chrono::year(year_), std::chrono::month(month_),
                                          std::chrono::day(day_)};
    if (!day.ok() || year_ < 1900) return std::nullopt;
    if (weekday_ &&
        std::chrono::weekday(std::chrono::sys_days(day)) != std::chrono::weekday(*weekday_))
      date_.by_the_book = false;
    date_.time = std::chrono::sys_days(day) + time_ - date_.zone;
    return date_;
  }

 private:
  [[nodiscard]] bool at(Token::Kind kind) const {
    return at_ < tokens_.size() && tokens_[at_].kind == kind;
  }
  [[nodiscard]] std::string_view text(std::size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead].text : std::string_view();
  }
  bool take(char mark) {
    const bool found = at(Token::Kind::mark) && text()[0] == mark;
    if (found) ++at_;
    return found;
  }
  void skip_marks(std::string_view marks) {
    while (at(Token::Kind::mark) && marks.find(text()[0]) != std::string_view::npos) {
      if (text()[0] != ',') date_.by_the_book = false;
      ++at_;
    }
  }

  // "Sun, 22 Nov 2026", "Nov 22, 2026", "2026-11-22", "22-Nov-26", "Sun Nov 22" of ctime().
  bool read_day() {
    if (at(Token::Kind::word) && (weekday_ = place_in(days, text()))) {
      ++at_;
      if (!take(',')) date_.by_the_book = false;
    }
    skip_marks(",.");
    if (at(Token::Kind::number) && text().size() == 4) return read_iso_day();
    if (at(Token::Kind::number)) {
      if (!read_number(day_, 2)) return false;
      skip_marks("-.,/");
      if (!read_month()) return false;
      skip_marks("-.,/");
      return read_year();
    }
    date_.by_the_book = false;
    if (!read_month()) return false;
    if (!read_number(day_, 2)) return false;
    skip_marks(",");
    // ctime() has the time before the year.
    if (text(1) == ":") return true;
    return read_year();
  }

  bool read_iso_day() {
    date_.by_the_book = false;
    if (!read_year()) return false;
    if (!take('-') && !take('/')) return false;
    if (!read_number(month_, 2)) return false;
    if (!take('-') && !take('/')) return false;
    if (!read_number(day_, 2)) return false;
    if (at(Token::Kind::word) && iequals(text(), "T")) ++at_;
    return true;
  }

  bool read_number(unsigned& into, std::size_t digits) {
    if (!at(Token::Kind::number) || text().size() > digits) return false;
    into = *parse_number<unsigned>(text());
    ++at_;
    return true;
  }

  bool read_month() {
    if (!at(Token::Kind::word)) return false;
    const auto month = place_in(months, text());
    if (!month) return false;
    if (text().size() != 3) date_.by_the_book = false;
    month_ = *month + 1;
    ++at_;
    return true;
  }

  bool read_year() {
    if (!at(Token::Kind::number)) return false;
    const auto year = whole_year(text());
    if (!year) return false;
    year_ = *year;
    ++at_;
    return true;
  }

  bool read_time() {
    if (!at(Token::Kind::number) || text().size() > 2 || text(1) != ":") return false;
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    (void)read_number(hour, 2);
    ++at_;
    if (!read_number(minute, 2)) return false;
    bool good = true;
    if (take(':')) {
      good = read_number(second, 2);
      if (take('.') || (at(Token::Kind::mark) && text() == "," && take(','))) {
        good = false;  // fractions of a second
        if (at(Token::Kind::number)) ++at_;
      }
    }
    if (hour > 23 || minute > 59 || second > 60) return false;
    if (at(Token::Kind::word) && (iequals(text(), "am") || iequals(text(), "pm"))) {
      hour = hour % 12 + (iequals(text(), "pm") ? 12 : 0);
      ++at_;
      good = false;
    }
    time_ = std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
    return good;
  }

  // "Sun Nov 22 20:24:20 2026", with or without a zone before the year.
  void read_year_of_ctime() {
    if (year_ != 0) return;
    std::size_t ahead = 0;
    if (at(Token::Kind::word)) ahead = 1;
    if (at_ + ahead >= tokens_.size() || tokens_[at_ + ahead].kind != Token::Kind::number) return;
    const auto year = whole_year(tokens_[at_ + ahead].text);
    if (!year) return;
    year_ = *year;
    tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(at_ + ahead));
  }

  void read_zone() {
    date_.zone_known = false;
    if (at(Token::Kind::word)) read_zone_name();
    const bool east = at(Token::Kind::mark) && text() == "+";
    const bool west = at(Token::Kind::mark) && text() == "-";
    if (!east && !west) {
      if (!named_zone_) date_.by_the_book = false;
      return;
    }
    ++at_;
    read_offset(west);
  }

  void read_zone_name() {
    named_zone_ = true;
    for (const Zone& zone : zones) {
      if (!iequals(zone.name, text())) continue;
      date_.zone = std::chrono::hours(zone.hours);
      date_.zone_known = true;
    }
    // A single letter of the military means nothing (RFC 5322 4.3), others are unknown to us.
    if (!date_.zone_known && text().size() > 1) date_.by_the_book = false;
    ++at_;
  }

  // "0100", "01:00", "1".
  void read_offset(bool west) {
    unsigned value = 0;
    std::size_t digits = text().size();
    if (!at(Token::Kind::number) || digits > 4) {
      date_.by_the_book = false;
      return;
    }
    value = *parse_number<unsigned>(text());
    ++at_;
    if (digits <= 2) {
      date_.by_the_book = false;
      value *= 100;
      if (take(':') && at(Token::Kind::number) && text().size() == 2) {
        value += *parse_number<unsigned>(text());
        ++at_;
      }
    } else if (digits == 3) {
      date_.by_the_book = false;
    }
    if (named_zone_) date_.by_the_book = false;  // "GMT+0200"
    if (value % 100 > 59 || value > 1500) {
      date_.by_the_book = false;
      return;
    }
    const std::chrono::minutes offset(static_cast<int>(value / 100 * 60 + value % 100));
    date_.zone = west ? -offset : offset;
    date_.zone_known = !(west && value == 0);
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Date date_;
  std::optional<unsigned> weekday_;
  unsigned day_ = 0;
  unsigned month_ = 0;
  int year_ = 0;
  std::chrono::seconds time_{0};
  bool named_zone_ = false;
};

struct Clock {
  std::chrono::year_month_day day;
  std::chrono::hh_mm_ss<std::chrono::seconds> time;
  unsigned weekday;
};

Clock clock_of(std::chrono::sys_seconds time, std::chrono::minutes zone) {
  const auto local = time + zone;
  const auto day = std::chrono::floor<std::chrono::days>(local);
  return {std::chrono::year_month_day(day),
          std::chrono::hh_mm_ss<std::chrono::seconds>(local - day),
          std::chrono::weekday(day).c_encoding()};
}

std::string offset_text(std::chrono::minutes zone) {
  const auto minutes = std::abs(zone.count());
  return fmt::format("{}{:02}{:02}", zone.count() < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace

std::optional<Date> parse_date(std::string_view text) {
  return Reader(text.substr(0, longest_text)).read();
}

std::string format_date(std::chrono::sys_seconds time, std::chrono::minutes zone) {
  const Clock clock = clock_of(time, zone);
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} {}", days[clock.weekday],
                     static_cast<unsigned>(clock.day.day()),
                     months[static_cast<unsigned>(clock.day.month()) - 1],
                     static_cast<int>(clock.day.year()), clock.time.hours().count(),
                     clock.time.minutes().count(), clock.time.seconds().count(), offset_text(zone));
}

std::string format_internal_date(std::chrono::sys_seconds time, std::chrono::minutes zone) {
  const Clock clock = clock_of(time, zone);
  return fmt::format("{:2}-{}-{:04} {:02}:{:02}:{:02} {}", static_cast<unsigned>(clock.day.day()),
                     months[static_cast<unsigned>(clock.day.month()) - 1],
                     static_cast<int>(clock.day.year()), clock.time.hours().count(),
                     clock.time.minutes().count(), clock.time.seconds().count(), offset_text(zone));
}

std::optional<Date> parse_internal_date(std::string_view text) {
  // " 2-Nov-2026 20:24:20 +0100"
  if (text.starts_with(' ')) text.remove_prefix(1);
  const std::size_t day_digits = text.find('-');
  if (day_digits != 1 && day_digits != 2) return std::nullopt;
  const std::string_view rest = text.substr(day_digits);
  const std::string_view form = "-aaa-0000 00:00:00 +0000";
  if (rest.size() != form.size() || !std::ranges::all_of(text.substr(0, day_digits), is_digit))
    return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const char c = rest[i];
    const bool good = form[i] == '0'   ? is_digit(c)
                      : form[i] == 'a' ? is_alpha(c)
                      : form[i] == '+' ? c == '+' || c == '-'
                                       : c == form[i];
    if (!good) return std::nullopt;
  }
  auto date = Reader(text).read();
  if (date) date->by_the_book = true;
  return date;
}

}  // namespace posthorn::message
