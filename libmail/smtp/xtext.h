// How SMTP parameters and XFORWARD carry octets that have no place in a command line: xtext (RFC
// 3461 4) and the address forms of RFC 6533 3.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn::smtp {

// "+", "=", and everything that is not printable ASCII become "+HH".
[[nodiscard]] std::string encode_xtext(std::string_view octets);
// Nothing if `text` holds an octet that xtext doesn't, or a "+" without two hex digits. The result
// may hold any octet, CR, LF and NUL included: for parameters use decode_xtext_text().
[[nodiscard]] std::optional<std::string> decode_xtext(std::string_view text);
// The same, but nothing if the result has a control character in it (+0D+0A, +00): it will stand in
// header fields, reports and logs.
[[nodiscard]] std::optional<std::string> decode_xtext_text(std::string_view text);

// RFC 6533: "\x{20AC}" for what isn't printable ASCII (`ascii_only`) or only for what would break
// the command.
[[nodiscard]] std::string encode_utf8_addr(std::string_view utf8, bool ascii_only);
[[nodiscard]] std::optional<std::string> decode_utf8_addr(std::string_view text);

}  // namespace posthorn::smtp
