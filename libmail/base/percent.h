// Octets as two hexadecimal digits behind a percent sign: URIs (RFC 3986 2.1), and files and protocols that borrowed it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn {

// 0 to 15, or -1. Both cases.
[[nodiscard]] int hex_digit(char c);

// Nothing: a percent sign without two digits behind it. Whatever the octets are: who wants text, or no controls, looks.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace posthorn
