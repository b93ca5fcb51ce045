// Trace fields as evidence of a loop (RFC 5321 6.3).
#pragma once

#include <cstddef>
#include <string_view>

#include "libmail/message/header.h"

namespace posthorn::message {

// How many hosts have had this message. RFC 5321 6.3 wants the limit at 100 or above.
[[nodiscard]] std::size_t count_received(const Header& header);

// Whether a message has come back that a delivery agent put into that mailbox: a Delivered-To field
// with this address below a Received field. One above all of them was written by the program that
// hands the message over now (OpenSMTPD's LMTP client does); no host has had it since. The domain is
// compared without regard to ASCII case, the local-part too (no real site tells mailboxes apart by
// case, and a loop that changes case is still a loop).
[[nodiscard]] bool has_delivered_to(const Header& header, std::string_view address);

}  // namespace posthorn::message
