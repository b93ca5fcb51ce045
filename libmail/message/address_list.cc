#include "libmail/message/address_list.h"

#include <algorithm>
#include <optional>

#include "libmail/base/text.h"
#include "libmail/message/address_lexer.h"

namespace posthorn::message {

namespace {

class Parser {
 public:
  Parser(std::string_view text, const AddressLimits& limits)
      : lexer_(text, limits.comment_depth), limits_(limits) {}

  Result<AddressList, AddressError> parse() {
    while (!lexer_.error() && lexer_.token().kind != AddressToken::Kind::end) {
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
    if (lexer_.error() || lexer_.token().kind == AddressToken::Kind::end || lexer_.at(',')) return;
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
    for (const AddressToken& word : words_) {
      if (!out.empty() && word.space_before) out += ' ';
      out += word.kind == AddressToken::Kind::special ? "." : word.text;
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
    for (const AddressToken& word : words_) {
      const bool dot = word.kind == AddressToken::Kind::special;
      if (!dot && after_word) {
        if (qualified) return lexer_.fault(word.offset, "a blank in an address");
        return lexer_.fault(begin, "no '@' in an address");
      }
      after_word = !dot;
      into.local_part += dot ? "." : word.text;
    }
    if (words_.empty()) {
      return lexer_.fault(
          lexer_.token().kind == AddressToken::Kind::end ? begin : lexer_.token().offset,
          qualified ? "nothing before an '@'" : "no '@' in an address");
    }
    if (!qualified) return;
    lexer_.advance();
    into.domain = read_domain();
  }

  std::string read_domain() {
    if (lexer_.token().kind == AddressToken::Kind::literal) {
      std::string literal = lexer_.token().text;
      lexer_.advance();
      return literal;
    }
    std::string domain;
    while (lexer_.token().kind == AddressToken::Kind::word) {
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

  AddressLexer lexer_;
  const AddressLimits& limits_;
  AddressList list_;
  std::vector<AddressToken> words_;
  bool in_group_ = false;
  std::size_t group_offset_ = 0;
};

bool is_dot_atom(std::string_view text) {
  bool after_dot = true;
  for (const char c : text) {
    if (c == '.' ? after_dot : !is_address_atext(c)) return false;
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
