#include "libmail/message/quoted_printable.h"

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {
constexpr std::size_t longest_line = 76;
constexpr char digits[] = "0123456789ABCDEF";
}  // namespace

std::string encode_quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  std::size_t column = 0;
  const auto at_line_end = [&](std::size_t i) {
    return i == text.size() || text[i] == '\n' ||
           (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (at_line_end(i)) {
      if (text[i] == '\r') ++i;
      out += "\r\n";
      column = 0;
      continue;
    }
    const char c = text[i];
    const bool plain = (is_graph(c) && c != '=') || (is_space(c) && !at_line_end(i + 1));
    const std::size_t width = plain ? 1 : 3;
    // The last column belongs to the "=" of a soft line break unless the line ends here anyway.
    const std::size_t room = at_line_end(i + 1) ? longest_line : longest_line - 1;
    if (column + width > room) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out += c;
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += '=';
      out += digits[octet >> 4];
      out += digits[octet & 15];
    }
    column += width;
  }
  return out;
}

}  // namespace posthorn::message
