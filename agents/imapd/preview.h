// PREVIEW (RFC 8970): the first words of a message, for a list.
#pragma once

#include <string>
#include <string_view>

#include "libmail/message/message_view.h"

namespace posthorn::imapd {

// At most 200 characters of UTF-8 without line ends; "" if there is no text. HTML loses its tags.
[[nodiscard]] std::string preview_of(const message::MessageView& view);
// "PREVIEW" and the string.
void append_preview(std::string_view preview, std::string& out);

}  // namespace posthorn::imapd
