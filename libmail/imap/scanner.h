// Reads one Line by RFC 9051's grammar (section 9). The first thing that doesn't fit is remembered; from then on
// everything fails, so a parser can read on and look once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"
#include "libmail/imap/lines.h"

namespace posthorn::imap {

// What was expected, and the offset in Line::text where something else stands.
struct SyntaxError {
  std::size_t at = 0;
  std::string expected;

  SyntaxError() = default;
  SyntaxError(std::size_t where, std::string what) : at(where), expected(std::move(what)) {}
  // "expected a mailbox name at octet 14"
  [[nodiscard]] std::string text() const;
  bool operator==(const SyntaxError&) const = default;
};

// What the peers have agreed to take.
struct Dialect {
  bool utf8 = false;  // UTF8=ACCEPT or IMAP4rev2 is enabled: quoted strings and names are UTF-8
  bool lenient =
      false;  // a client's reading: 8-bit anywhere, atoms with odd characters, spaces where none belong
  unsigned nesting = 50;
  std::size_t items = 10000;

  Dialect() = default;
};

[[nodiscard]] bool is_atom_char(char c);     // ATOM-CHAR
[[nodiscard]] bool is_astring_char(char c);  // ASTRING-CHAR
[[nodiscard]] bool is_list_char(char c);     // list-char: ASTRING-CHAR and wildcards
[[nodiscard]] bool is_tag_char(char c);

class Scanner {
 public:
  explicit Scanner(const Line& line, Dialect dialect = Dialect())
      : text_(line.text), streamed_(&line.streamed), dialect_(dialect) {}
  explicit Scanner(std::string_view text, Dialect dialect = Dialect())
      : text_(text), dialect_(dialect) {}

  [[nodiscard]] const Dialect& dialect() const { return dialect_; }
  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] const SyntaxError& error() const { return *error_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  // Goes on from an offset where an earlier scanner of the same line stood.
  void skip_to(std::size_t position) { at_ = position < text_.size() ? position : text_.size(); }
  // The next octet, NUL at the end or after a failure.
  [[nodiscard]] char peek() const { return ok() && at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool next_is(std::string_view word) const;  // without regard to case

  void fail_here(std::string expected);
  void fail_at(std::size_t where, std::string expected);

  // True and taken if it comes next; false and nothing taken otherwise.
  bool take(char c);
  bool take_word(std::string_view word);  // without regard to case, whatever follows
  // The same, but a failure if it isn't there.
  void want(char c);
  void want_word(std::string_view word);
  void space();     // exactly one SP; lenient: one or more
  void want_end();  // nothing more

  // Each "" (0) and a failure if there is none.
  [[nodiscard]] std::string_view tag();
  [[nodiscard]] std::string_view atom();
  // ATOM-CHARs and "\" in front: a flag as it is written.
  [[nodiscard]] std::string_view flag_word();
  [[nodiscard]] std::string astring();
  [[nodiscard]] std::string string();                  // quoted or literal
  [[nodiscard]] std::optional<std::string> nstring();  // nothing: NIL
  [[nodiscard]] std::string list_mailbox();            // wildcards allowed
  [[nodiscard]] std::uint32_t number();                // up to 2^32-1
  [[nodiscard]] std::uint32_t nz_number();
  [[nodiscard]] std::uint64_t number64();  // up to 2^63-1
  // Characters while `is` holds; may be "".
  [[nodiscard]] std::string_view take_while(bool (*is)(char));
  // A literal whose octets were streamed: its size. Nothing if none comes next.
  [[nodiscard]] std::optional<std::uint64_t> streamed_literal();

  // "(" has been taken or is to be: counts nesting, fails over Dialect::nesting. leave() takes ")".
  bool enter();
  void leave();
  // One value of any kind, with all it holds in parentheses; its text. For what we do not know.
  [[nodiscard]] std::string_view skip_value();

 private:
  [[nodiscard]] std::optional<std::string> quoted();
  [[nodiscard]] std::optional<std::string> literal();
  [[nodiscard]] std::uint64_t digits(std::uint64_t most, const char* what);

  std::string_view text_;
  const std::vector<std::size_t>* streamed_ = nullptr;
  Dialect dialect_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  std::optional<SyntaxError> error_;
};

}  // namespace posthorn::imap
