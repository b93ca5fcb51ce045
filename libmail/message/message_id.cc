#include "libmail/message/message_id.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {

bool stands_in_domain(char c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || is_8bit(c);
}

std::size_t skip_comment(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '(') {
      ++depth;
    } else if (text[at] == ')' && --depth == 0) {
      return at + 1;
    }
  }
  return text.size();
}

}  // namespace

std::string make_message_id(WallTime now, std::uint64_t random, std::string_view host) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  std::string name;
  for (const char c : host) {
    if (stands_in_domain(c)) name += c;
  }
  if (name.empty()) name = "localhost";
  return fmt::format("<{:04}{:02}{:02}{:02}{:02}{:02}.{:016x}@{}>", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(), random,
                     name);
}

std::vector<std::string> parse_message_ids(std::string_view value, std::size_t limit) {
  std::vector<std::string> ids;
  std::size_t at = 0;
  while (at < value.size() && ids.size() < limit) {
    if (value[at] == '(') {
      at = skip_comment(value, at);
    } else if (value[at] == '<') {
      const std::size_t end = value.find('>', at);
      if (end == std::string_view::npos) break;
      std::string id;  // blanks and folds inside are what some agents make of long ids
      for (const char c : value.substr(at, end + 1 - at)) {
        if (is_graph(c) || is_8bit(c)) id += c;
      }
      if (id.size() > 2) ids.push_back(std::move(id));
      at = end + 1;
    } else {
      ++at;
    }
  }
  return ids;
}

}  // namespace posthorn::message
