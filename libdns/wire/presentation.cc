#include "libdns/wire/presentation.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

bool ends_word(char c) {
  return is_space(c) || c == '\r' || c == '\n' || c == '(' || c == ')' || c == ';';
}

// Tab, CR and LF are blanks; anything else below the space is a file of another kind.
bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 127;
}

}  // namespace

std::string TextError::text() const {
  return fmt::format("line {}, column {}: {}", at.line, at.column, what);
}

TextPosition EntryReader::position(std::size_t offset) const {
  return {line_, static_cast<std::uint32_t>(offset - line_begin_ + 1)};
}

void EntryReader::set_fault(std::string what, std::size_t offset) {
  if (!fault_) fault_ = TextError(std::move(what), position(offset));
}

void EntryReader::skip_comment() {
  at_ = std::min(text_.find('\n', at_), text_.size());
}

void EntryReader::take_newline() {
  ++at_;
  ++line_;
  line_begin_ = at_;
}

Result<bool, TextError> EntryReader::next(Entry& entry) {
  entry.tokens.clear();
  while (!at_end() && entry.tokens.empty() && !fault_) fill(entry);
  if (!fault_) return !entry.tokens.empty();
  TextError error = std::move(*fault_);
  fault_.reset();
  open_ = 0;
  skip_comment();
  if (!at_end()) take_newline();
  return fail(std::move(error));
}

// From the begin of a line to the end of its entry.
void EntryReader::fill(Entry& entry) {
  entry.begins_blank = is_space(text_[at_]);
  while (!fault_ && step(entry)) {
  }
  if (!entry.tokens.empty()) entry.at = entry.tokens.front().at;
}

bool EntryReader::step(Entry& entry) {
  while (!at_end() && (is_space(text_[at_]) || text_[at_] == '\r')) ++at_;
  if (at_end() || text_[at_] == '\n') return step_over_newline(entry);
  switch (text_[at_]) {
    case ';':
      skip_comment();
      return true;
    case '(':
      if (open_ == 0) open_at_ = position(at_);
      if (++open_ > limits_.parentheses) set_fault("too many open parentheses", at_);
      ++at_;
      return true;
    case ')':
      if (open_ == 0) {
        set_fault("\")\" without \"(\"", at_);
        return false;
      }
      --open_;
      ++at_;
      return true;
    case '"':
      take_quoted(entry);
      return true;
    default:
      take_word(entry);
      return true;
  }
}

bool EntryReader::step_over_newline(Entry& entry) {
  entry.end = position(at_);
  if (at_end()) {
    if (open_ != 0) fault_ = TextError("\"(\" without \")\"", open_at_);
    return false;
  }
  take_newline();
  return open_ != 0;
}

bool EntryReader::take_escaped() {
  ++at_;
  if (at_end() || text_[at_] == '\n' || text_[at_] == '\r') {
    set_fault("\"\\\" at the end of a line", at_ - 1);
    return false;
  }
  ++at_;
  return true;
}

void EntryReader::take_word(Entry& entry) {
  const std::size_t begin = at_;
  bool in_quotes = false;
  while (!at_end() && (in_quotes || !ends_word(text_[at_]))) {
    const char c = text_[at_];
    if (c == '\\') {
      if (!take_escaped()) return;
      continue;
    }
    if (c == '\n') return set_fault("a quoted string does not end on its line", begin);
    if (is_control(c) && c != '\t') return set_fault("control character in a word", at_);
    // Only the first quote behind the first "=" opens, so that what is one word stays one.
    if (c == '"' && (in_quotes || text_[at_ - (at_ > begin ? 1 : 0)] == '='))
      in_quotes = !in_quotes;
    ++at_;
  }
  if (in_quotes) return set_fault("a quoted string does not end", begin);
  add(entry, begin, at_, false, begin);
}

void EntryReader::take_quoted(Entry& entry) {
  const std::size_t begin = at_++;
  for (;;) {
    if (at_end() || text_[at_] == '\n') {
      return set_fault("a quoted string does not end on its line", begin);
    }
    const char c = text_[at_];
    if (c == '"') break;
    if (c == '\\') {
      if (!take_escaped()) return;
      continue;
    }
    if (is_control(c) && c != '\t' && c != '\r') {
      return set_fault("control character in a quoted string", at_);
    }
    ++at_;
  }
  ++at_;
  add(entry, begin + 1, at_ - 1, true, begin);
}

void EntryReader::add(Entry& entry, std::size_t begin, std::size_t end, bool quoted,
                      std::size_t at) {
  if (end - begin > limits_.token_octets) return set_fault("token too long", at);
  if (entry.tokens.size() >= limits_.entry_tokens) return set_fault("too many tokens", at);
  Token token;
  token.text = text_.substr(begin, end - begin);
  token.quoted = quoted;
  token.at = position(at);
  entry.tokens.push_back(token);
}

std::optional<std::string> unescape(std::string_view text) {
  std::string octets;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    const std::optional<char> meant = c == '\\' ? take_escape(text, at) : c;
    if (!meant) return std::nullopt;
    octets.push_back(*meant);
  }
  return octets;
}

Result<Name, NameError> parse_name(std::string_view text, const Name& origin) {
  if (text == "@") return origin;
  auto name = Name::parse(text);
  if (!name || text == ".") return name;
  // A dot at the end counts unless an odd number of backslashes stands before it.
  std::size_t backslashes = 0;
  while (backslashes + 1 < text.size() && text[text.size() - 2 - backslashes] == '\\')
    ++backslashes;
  if (text.back() == '.' && backslashes % 2 == 0) return name;
  const std::string_view wire = name->wire();
  auto whole =
      Name::from_wire(std::string(wire.substr(0, wire.size() - 1)) + std::string(origin.wire()));
  if (!whole) return fail(NameError::name_too_long);
  return std::move(*whole);
}

std::optional<std::uint32_t> parse_ttl(std::string_view text) {
  constexpr std::uint64_t most = 0x7fffffff;
  if (text.empty()) return std::nullopt;
  std::uint64_t sum = 0;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number<std::uint32_t>(text.substr(0, digits));
    if (!number) return std::nullopt;
    std::uint64_t unit = 1;
    if (digits < text.size()) {
      switch (to_lower(text[digits])) {
        case 's':
          unit = 1;
          break;
        case 'm':
          unit = 60;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'd':
          unit = 86400;
          break;
        case 'w':
          unit = 604800;
          break;
        default:
          return std::nullopt;
      }
    }
    sum += *number * unit;
    if (sum > most) return std::nullopt;
    text.remove_prefix(std::min(digits + 1, text.size()));
  }
  return static_cast<std::uint32_t>(sum);
}

Result<std::vector<PlacedRecord>, TextError> parse_records(std::string_view text) {
  std::vector<PlacedRecord> records;
  EntryReader reader(text);
  RecordDefaults defaults;
  defaults.ttl = 0;
  Entry entry;
  for (;;) {
    const auto more = reader.next(entry);
    if (!more) return fail(more.error());
    if (!*more) return records;
    auto record = parse_record(entry, defaults);
    if (!record) return fail(record.error());
    defaults.owner = record->owner;
    records.push_back({std::move(*record), entry.at});
  }
}

}  // namespace posthorn::dns
