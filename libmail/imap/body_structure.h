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
// message is stored; lines are line feeds. Types and parameter names are in lower case, values as they
// stand (RFC 2231 is the client's business). What was not taken apart has to have an inside for the
// grammar: a multipart without parts shows one empty text/plain, an encoded message/rfc822 an empty
// message, as Dovecot's. Doesn't recurse.
[[nodiscard]] std::string body_structure(const message::MessageView& message, BodyForm form);

}  // namespace posthorn::imap
