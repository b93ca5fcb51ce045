#include "libmail/imap/writer.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/imap/scanner.h"

namespace posthorn::imap {

namespace {

// RFC 7888 section 5.
constexpr std::size_t small_literal = 4096;
// Long quoted strings meet other people's line buffers.
constexpr std::size_t longest_quoted = 1000;

}  // namespace

bool fits_quoted(std::string_view value, bool utf8) {
  const auto bad = [utf8](char c) {
    return c == '\r' || c == '\n' || c == '\0' || (!utf8 && is_8bit(c));
  };
  return std::none_of(value.begin(), value.end(), bad) && (!utf8 || is_utf8(value));
}

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text += '"';
}

Writer& Writer::number(std::uint64_t value) {
  text_ += std::to_string(value);
  return *this;
}

Writer& Writer::astring(std::string_view value) {
  const bool atom = !value.empty() && value.size() < longest_quoted && !iequals(value, "NIL") &&
                    std::all_of(value.begin(), value.end(), is_astring_char);
  return atom ? raw(value) : string(value);
}

Writer& Writer::string(std::string_view value) {
  if (value.size() < longest_quoted && fits_quoted(value, utf8_)) return raw(quoted(value));
  return literal(value, value.find('\0') != std::string_view::npos);
}

Writer& Writer::nstring(const std::optional<std::string>& value) {
  return value ? string(*value) : raw("NIL");
}

Writer& Writer::literal(std::string_view value, bool binary) {
  literal_header(value.size(), binary);
  return raw(value);
}

Writer& Writer::literal_header(std::uint64_t size, bool binary) {
  if (binary) text_ += '~';
  text_ += '{' + std::to_string(size);
  const bool plus =
      literals_ == Literals::plus || (literals_ == Literals::small_plus && size <= small_literal);
  if (plus) text_ += '+';
  text_ += "}\r\n";
  if (!plus && literals_ != Literals::server) breaks_.push_back(text_.size());
  return *this;
}

Writer& Writer::list(const std::vector<std::string>& words) {
  text_ += '(';
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text_ += ' ';
    text_ += words[i];
  }
  text_ += ')';
  return *this;
}

std::string Writer::take() {
  breaks_.clear();
  return std::exchange(text_, {});
}

}  // namespace posthorn::imap
