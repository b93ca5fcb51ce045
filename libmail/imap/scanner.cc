#include "libmail/imap/scanner.h"

#include <algorithm>
#include <limits>

#include "libmail/base/text.h"

namespace posthorn::imap {

std::string SyntaxError::text() const {
  return "expected " + expected + " at octet " + std::to_string(at + 1);
}

bool is_atom_char(char c) {
  return is_graph(c) && c != '(' && c != ')' && c != '{' && c != '%' && c != '*' && c != '"' &&
         c != '\\' && c != ']';
}
bool is_astring_char(char c) {
  return is_atom_char(c) || c == ']';
}
bool is_list_char(char c) {
  return is_astring_char(c) || c == '%' || c == '*';
}
bool is_tag_char(char c) {
  return is_astring_char(c) && c != '+';
}

namespace {

// A client reads names that servers put out raw.
bool is_lenient_char(char c) {
  return is_astring_char(c) || is_8bit(c) || c == '%' || c == '*' || c == '\\' || c == '{';
}
bool is_lenient_atom_char(char c) {
  return is_atom_char(c) || is_8bit(c);
}

}  // namespace

bool Scanner::next_is(std::string_view word) const {
  return ok() && istarts_with(text_.substr(at_), word);
}

void Scanner::fail_here(std::string expected) {
  fail_at(at_, std::move(expected));
}

void Scanner::fail_at(std::size_t where, std::string expected) {
  if (!error_) error_ = SyntaxError(where, std::move(expected));
}

bool Scanner::take(char c) {
  if (!ok() || at_ >= text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool Scanner::take_word(std::string_view word) {
  if (!next_is(word)) return false;
  at_ += word.size();
  return true;
}

void Scanner::want(char c) {
  if (!take(c)) fail_here(std::string("'") + c + "'");
}

void Scanner::want_word(std::string_view word) {
  if (!take_word(word)) fail_here(std::string(word));
}

void Scanner::space() {
  if (!take(' ')) fail_here("a space");
  if (dialect_.lenient)
    while (take(' ')) {
    }
}

void Scanner::want_end() {
  if (dialect_.lenient)
    while (take(' ')) {
    }
  if (ok() && !at_end()) fail_here("the end of the line");
}

std::string_view Scanner::take_while(bool (*is)(char)) {
  if (!ok()) return "";
  const std::size_t begin = at_;
  while (at_ < text_.size() && is(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Scanner::tag() {
  const std::string_view word = take_while(is_tag_char);
  if (word.empty()) fail_here("a tag");
  return word;
}

std::string_view Scanner::atom() {
  const std::string_view word = take_while(dialect_.lenient ? is_lenient_atom_char : is_atom_char);
  if (word.empty()) fail_here("an atom");
  return word;
}

std::string_view Scanner::flag_word() {
  const std::size_t begin = at_;
  take('\\');
  if (at_ > begin && take('*')) return text_.substr(begin, 2);
  const std::string_view word = take_while(dialect_.lenient ? is_lenient_char : is_atom_char);
  if (word.empty()) fail_here("a flag");
  return ok() ? text_.substr(begin, at_ - begin) : "";
}

std::string Scanner::astring() {
  if (peek() == '"') return quoted().value_or("");
  if (peek() == '{' || next_is("~{")) return literal().value_or("");
  const std::string_view word = take_while(dialect_.lenient ? is_lenient_char : is_astring_char);
  if (word.empty()) fail_here("a string");
  return std::string(word);
}

std::string Scanner::list_mailbox() {
  if (peek() == '"') return quoted().value_or("");
  if (peek() == '{') return literal().value_or("");
  const std::string_view word = take_while(is_list_char);
  if (word.empty()) fail_here("a mailbox pattern");
  return std::string(word);
}

std::string Scanner::string() {
  if (peek() == '"') return quoted().value_or("");
  if (peek() == '{' || next_is("~{")) return literal().value_or("");
  fail_here("a quoted string or a literal");
  return "";
}

std::optional<std::string> Scanner::nstring() {
  if (peek() != '"' && peek() != '{' && peek() != '~') {
    if (take_word("NIL")) return std::nullopt;
    if (dialect_.lenient) return std::string(astring());  // servers that forget the quotes
    fail_here("a string or NIL");
    return std::nullopt;
  }
  return string();
}

std::optional<std::string> Scanner::quoted() {
  const std::size_t begin = at_;
  want('"');
  std::string value;
  while (ok() && at_ < text_.size()) {
    char c = text_[at_++];
    if (c == '"') {
      if (!dialect_.lenient && dialect_.utf8 && !is_utf8(value))
        fail_at(begin, "well-formed UTF-8");
      return value;
    }
    if (c == '\r' || c == '\n') break;
    if (is_8bit(c) && !dialect_.utf8 && !dialect_.lenient) {
      fail_at(at_ - 1, "no 8-bit octets in a quoted string without UTF8=ACCEPT");
      return std::nullopt;
    }
    if (c == '\\') {
      const bool escape = at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\\');
      if (escape) {
        c = text_[at_++];
      } else if (!dialect_.lenient) {
        fail_at(at_, "'\"' or '\\' behind a backslash");
        return std::nullopt;
      }
    }
    value += c;
  }
  fail_at(begin, "a quoted string with its end");
  return std::nullopt;
}

std::optional<std::string> Scanner::literal() {
  take('~');
  const std::size_t begin = at_;
  want('{');
  const std::uint64_t size =
      digits(std::numeric_limits<std::int64_t>::max(), "the size of a literal");
  if (!take('+')) take('-');
  want('}');
  if (ok() && text_.substr(at_, 2) != "\r\n") fail_here("a line end behind a literal's size");
  if (!ok()) return std::nullopt;
  at_ += 2;
  const bool streamed =
      streamed_ != nullptr && std::binary_search(streamed_->begin(), streamed_->end(), begin);
  if (streamed || size > text_.size() - at_) {
    fail_at(begin, "a literal that is here");
    return std::nullopt;
  }
  std::string value(text_.substr(at_, static_cast<std::size_t>(size)));
  at_ += static_cast<std::size_t>(size);
  return value;
}

std::optional<std::uint64_t> Scanner::streamed_literal() {
  if (!ok() || streamed_ == nullptr) return std::nullopt;
  const std::size_t begin = peek() == '~' ? at_ + 1 : at_;
  if (!std::binary_search(streamed_->begin(), streamed_->end(), begin)) return std::nullopt;
  at_ = begin + 1;
  const std::uint64_t size =
      digits(std::numeric_limits<std::int64_t>::max(), "the size of a literal");
  if (!take('+')) take('-');
  want('}');
  at_ = std::min(at_ + 2, text_.size());
  return size;
}

std::uint64_t Scanner::digits(std::uint64_t most, const char* what) {
  const std::size_t begin = at_;
  const std::string_view word = take_while(is_digit);
  const std::optional<std::uint64_t> value = parse_number<std::uint64_t>(word);
  if (value && *value <= most) return *value;
  fail_at(begin, what);
  return 0;
}

std::uint32_t Scanner::number() {
  return static_cast<std::uint32_t>(
      digits(std::numeric_limits<std::uint32_t>::max(), "a number up to 4294967295"));
}

std::uint32_t Scanner::nz_number() {
  const std::size_t begin = at_;
  const std::uint32_t value = number();
  if (ok() && value == 0) fail_at(begin, "a number from 1 to 4294967295");
  return value;
}

std::uint64_t Scanner::number64() {
  return digits(std::numeric_limits<std::int64_t>::max(), "a number up to 9223372036854775807");
}

bool Scanner::enter() {
  want('(');
  if (ok() && ++depth_ > dialect_.nesting)
    fail_at(at_ - 1, "no more than " + std::to_string(dialect_.nesting) + " nested parentheses");
  return ok();
}

void Scanner::leave() {
  want(')');
  if (depth_ > 0) --depth_;
}

std::string_view Scanner::skip_value() {
  const std::size_t begin = at_;
  unsigned open = 0;
  do {
    if (peek() == '(') {
      if (enter()) ++open;
    } else if (peek() == ')' && open > 0) {
      leave();
      --open;
    } else if (peek() == '"') {
      (void)quoted();
    } else if (peek() == '{' || next_is("~{")) {
      if (!streamed_literal()) (void)literal();
    } else if (peek() == ' ' && open > 0) {
      take(' ');
    } else if (take_while([](char c) { return is_lenient_char(c) || c == '['; }).empty()) {
      fail_here("a value");
    }
  } while (ok() && open > 0);
  return ok() ? text_.substr(begin, at_ - begin) : "";
}

}  // namespace posthorn::imap
