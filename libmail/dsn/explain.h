// Plain words for people who never saw an enhanced status code (RFC 3463).
#pragma once

#include <string_view>

#include "libmail/smtp/reply.h"

namespace posthorn::dsn {

// "There is no mailbox of that name." One sentence; "" if the code says nothing that helps.
[[nodiscard]] std::string_view explain(const smtp::EnhancedStatus& status);

}  // namespace posthorn::dsn
