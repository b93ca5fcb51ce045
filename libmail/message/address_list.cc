#include "libmail/message/address_list.h"

#include <algorithm>
#include <optional>

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {

constexpr std::string_view specials = "()<>[]:;@\\,.\"";

bool is_atext(char c) {
  return is_8bit(c) || (is_graph(c) && specials.find(c) == std::string_view::npos);
}

enum class Kind : std::uint8_t { end, word, quoted, literal, special };

struct Token {
  Kind kind = Kind::end;
  char special = 0;           // Kind::special
  bool space_before = false;  // blanks or a comment
  std::size_t offset = 0;
  std::string text;  // Kind::word, quoted (unquoted), literal (with brackets)
};

// Tokens of structured fields (RFC 5322 3.2). The first error sticks: from then on there is only
// Kind::end.
class Lexer {
 public:
  Lexer(std::string_view text, std::size_t comment_depth)
      : text_(text), comment_depth_(comment_depth) {
    advance();
  }

  [[nodiscard]] const Token& token() const { return token_; }
  [[nodiscard]] bool at(char special) const {
    return token_.kind == Kind::special && token_.special == special;
  }
  [[nodiscard]] bool at_word() const {
    return token_.kind == Kind::word || token_.kind == Kind::quoted;
  }
  [[nodiscard]] const std::optional<AddressError>& error() const { return error_; }
  // The last comment before token(), without its parentheses; emptied by taking it.
  [[nodiscard]] std::string take_comment() { return std::exchange(comment_, {}); }

  void fault(std::size_t offset, std::string text) {
    if (!error_) error_ = AddressError{offset, std::move(text)};
    token_ = Token();
  }

  void advance() {
    token_ = Token();
    if (error_) return;
    const std::size_t before = at_;
    skip_blanks();
    if (error_) return;
    token_.space_before = at_ != before;
    token_.offset = at_;
    if (at_ == text_.size()) return;
    const char c = text_[at_];
    if (c == '"') {
      read_quoted();
    } else if (c == '[') {
      read_literal();
    } else if (is_atext(c)) {
      read_atom();
    } else if (c == ')' || c == ']' || c == '\\') {
      fault(at_, std::string("a '") + c + "' out of place");
    } else if (is_graph(c)) {
      token_.kind = Kind::special;
      token_.special = c;
      ++at_;
    } else {
      fault(at_, "a control character");
    }
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && !error_) {
      const char c = text_[at_];
      if (is_space(c) || c == '\r' || c == '\n') {
        ++at_;
      } else if (c == '(') {
        read_comment();
      } else {
        return;
      }
    }
  }

  void read_comment() {
    const std::size_t begin = at_;
    std::size_t depth = 0;
    std::string inside;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '(' && ++depth > comment_depth_) return fault(at_, "comments are nested too deeply");
      if (c == '(' && depth == 1) continue;
      if (c == ')' && --depth == 0) {
        ++at_;
        comment_ = std::string(trim(inside));
        return;
      }
      if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
      if (c != '\r' && c != '\n') inside += c;
    }
    fault(begin, "a comment is not closed");
  }

  void read_quoted() {
    const std::size_t begin = at_++;
    token_.kind = Kind::quoted;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\' && at_ + 1 < text_.size()) c = text_[++at_];
      if (c != '\r' && c != '\n') token_.text += c;
    }
    fault(begin, "a quoted string is not closed");
  }

  void read_literal() {
    const std::size_t end = text_.find_first_of("[]", at_ + 1);
    if (end == std::string_view::npos || text_[end] != ']')
      return fault(at_, "a '[' is not closed");
    token_.kind = Kind::literal;
    for (const char c : text_.substr(at_, end + 1 - at_)) {
      if (is_graph(c) || is_8bit(c)) token_.text += c;
    }
    at_ = end + 1;
  }

  void read_atom() {
    token_.kind = Kind::word;
    std::size_t end = encoded_word_end();
    if (end == at_) {
      while (end < text_.size() && is_atext(text_[end])) ++end;
    }
    token_.text = text_.substr(at_, end - at_);
    at_ = end;
  }

  // RFC 2047 forbids commas and the like in an encoded-word of a phrase, agents write them all the
  // same: one that begins here is taken as a whole. at_ if none does.
  [[nodiscard]] std::size_t encoded_word_end() const {
    if (text_.substr(at_, 2) != "=?") return at_;
    std::size_t marks = 0;
    for (std::size_t i = at_ + 2; i < text_.size() && is_graph(text_[i]); ++i) {
      if (text_[i] != '?') continue;
      if (++marks == 3) return i + 1 < text_.size() && text_[i + 1] == '=' ? i + 2 : at_;
    }
    return at_;
  }

  std::string_view text_;
  std::size_t comment_depth_;
  std::size_t at_ = 0;
  Token token_;
  std::string comment_;
  std::optional<AddressError> error_;
};

class Parser {
 public:
  Parser(std::string_view text, const AddressLimits& limits)
      : lexer_(text, limits.comment_depth), limits_(limits) {}

  Result<AddressList, AddressError> parse() {
    while (!lexer_.error() && lexer_.token().kind != Kind::end) {
      if (lexer_.at(',')) {
        lexer_.advance();
      } else if (lexer_.at(';')) {
        close_group();
      } else {
        parse_element();
      }
    }
    if (in_group_) lexer_.fault(group_offset_, "a group is not closed by ';'");
    if (lexer_.error()) return fail(*lexer_.error());
    return std::move(list_);
  }

 private:
  void close_group() {
    if (!in_group_) return lexer_.fault(lexer_.token().offset, "a ';' without a group");
    in_group_ = false;
    list_.groups.back().count = list_.mailboxes.size() - list_.groups.back().first;
    lexer_.advance();
    expect_separator();
  }

  // A mailbox, or a group's name through its colon.
  void parse_element() {
    const std::size_t begin = lexer_.token().offset;
    (void)lexer_.take_comment();
    read_words();
    if (lexer_.error()) return;
    if (lexer_.at(':')) return open_group(begin);
    Address address;
    if (lexer_.at('<')) {
      address.display_name = phrase();
      lexer_.advance();
      skip_route();
      read_words();
      read_addr_spec(begin, address);
      if (lexer_.error()) return;
      if (!lexer_.at('>')) return lexer_.fault(lexer_.token().offset, "a '<' is not closed");
      lexer_.advance();
    } else {
      read_addr_spec(begin, address);
    }
    if (lexer_.error()) return;
    std::string comment = lexer_.take_comment();
    if (address.display_name.empty()) address.display_name = std::move(comment);
    if (list_.mailboxes.size() >= limits_.mailboxes)
      return lexer_.fault(begin, "too many addresses");
    list_.mailboxes.push_back(std::move(address));
    expect_separator();
  }

  void expect_separator() {
    if (lexer_.error() || lexer_.token().kind == Kind::end || lexer_.at(',')) return;
    if (lexer_.at(';') && in_group_) return;
    lexer_.fault(lexer_.token().offset, "no comma behind an address");
  }

  void open_group(std::size_t begin) {
    if (words_.empty()) return lexer_.fault(begin, "a ':' without the name of a group");
    if (in_group_) return lexer_.fault(begin, "a group within a group");
    in_group_ = true;
    group_offset_ = begin;
    list_.groups.push_back({phrase(), list_.mailboxes.size(), 0});
    lexer_.advance();
  }

  // Words and dots up to something else, into words_.
  void read_words() {
    words_.clear();
    while (lexer_.at_word() || lexer_.at('.')) {
      words_.push_back(lexer_.token());
      lexer_.advance();
    }
  }

  [[nodiscard]] std::string phrase() const {
    std::string out;
    for (const Token& word : words_) {
      if (!out.empty() && word.space_before) out += ' ';
      out += word.kind == Kind::special ? "." : word.text;
    }
    return out;
  }

  // "@a,@b:" before the address proper (RFC 5322 4.4), which nobody needs any more.
  void skip_route() {
    if (!lexer_.at('@')) return;
    while (lexer_.at('@') || lexer_.at(',')) {
      const bool comma = lexer_.at(',');
      lexer_.advance();
      if (!comma) (void)read_domain();
    }
    if (!lexer_.at(':')) return lexer_.fault(lexer_.token().offset, "a route without ':'");
    lexer_.advance();
  }

  // words_ are the local-part; an '@' and a domain follow, or nothing: cron writes "From: root".
  void read_addr_spec(std::size_t begin, Address& into) {
    if (lexer_.error()) return;
    const bool qualified = lexer_.at('@');
    bool after_word = false;
    for (const Token& word : words_) {
      const bool dot = word.kind == Kind::special;
      if (!dot && after_word) {
        if (qualified) return lexer_.fault(word.offset, "a blank in an address");
        return lexer_.fault(begin, "no '@' in an address");
      }
      after_word = !dot;
      into.local_part += dot ? "." : word.text;
    }
    if (words_.empty()) {
      return lexer_.fault(lexer_.token().kind == Kind::end ? begin : lexer_.token().offset,
                          qualified ? "nothing before an '@'" : "no '@' in an address");
    }
    if (!qualified) return;
    lexer_.advance();
    into.domain = read_domain();
  }

  std::string read_domain() {
    if (lexer_.token().kind == Kind::literal) {
      std::string literal = lexer_.token().text;
      lexer_.advance();
      return literal;
    }
    std::string domain;
    while (lexer_.token().kind == Kind::word) {
      domain += lexer_.token().text;
      lexer_.advance();
      if (!lexer_.at('.')) return domain;
      domain += '.';
      lexer_.advance();
    }
    lexer_.fault(lexer_.token().offset,
                 domain.empty() ? "no domain behind an '@'" : "a domain ends in a dot");
    return {};
  }

  Lexer lexer_;
  const AddressLimits& limits_;
  AddressList list_;
  std::vector<Token> words_;
  bool in_group_ = false;
  std::size_t group_offset_ = 0;
};

bool is_dot_atom(std::string_view text) {
  bool after_dot = true;
  for (const char c : text) {
    if (c == '.' ? after_dot : !is_atext(c)) return false;
    after_dot = c == '.';
  }
  return !after_dot;
}

}  // namespace

std::string Address::addr_spec() const {
  const std::string at_domain = domain.empty() ? std::string() : "@" + domain;
  if (is_dot_atom(local_part)) return local_part + at_domain;
  std::string quoted = "\"";
  for (const char c : local_part) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"' + at_domain;
}

Result<AddressList, AddressError> parse_address_list(std::string_view text,
                                                     const AddressLimits& limits) {
  return Parser(text, limits).parse();
}

}  // namespace posthorn::message
