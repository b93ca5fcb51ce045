#include "agents/posthorn/mbox_flags.h"

#include <array>
#include <charconv>

#include "libmail/base/text.h"
#include "libmail/store/keywords.h"
#include "libmail/store/snapshot.h"

namespace posthorn::operate {

namespace {

namespace flag = store::flag;

struct Letter {
  char letter;
  std::uint16_t flag;
};
constexpr std::array status_letters = {Letter{'R', flag::seen}};
constexpr std::array x_status_letters = {Letter{'A', flag::answered}, Letter{'F', flag::flagged},
                                         Letter{'T', flag::draft}, Letter{'D', flag::deleted}};
constexpr std::array<std::string_view, 3> names = {"Status: ", "X-Status: ", "X-Keywords: "};

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Which of the three a header line is.
std::optional<std::size_t> name_of(std::string_view line) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[i].substr(0, names[i].size() - 1);
    if (line.size() >= name.size() && iequals(line.substr(0, name.size()), name)) return i;
  }
  return std::nullopt;
}

void take_line(std::size_t which, std::string_view line, MboxFlags& into) {
  const std::string_view value = without_end(line);
  if (which == 0) {
    for (const Letter& known : status_letters)
      if (value.find(known.letter) != std::string_view::npos) into.flags |= known.flag;
  } else if (which == 1) {
    for (const Letter& known : x_status_letters)
      if (value.find(known.letter) != std::string_view::npos) into.flags |= known.flag;
  } else {
    for (const std::string_view word : words(value))
      if (store::is_keyword(word)) into.keywords.emplace_back(word);
  }
}

std::string_view line_at(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return text.substr(at, end == std::string_view::npos ? end : end + 1 - at);
}

std::string_view value_of(std::size_t which, std::string_view line) {
  return line.substr(names[which].size() - 1);
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "20:24:20" or "20:24" in seconds.
std::optional<int> time_of_day(std::string_view text) {
  std::array<int, 3> parts = {0, 0, 0};
  std::size_t count = 0;
  for (const std::string_view part : split(text, ':')) {
    const auto number = number_of<int>(part);
    if (!number || *number < 0 || count == parts.size()) return std::nullopt;
    parts[count++] = *number;
  }
  if (count < 2 || parts[0] > 23 || parts[1] > 59 || parts[2] > 60) return std::nullopt;
  return (parts[0] * 60 + parts[1]) * 60 + parts[2];
}

// "+0130" in minutes.
std::optional<int> zone_of(std::string_view text) {
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const auto number = number_of<int>(text.substr(1));
  if (!number) return std::nullopt;
  const int minutes = *number / 100 * 60 + *number % 100;
  return text[0] == '-' ? -minutes : minutes;
}

std::optional<unsigned> month_of(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t at = text.size() == 3 ? months.find(text) : std::string_view::npos;
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  return static_cast<unsigned>(at / 3 + 1);
}

}  // namespace

std::string mbox_flag_lines(const MboxFlags& flags) {
  const auto letters = [&](const auto& known) {
    std::string text;
    for (const Letter& one : known)
      if ((flags.flags & one.flag) != 0) text += one.letter;
    return text;
  };
  std::string lines;
  lines.append(names[0]).append(letters(status_letters)).append("O\n");
  lines.append(names[1]).append(letters(x_status_letters)).append("\n");
  lines.append(names[2]);
  for (std::size_t i = 0; i < flags.keywords.size(); ++i)
    lines.append(i == 0 ? "" : " ").append(flags.keywords[i]);
  return lines += '\n';
}

MboxFlags take_mbox_flags(std::string& message) {
  MboxFlags flags;
  std::size_t at = 0;
  for (std::size_t which = 0; which < names.size(); ++which) {
    const std::string_view line = line_at(message, at);
    if (!line.starts_with(names[which])) {
      at = 0;
      break;
    }
    at += line.size();
  }
  if (at != 0) {
    std::size_t from = 0;
    for (std::size_t which = 0; which < names.size(); ++which) {
      const std::string_view line = line_at(message, from);
      take_line(which, value_of(which, line), flags);
      from += line.size();
    }
    message.erase(0, at);
    return flags;
  }
  std::string kept;
  std::optional<std::size_t> which;  // of the line before, if it goes
  for (at = 0; at < message.size();) {
    const std::string_view line = line_at(message, at);
    if (line == "\n" || line == "\r\n") break;
    const bool folded = line.front() == ' ' || line.front() == '\t';
    if (!folded) which = name_of(line);
    if (which)
      take_line(*which, folded ? line : value_of(*which, line), flags);
    else
      kept += line;
    at += line.size();
  }
  message.replace(0, at, kept);
  return flags;
}

std::optional<WallTime> date_of_from_line(std::string_view line) {
  const std::vector<std::string_view> all = words(without_end(line));
  for (std::size_t i = 2; i + 3 < all.size(); ++i) {
    const auto month = month_of(all[i]);
    const auto day = month ? number_of<unsigned>(all[i + 1]) : std::nullopt;
    const auto time = day ? time_of_day(all[i + 2]) : std::nullopt;
    if (!time) continue;
    int zone = 0;
    std::optional<int> year;
    for (std::size_t k = i + 3; k < all.size() && k < i + 6; ++k) {
      if (const auto minutes = zone_of(all[k]))
        zone = *minutes;
      else if (all[k].size() == 4 && !year)
        year = number_of<int>(all[k]);
    }
    if (!year) continue;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month),
                                           std::chrono::day(*day)};
    if (!date.ok()) continue;
    return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::seconds(*time) -
                    std::chrono::minutes(zone));
  }
  return std::nullopt;
}

}  // namespace posthorn::operate
