// Replies: "+OK text" and "-ERR [CODE] text" (RFC 1939 section 3, response codes RFC 2449 section
// 8).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn::pop3 {

// What a program, not a person, can read from "-ERR".
namespace code {
inline constexpr std::string_view in_use =
    "IN-USE";  // RFC 2449 8.1.2: another session has the maildrop
inline constexpr std::string_view system_temporary =
    "SYS/TEMP";  // RFC 3206: our trouble, try again
inline constexpr std::string_view system_permanent =
    "SYS/PERM";                                             // RFC 3206: the operator has to act
inline constexpr std::string_view authentication = "AUTH";  // RFC 3206: the credentials
inline constexpr std::string_view utf8 = "UTF8";            // RFC 6856 section 5
}  // namespace code

struct Reply {
  bool ok = false;
  std::string code;  // "" = none
  std::string text;  // no CR, LF

  Reply() = default;
  Reply(bool is_ok, std::string_view response_code, std::string_view words)
      : ok(is_ok), code(response_code), text(words) {}
  bool operator==(const Reply&) const = default;
};

// With CRLF. A CR, LF or NUL in the text becomes a space.
[[nodiscard]] std::string format_reply(const Reply& reply);
// A line without its end; nothing if it is no reply. A SASL challenge ("+ base64") is none.
[[nodiscard]] std::optional<Reply> parse_reply(std::string_view line);

}  // namespace posthorn::pop3
