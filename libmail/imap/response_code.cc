#include "libmail/imap/response_code.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

// So many pairs of numbers a COPYUID may have: each is looked at.
constexpr std::uint64_t most_copied = 100'000'000;

std::uint64_t count_of(const std::vector<NumberRange>& ranges) {
  std::uint64_t count = 0;
  for (const NumberRange& range : ranges)
    count += (range.first < range.last ? range.last - range.first : range.first - range.last) +
             std::uint64_t{1};
  return count;
}

// The place of `number` in the ranges as they were written ("5:3" counts down).
std::optional<std::uint64_t> place_of(const std::vector<NumberRange>& ranges,
                                      std::uint32_t number) {
  std::uint64_t before = 0;
  for (const NumberRange& range : ranges) {
    const auto [low, high] = std::minmax(range.first, range.last);
    if (number >= low && number <= high)
      return before + (range.first <= range.last ? number - range.first : range.first - number);
    before += high - low + std::uint64_t{1};
  }
  return std::nullopt;
}

std::uint32_t number_at(const std::vector<NumberRange>& ranges, std::uint64_t place) {
  for (const NumberRange& range : ranges) {
    const auto [low, high] = std::minmax(range.first, range.last);
    const std::uint64_t size = high - low + std::uint64_t{1};
    if (place < size) {
      const auto offset = static_cast<std::uint32_t>(place);
      return range.first <= range.last ? range.first + offset : range.first - offset;
    }
    place -= size;
  }
  return 0;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return line;
}

}  // namespace

std::string_view name_of(Condition condition) {
  switch (condition) {
    case Condition::ok:
      return "OK";
    case Condition::no:
      return "NO";
    case Condition::bad:
      return "BAD";
    case Condition::bye:
      return "BYE";
    case Condition::preauth:
      return "PREAUTH";
  }
  return "";
}

bool ResponseCode::is(std::string_view word) const {
  return iequals(name, word);
}

StatusText parse_status_text(Condition condition, std::string_view rest) {
  StatusText status;
  status.condition = condition;
  const std::size_t end = rest.substr(0, 1) == "[" ? rest.find(']') : std::string_view::npos;
  if (end != std::string_view::npos) {
    // A bracket in a quoted argument is rare, one in BADCHARSET's or METADATA's lists unheard of.
    const std::string_view inner = rest.substr(1, end - 1);
    const std::size_t space = inner.find(' ');
    status.code.name = upper(inner.substr(0, space));
    if (space != std::string_view::npos) status.code.arguments = inner.substr(space + 1);
    rest.remove_prefix(end + 1);
    if (rest.substr(0, 1) == " ") rest.remove_prefix(1);
  }
  status.text = rest;
  return status;
}

std::string format_status(std::string_view tag, const StatusText& status) {
  std::string line(tag);
  line += ' ';
  line += name_of(status.condition);
  line += ' ';
  if (!status.code.name.empty()) {
    line += '[' + status.code.name;
    if (!status.code.arguments.empty()) line += ' ' + one_line(status.code.arguments);
    line += "] ";
  }
  line += status.text.empty() ? "done" : one_line(status.text);
  return line += "\r\n";
}

std::uint32_t CopyUid::target_of(std::uint32_t uid) const {
  const std::optional<std::uint64_t> place = place_of(from_ranges, uid);
  return place ? number_at(to_ranges, *place) : 0;
}

std::optional<CopyUid> copy_uid(const ResponseCode& code) {
  if (!code.is("COPYUID")) return std::nullopt;
  CopyUid copied;
  Scanner in(code.arguments);
  copied.uid_validity = in.nz_number();
  in.space();
  copied.from = scan_number_set(in, &copied.from_ranges);
  in.space();
  copied.to = scan_number_set(in, &copied.to_ranges);
  in.want_end();
  const std::uint64_t count = count_of(copied.from_ranges);
  if (!in.ok() || count != count_of(copied.to_ranges) || count > most_copied) return std::nullopt;
  return copied;
}

std::optional<AppendUid> append_uid(const ResponseCode& code) {
  if (!code.is("APPENDUID")) return std::nullopt;
  AppendUid appended;
  Scanner in(code.arguments);
  appended.uid_validity = in.nz_number();
  in.space();
  appended.uids = scan_number_set(in);
  in.want_end();
  if (!in.ok() || appended.uids.count() > most_copied) return std::nullopt;
  return appended;
}

std::optional<std::uint64_t> number_of(const ResponseCode& code) {
  return parse_number<std::uint64_t>(code.arguments);
}

}  // namespace posthorn::imap
