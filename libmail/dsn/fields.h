// Header fields made from octets of strangers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::dsn {

enum class Charset : std::uint8_t { ascii, utf8 };

// Controls, DEL, ill-formed UTF-8 (and, for ascii, everything above 127) become \xHH; line ends
// become a blank; the rest is cut after `limit` octets with "...".
[[nodiscard]] std::string clean_text(std::string_view octets, Charset charset, std::size_t limit);

// "Name: value\r\n", folded at blanks into lines of 76 octets where that is possible, never above
// 900. `value` is cleaned already.
void append_field(std::string& into, std::string_view name, std::string_view value);

// Lines of at most `width` octets, each behind `indent` and ended by CRLF.
void append_wrapped(std::string& into, std::string_view indent, std::string_view text,
                    std::size_t width = 72);

}  // namespace posthorn::dsn
