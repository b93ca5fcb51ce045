#include "libmail/store/maildir_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

// The number at the front of `text`, which loses it. Numbers that do not fit are no numbers.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  const auto number = parse_number<std::uint64_t>(text.substr(0, end));
  text.remove_prefix(end);
  return number;
}

void read_sizes(MaildirName& name) {
  std::string_view rest = name.base;
  for (std::size_t comma = rest.find(','); comma != std::string_view::npos;
       comma = rest.find(',')) {
    rest.remove_prefix(comma + 1);
    if (rest.size() < 2 || rest[1] != '=') continue;
    std::string_view value = rest.substr(2, rest.find(',') - 2);
    const auto number = take_number(value);
    if (!number || !value.empty()) continue;
    if (rest[0] == 'S') name.size = number;
    if (rest[0] == 'W') name.crlf_size = number;
  }
}

void read_flags(MaildirName& name) {
  if (!name.info.starts_with("2,")) return;
  const std::string_view letters = name.info.substr(2);
  for (const char letter : letters) {
    switch (letter) {
      case 'D':
        name.flags.draft = true;
        break;
      case 'F':
        name.flags.flagged = true;
        break;
      case 'P':
        name.flags.passed = true;
        break;
      case 'R':
        name.flags.replied = true;
        break;
      case 'S':
        name.flags.seen = true;
        break;
      case 'T':
        name.flags.trashed = true;
        break;
      default:
        break;
    }
  }
  // The keywords follow the capitals when the letters are in order, as everybody writes them.
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto* first = std::find_if(letters.begin(), letters.end(), lower);
  const auto* last = std::find_if_not(first, letters.end(), lower);
  name.keywords = letters.substr(static_cast<std::size_t>(first - letters.begin()),
                                 static_cast<std::size_t>(last - first));
}

void read_time(MaildirName& name) {
  std::string_view rest = name.base;
  name.seconds = take_number(rest).value_or(0);
  if (!rest.starts_with('.')) return;
  rest.remove_prefix(1);
  rest = rest.substr(0, rest.find('.'));
  // M may stand behind other parts: "V801I12M3456".
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != 'M') continue;
    std::string_view number = rest.substr(i + 1);
    name.microseconds = take_number(number).value_or(0);
    return;
  }
}

}  // namespace

std::optional<MaildirName> parse_maildir_name(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.front() == ':') return std::nullopt;
  for (const char c : text) {
    if (c == '\0' || c == '\r' || c == '\n' || c == '/') return std::nullopt;
  }
  MaildirName name;
  const std::size_t colon = text.find(':');
  name.base = text.substr(0, colon);
  if (colon != std::string_view::npos) name.info = text.substr(colon + 1);
  read_sizes(name);
  read_flags(name);
  read_time(name);
  return name;
}

std::string format_maildir_name(std::string_view base, const MaildirFlags& flags,
                                std::string_view keywords) {
  std::string name(base);
  name += ":2,";
  if (flags.draft) name.push_back('D');
  if (flags.flagged) name.push_back('F');
  if (flags.passed) name.push_back('P');
  if (flags.replied) name.push_back('R');
  if (flags.seen) name.push_back('S');
  if (flags.trashed) name.push_back('T');
  std::string sorted(keywords);
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return name + sorted;
}

bool arrived_before(const MaildirName& a, const MaildirName& b) {
  if (a.seconds != b.seconds) return a.seconds < b.seconds;
  if (a.microseconds != b.microseconds) return a.microseconds < b.microseconds;
  return a.base < b.base;
}

MaildirNames::MaildirNames(std::string_view host, int pid) : tail_(fmt::format("P{}Q", pid)) {
  for (const char c : host) {
    // "," would end the host for those who look for sizes.
    if (c == '/')
      host_ += "\\057";
    else if (c == ':')
      host_ += "\\072";
    else if (c == ',')
      host_ += "\\054";
    else if (is_graph(c) || is_8bit(c))
      host_.push_back(c);
  }
  if (host_.empty()) host_ = "localhost";
  if (host_.size() > 150) host_.resize(150);
}

std::string MaildirNames::make(WallTime now, std::uint64_t size, std::uint64_t crlf_size) {
  const auto microseconds = std::max<std::int64_t>(now.time_since_epoch().count(), 0);
  return fmt::format("{}.M{}{}{}.{},S={},W={}", microseconds / 1000000, microseconds % 1000000,
                     tail_, ++count_, host_, size, crlf_size);
}

}  // namespace posthorn::store
