// Messages read for what nobody has cached.
#pragma once

#include <string>

#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

// Octets through the empty line of the header, and then some; line ends as stored. Blocking.
store::StoreResult<std::string> read_header(store::OpenMailbox& mailbox, std::uint32_t uid);

}  // namespace posthorn::imapd
