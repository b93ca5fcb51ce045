// Tokens of address lists (RFC 5322 3.2), for the parser that refuses and the reader that doesn't.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/message/address_list.h"
#include "libmail/message/anomaly.h"

namespace posthorn::message {

// atext of RFC 5322 3.2.3, and 8-bit octets.
[[nodiscard]] bool is_address_atext(char c);

struct AddressToken {
  enum class Kind : std::uint8_t { end, word, quoted, literal, special };
  Kind kind = Kind::end;
  char special = 0;           // Kind::special
  bool space_before = false;  // blanks or a comment
  std::size_t offset = 0;
  std::string text;  // Kind::word, quoted (unquoted), literal (with brackets)
};

class AddressLexer {
 public:
  // Strict: the first error sticks, from then on there is only Kind::end.
  AddressLexer(std::string_view text, std::size_t comment_depth);
  // Lenient: what is out of place is passed over, what isn't closed is no bracket at all, and both are
  // added to `anomalies`. Linear all the same.
  AddressLexer(std::string_view text, std::size_t comment_depth, Anomalies* anomalies);

  [[nodiscard]] const AddressToken& token() const { return token_; }
  [[nodiscard]] bool at(char special) const {
    return token_.kind == AddressToken::Kind::special && token_.special == special;
  }
  [[nodiscard]] bool at_word() const {
    return token_.kind == AddressToken::Kind::word || token_.kind == AddressToken::Kind::quoted;
  }
  [[nodiscard]] bool at_end() const { return token_.kind == AddressToken::Kind::end; }
  [[nodiscard]] const std::optional<AddressError>& error() const { return error_; }
  // The last comment before token(), without its parentheses; emptied by taking it.
  [[nodiscard]] std::string take_comment() { return std::exchange(comment_, {}); }

  void fault(std::size_t offset, std::string text);
  void advance();
  // Lenient: there is nothing more to be read.
  void stop();

 private:
  [[nodiscard]] bool lenient() const { return anomalies_ != nullptr; }
  // False if there is no token at at_, which was passed over then.
  bool read_token();
  bool pass_over(std::size_t offset, std::string text);
  void skip_blanks();
  bool read_comment();
  bool read_quoted();
  bool read_literal();
  void read_atom();
  [[nodiscard]] std::size_t encoded_word_end() const;

  std::string_view text_;
  std::size_t comment_depth_;
  Anomalies* anomalies_ = nullptr;
  std::size_t at_ = 0;
  AddressToken token_;
  std::string comment_;
  std::optional<AddressError> error_;
  // Lenient: there is no end to be found any more for one of these, so nobody looks again.
  bool comments_end_ = true;
  bool quotes_end_ = true;
  bool literals_end_ = true;
};

}  // namespace posthorn::message
