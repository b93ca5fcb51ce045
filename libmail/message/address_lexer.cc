#include "libmail/message/address_lexer.h"

#include <utility>

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {
constexpr std::string_view specials = "()<>[]:;@\\,.\"";
using Kind = AddressToken::Kind;
}  // namespace

bool is_address_atext(char c) {
  return is_8bit(c) || (is_graph(c) && specials.find(c) == std::string_view::npos);
}

AddressLexer::AddressLexer(std::string_view text, std::size_t comment_depth)
    : AddressLexer(text, comment_depth, nullptr) {}

AddressLexer::AddressLexer(std::string_view text, std::size_t comment_depth, Anomalies* anomalies)
    : text_(text), comment_depth_(comment_depth), anomalies_(anomalies) {
  advance();
}

void AddressLexer::fault(std::size_t offset, std::string text) {
  if (!error_) error_ = AddressError{offset, std::move(text)};
  token_ = AddressToken();
}

void AddressLexer::stop() {
  at_ = text_.size();
  token_ = AddressToken();
  token_.offset = at_;
}

void AddressLexer::advance() {
  token_ = AddressToken();
  if (error_) return;
  do {
    const std::size_t before = at_;
    skip_blanks();
    if (error_) return;
    token_.space_before |= at_ != before;
    token_.offset = at_;
    if (at_ == text_.size()) return;
  } while (!read_token() && !error_);
}

bool AddressLexer::read_token() {
  const char c = text_[at_];
  if (c == '"') return read_quoted();
  if (c == '[') return read_literal();
  if (is_address_atext(c)) {
    read_atom();
    return true;
  }
  if (c == ')' || c == ']' || c == '\\' || c == '(')
    return pass_over(at_, std::string("a '") + c + "' out of place");
  if (!is_graph(c)) return pass_over(at_, "a control character");
  token_.kind = Kind::special;
  token_.special = c;
  ++at_;
  return true;
}

// The octet at at_ begins nothing.
bool AddressLexer::pass_over(std::size_t offset, std::string text) {
  if (!lenient()) {
    fault(offset, std::move(text));
    return false;
  }
  anomalies_->add(text_[at_] == '\0' ? AnomalyKind::nul_in_header : AnomalyKind::bad_address_list,
                  at_);
  ++at_;
  return false;
}

void AddressLexer::skip_blanks() {
  while (at_ < text_.size() && !error_) {
    const char c = text_[at_];
    if (is_space(c) || c == '\r' || c == '\n') {
      ++at_;
    } else if (c != '(' || !comments_end_ || !read_comment()) {
      return;
    }
  }
}

bool AddressLexer::read_comment() {
  const std::size_t begin = at_;
  std::size_t depth = 0;
  std::string inside;
  for (; at_ < text_.size(); ++at_) {
    char c = text_[at_];
    if (c == '(' && ++depth == comment_depth_ + 1) {
      if (!lenient()) {
        fault(at_, "comments are nested too deeply");
        return false;
      }
      anomalies_->add(AnomalyKind::address_limit, at_);
    }
    if (c == '(' && depth == 1) continue;
    if (c == ')' && --depth == 0) {
      ++at_;
      comment_ = std::string(trim(inside));
      return true;
    }
    if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
    if (c != '\r' && c != '\n') inside += c;
  }
  if (!lenient()) {
    fault(begin, "a comment is not closed");
  } else {
    at_ = begin;
    comments_end_ = false;
  }
  return false;
}

bool AddressLexer::read_quoted() {
  const std::size_t begin = at_++;
  for (; quotes_end_ && at_ < text_.size(); ++at_) {
    char c = text_[at_];
    if (c == '"') {
      token_.kind = Kind::quoted;
      ++at_;
      return true;
    }
    if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
    if (c != '\r' && c != '\n') token_.text += c;
  }
  at_ = begin;
  quotes_end_ = false;
  token_.text.clear();
  return pass_over(begin, "a quoted string is not closed");
}

bool AddressLexer::read_literal() {
  const std::size_t end =
      literals_end_ ? text_.find_first_of("[]", at_ + 1) : std::string_view::npos;
  if (end == std::string_view::npos) literals_end_ = false;
  if (end == std::string_view::npos || text_[end] != ']')
    return pass_over(at_, "a '[' is not closed");
  token_.kind = Kind::literal;
  for (const char c : text_.substr(at_, end + 1 - at_)) {
    if (is_graph(c) || is_8bit(c)) token_.text += c;
  }
  at_ = end + 1;
  return true;
}

void AddressLexer::read_atom() {
  token_.kind = Kind::word;
  std::size_t end = encoded_word_end();
  // What follows without a blank belongs to it: a local-part may begin like an encoded-word.
  while (end < text_.size() && is_address_atext(text_[end])) ++end;
  token_.text = text_.substr(at_, end - at_);
  at_ = end;
}

// RFC 2047 forbids commas and the like in an encoded-word of a phrase, agents write them all the
// same: one that begins here is taken as a whole. at_ if none does.
std::size_t AddressLexer::encoded_word_end() const {
  if (text_.substr(at_, 2) != "=?") return at_;
  std::size_t marks = 0;
  for (std::size_t i = at_ + 2; i < text_.size() && is_graph(text_[i]); ++i) {
    if (text_[i] != '?') continue;
    if (++marks == 3) return i + 1 < text_.size() && text_[i + 1] == '=' ? i + 2 : at_;
  }
  return at_;
}

}  // namespace posthorn::message
