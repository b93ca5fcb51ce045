// Messages read for what nobody has cached.
#pragma once

#include <cstdint>
#include <string>

#include "libmail/store/open_mailbox.h"

namespace posthorn::imapd {

// Octets through the empty line of the header, and then some; line ends as stored. Blocking.
store::StoreResult<std::string> read_header(store::OpenMailbox& mailbox, std::uint32_t uid);

// The whole message, line ends as stored. `size`: about what it has. Blocking.
store::StoreResult<std::string> read_stored(store::OpenMailbox& mailbox, std::uint32_t uid,
                                            std::uint64_t size);

}  // namespace posthorn::imapd
