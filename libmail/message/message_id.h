// Message-ID (RFC 5322 3.6.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"

namespace posthorn::message {

// "<20261122202420.1f2e3d4c5b6a7988@host>": the time in UTC, so that people can sort them, and 64
// bits that the caller draws. `host` is this machine's name; what can't stand behind an '@' is left
// out.
[[nodiscard]] std::string make_message_id(WallTime now, std::uint64_t random,
                                          std::string_view host);

// The ids of a Message-ID, In-Reply-To or References field, brackets included, in order. Comments
// and words between them are passed over. At most `limit` of them.
[[nodiscard]] std::vector<std::string> parse_message_ids(std::string_view value,
                                                         std::size_t limit = 200);

}  // namespace posthorn::message
