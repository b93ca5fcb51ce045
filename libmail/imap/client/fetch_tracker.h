// Where in a FETCH response a literal stands, known before the response is whole: only the value of BODY[...] and its kin is
// streamed, however a nested string may look. Looks at every octet once.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "libmail/imap/fetch.h"

namespace posthorn::imap::client {

class FetchTracker {
 public:
  // `text` is the line up to and with "{n}", as LineReader gives it at each of its literals.
  // The item whose value the literal is; nothing if it is something else's.
  [[nodiscard]] std::optional<FetchItem> announced(std::string_view text);
  // The literal's octets stand in the line (`size`), or they were streamed (0).
  void passed(std::string_view text, std::size_t size);
  void reset() { *this = FetchTracker(); }

  // "* 12 FETCH (": 12; 0 if it is no FETCH. UIDFETCH has a UID.
  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] std::uint32_t uid() const { return uid_; }

 private:
  void begin(std::string_view text);
  void advance(std::string_view text, std::size_t end);
  void token_ends(std::string_view text, std::size_t end);

  bool begun_ = false;
  bool is_fetch_ = false;
  std::uint32_t number_ = 0;
  std::uint32_t uid_ = 0;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  bool quoted_ = false;
  bool escaped_ = false;
  bool bracket_ = false;
  std::size_t token_ = 0;  // where the current value of the outermost parentheses began
  std::string_view::size_type name_begin_ = 0;  // the one before: an item's name
  std::string_view::size_type name_end_ = 0;
  bool expects_value_ = false;
};

}  // namespace posthorn::imap::client
