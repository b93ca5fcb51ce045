// BODYSTRUCTURE and BODY (RFC 9051 7.5.2): the part tree as a server sends it.
#pragma once

#include <cstdint>
#include <string>

#include "libmail/message/message_view.h"

namespace posthorn::imap {

enum class BodyForm : std::uint8_t {
  body,            // without extension data
  body_structure,  // with MD5, disposition, language, location
};

// Ready for the wire, 8-bit octets in literals. Sizes count every line end as CRLF, however the
// message is stored; text lines are its line feeds. Types, encodings and parameter names are in lower
// case, parameters otherwise as they stand (RFC 2231 is the client's business). A multipart without
// a part shows an empty text/plain, since the grammar wants one; one that was not taken apart shows
// as what it says, with its size. Doesn't recurse.
[[nodiscard]] std::string body_structure(const message::MessageView& message, BodyForm form);

}  // namespace posthorn::imap
