// Text as SEARCH and SORT compare it: decoded, UTF-8, without regard to case (RFC 5255's i;unicode-casemap).
#pragma once

#include <string>
#include <string_view>

#include "libmail/message/message_view.h"

namespace posthorn::imapd {

// Case folded, compatibility forms and accents kept apart from their letters. Ill-formed octets pass as they are.
[[nodiscard]] std::string fold_case(std::string_view utf8);

// Whether `text` (not folded) has `folded` in it.
[[nodiscard]] bool contains_folded(std::string_view text, std::string_view folded);

// All header fields of a part, decoded: for TEXT.
[[nodiscard]] std::string decoded_header(const message::Header& header);
// Whether some text of the message's body has it: text parts decoded, headers of messages and parts within.
[[nodiscard]] bool body_contains(const message::MessageView& view, std::string_view folded);

}  // namespace posthorn::imapd
