// Named searches (RFC 5466 FILTERS): FILTER stands for what the annotation /private/filters/values/NAME of the server says, or else the
// operator's /shared/filters/values/NAME. Its keys count as if they stood in parentheses.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agents/imapd/session.h"

namespace posthorn::imapd {

inline constexpr std::string_view filter_values = "filters/values/";  // behind "/private/"

// A search for which put_in_filters() has something to do.
[[nodiscard]] bool names_filters(const imap::Command& command);
// Puts in the place of each FILTER what it says. A filter that is not there, is no search, or leads to itself is refused.
async::Task<std::optional<imap::Reply>> put_in_filters(Session& session, imap::Command& command);

// What is wrong with a filter of this name and value; "" if nothing is.
[[nodiscard]] std::string filter_fault(std::string_view name, std::string_view value);

}  // namespace posthorn::imapd
