// Base64 as protocols use it (RFC 4648 section 4), strict both ways. MIME bodies have a lenient
// codec of their own in libmail/message.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn {

[[nodiscard]] std::string encode_base64(std::string_view octets);
// Nothing if there is a character outside the alphabet, missing or misplaced padding, or a bit set
// behind the last octet (two texts never decode to the same octets).
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace posthorn
