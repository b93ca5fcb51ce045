#include "libmail/message/header_value.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/header.h"
#include "libmail/message/utf8.h"

namespace posthorn::message {

namespace {

constexpr std::size_t line_goal = 78;     // RFC 5322 2.1.1
constexpr std::size_t longest_run = 900;  // octets that no fold can break: 998 with a name before
constexpr std::size_t longest_name = 70;
constexpr std::size_t longest_quoted =
    500;  // a quoted string is broken, too, before a line gets too long

// Why `value` can't be a field body; "" if it can.
std::string fault_of(std::string_view value) {
  if (!is_utf8(value)) return "it is no UTF-8";
  std::size_t run = 0;
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t before = rest.size();
    const char32_t c = take_code_point(rest);
    if (is_control(c) && c != '\t') return "it has a control character (a line end, perhaps) in it";
    run = c == ' ' || c == '\t' ? 0 : run + before - rest.size();
    if (run > longest_run) return "it has more than 900 octets without a blank";
  }
  return {};
}

}  // namespace

Result<HeaderName, std::string> HeaderName::make(std::string_view name) {
  if (!is_field_name(name) || name.size() > longest_name)
    return fail("'" + printable(name, 80) + "' is no name of a header field");
  return HeaderName(std::string(name));
}

Result<HeaderValue, std::string> HeaderValue::make(std::string_view value) {
  if (auto fault = fault_of(value); !fault.empty())
    return fail("'" + printable(value, 80) + "' can't stand in a header: " + fault);
  return HeaderValue(std::string(trim(value)));
}

Result<HeaderValue, std::string> HeaderValue::from_text(std::string_view text) {
  for (std::string_view rest = text; !rest.empty() && is_utf8(text);) {
    const char32_t c = take_code_point(rest);
    if (is_control(c) && c != '\t')
      return fail(
          "'" + printable(text, 80) +
          "' can't stand in a header: it has a control character (a line end, perhaps) in it");
  }
  return make(encode_text(text));
}

std::string fold_field(const HeaderName& name, const HeaderValue& value) {
  std::string out = name.text() + ":";
  const std::string_view text = value.text();
  if (!text.empty()) out += ' ';
  std::size_t line_begin = 0;
  bool quoted = false;
  std::size_t at = 0;
  bool first = true;
  while (at < text.size()) {
    // A blank run and what follows up to the next place where a line may end.
    std::size_t end = at;
    while (end < text.size() && is_space(text[end])) ++end;
    while (end < text.size()) {
      const char c = text[end];
      if (is_space(c) && (!quoted || out.size() - line_begin + end - at > longest_quoted)) break;
      if (c == '\\' && quoted && end + 1 < text.size()) ++end;
      if (c == '"') quoted = !quoted;
      ++end;
    }
    if (!first && out.size() - line_begin + (end - at) > line_goal) {
      out += "\r\n";
      line_begin = out.size();
    }
    out.append(text.substr(at, end - at));
    first = false;
    at = end;
  }
  return out + "\r\n";
}

}  // namespace posthorn::message
