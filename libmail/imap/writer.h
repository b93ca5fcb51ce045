// Values as IMAP writes them, for both sides. A server sends literals as "{5}"; a client must know whether it may say
// "{5+}" or has to wait for "+" after "{5}": `breaks` has the places.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::imap {

class Writer {
 public:
  enum class Literals : std::uint8_t {
    server,       // {5}: sent at once
    synchronous,  // {5}, and a break behind it
    small_plus,   // LITERAL-: {5+} up to 4096, else as synchronous
    plus,         // LITERAL+: {5+} always
  };
  explicit Writer(Literals literals = Literals::server, bool utf8 = false)
      : literals_(literals), utf8_(utf8) {}

  // As it is: keywords, punctuation, what is known to be an atom.
  Writer& raw(std::string_view text) { return text_ += text, *this; }
  Writer& sp() { return text_ += ' ', *this; }
  Writer& number(std::uint64_t value);
  // The shortest form that carries it: atom, quoted, literal. "" is quoted; NIL as a word is quoted, too.
  Writer& astring(std::string_view value);
  // Quoted, or a literal for what a quoted string can't hold: CR, LF, NUL (as literal8), 8-bit without UTF8, 1000 octets
  // and more.
  Writer& string(std::string_view value);
  Writer& nstring(const std::optional<std::string>& value);
  Writer& literal(std::string_view value, bool binary = false);
  // Only the announcement: the octets are the caller's business.
  Writer& literal_header(std::uint64_t size, bool binary = false);
  // "(a b c)"; the words go out as they are.
  Writer& list(const std::vector<std::string>& words);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string& text() { return text_; }
  [[nodiscard]] std::string take();
  // Offsets behind "{5}" CRLF where a client waits for "+".
  [[nodiscard]] const std::vector<std::size_t>& breaks() const { return breaks_; }

 private:
  std::string text_;
  std::vector<std::size_t> breaks_;
  Literals literals_;
  bool utf8_;
};

// A quoted string, with its quotes; `value` has no CR, LF, NUL.
[[nodiscard]] std::string quoted(std::string_view value);
// What fits a quoted string: no CR, LF, NUL; 8-bit only with `utf8`, and then well-formed.
[[nodiscard]] bool fits_quoted(std::string_view value, bool utf8);

}  // namespace posthorn::imap
