// Servers as administrators write them.
#pragma once

#include <string_view>

#include "libmail/async/endpoint.h"
#include "libmail/base/result.h"

namespace posthorn::dnsd {

// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "unix:PATH"; port 53 unless
// it says another. Names are none: who serves names can't begin by asking for one.
[[nodiscard]] Result<async::Endpoint, std::string> parse_server(std::string_view text);

}  // namespace posthorn::dnsd
