// Quoted-printable (RFC 2045 6.7), the encoder.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::message {

// Lines of at most 76 octets with CRLF ends. CRLF and LF in `text` are line ends, every other
// control octet, octets above 126 and blanks before a line end are encoded.
[[nodiscard]] std::string encode_quoted_printable(std::string_view text);

}  // namespace posthorn::message
