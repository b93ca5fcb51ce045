#include "libmail/base/tab_escape.h"

namespace posthorn {

namespace {

constexpr char escape = '\001';

}  // namespace

std::string tab_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\0':
        out += "\0010";
        break;
      case escape:
        out += "\0011";
        break;
      case '\t':
        out += "\001t";
        break;
      case '\r':
        out += "\001r";
        break;
      case '\n':
        out += "\001n";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::optional<std::string> tab_unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != escape) {
      out.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case '0':
        out.push_back('\0');
        break;
      case '1':
        out.push_back(escape);
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'n':
        out.push_back('\n');
        break;
      default:
        out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace posthorn
