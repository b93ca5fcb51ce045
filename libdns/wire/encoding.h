// Encodings of octets and times inside presentation form. Inside libdns only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn::dns {

// Pairs of digits, either case.
[[nodiscard]] std::optional<std::string> decode_hex(std::string_view text);
// Base 32 with extended hex alphabet, lower case, no padding (RFC 5155 3.3, RFC 4648 7). Decoding
// takes either case and refuses bits behind the last octet.
[[nodiscard]] std::string encode_base32hex(std::string_view octets);
[[nodiscard]] std::optional<std::string> decode_base32hex(std::string_view text);
// <character-string> in quotes, so that spaces stand as they are.
[[nodiscard]] std::string in_quotes(std::string_view octets);

}  // namespace posthorn::dns
