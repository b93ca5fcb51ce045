#include "libmail/route/text_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::route {

namespace {

TextTableError error_at(std::uint32_t line, std::string text) {
  TextTableError error;
  error.line = line;
  error.text = std::move(text);
  return error;
}

// Takes lines off the front of a text.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::uint32_t number() const { return number_; }  // of the line that next() gave
  [[nodiscard]] std::string_view peek() const {
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  std::string_view next() {
    const std::string_view line = peek();
    const std::size_t newline = rest_.find('\n');
    rest_.remove_prefix(newline == std::string_view::npos ? rest_.size() : newline + 1);
    ++number_;
    return line;
  }

 private:
  std::string_view rest_;
  std::uint32_t number_ = 0;
};

bool is_nothing(std::string_view line) {
  const std::string_view text = trim(line);
  return text.empty() || text.front() == '#';
}

// Moves `entry` behind the key and the blanks after it. The error says what is wrong.
Result<std::string, std::string> take_key(std::string_view& entry) {
  std::string key;
  if (entry.front() == '"') {
    std::size_t i = 1;
    for (; i < entry.size() && entry[i] != '"'; ++i) {
      if (entry[i] == '\\' && i + 1 < entry.size()) ++i;
      key += entry[i];
    }
    if (i >= entry.size()) return fail(std::string("the quotes around the key are not closed"));
    entry.remove_prefix(i + 1);
    if (entry.starts_with(':')) entry.remove_prefix(1);
    if (!entry.empty() && !is_space(entry.front())) {
      return fail(std::string("a blank is missing behind the quoted key"));
    }
  } else {
    const std::size_t blank = std::min(entry.find_first_of(" \t"), entry.size());
    key = entry.substr(0, blank);
    entry.remove_prefix(blank);
    if (key.size() > 1 && key.ends_with(':')) key.pop_back();
  }
  entry = trim(entry);
  if (key.empty()) return fail(std::string("the key is empty"));
  return key;
}

}  // namespace

Result<TextTable, TextTableError> TextTable::parse(std::string_view text, const EntryCheck& check,
                                                   const TextTableLimits& limits) {
  TextTable table;
  if (text.size() > limits.octets) {
    return fail(error_at(1, fmt::format("the file is larger than {} octets", limits.octets)));
  }
  Lines lines(text);
  while (!lines.at_end()) {
    const std::string_view first = lines.next();
    if (is_nothing(first)) continue;
    const std::uint32_t line = lines.number();
    if (is_space(first.front())) {
      return fail(error_at(
          line, "this line begins with a blank, but there is no entry before it to continue"));
    }
    std::string whole(trim(first));
    while (!lines.at_end() && !lines.peek().empty() &&
           (is_space(lines.peek().front()) || is_nothing(lines.peek()))) {
      const std::string_view more = lines.next();
      if (is_nothing(more)) continue;
      whole.append(" ").append(trim(more));
      if (whole.size() > limits.entry) return fail(error_at(line, "this entry is too long"));
    }
    if (whole.find('\0') != std::string::npos)
      return fail(error_at(line, "there is a NUL octet in it"));
    std::string_view rest = whole;
    auto key = take_key(rest);
    if (!key) return fail(error_at(line, std::move(key.error())));
    if (rest.empty()) {
      return fail(error_at(
          line, fmt::format("'{}' has no value; a line is: key value", printable(*key, 80))));
    }
    std::string problem = check(*key, rest);
    if (!problem.empty()) return fail(error_at(line, std::move(problem)));
    if (table.entries_.size() >= limits.entries) {
      return fail(error_at(line, fmt::format("more than {} entries", limits.entries)));
    }
    const auto [place, is_new] = table.entries_.try_emplace(*key);
    if (!is_new) {
      return fail(
          error_at(line, fmt::format("'{}' stands in line {} already; each key may stand once",
                                     printable(*key, 80), place->second.line)));
    }
    place->second.value = rest;
    place->second.line = line;
  }
  return table;
}

const std::string* TextTable::find(std::string_view key) const {
  const auto place = entries_.find(key);
  return place == entries_.end() ? nullptr : &place->second.value;
}

}  // namespace posthorn::route
