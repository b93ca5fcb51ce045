// The file `subscriptions` as Dovecot writes it: names in modified UTF-7, version 2 with levels parted by tabs, before that one
// name with dots a line. Sans I/O.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace posthorn::store {

// Names are as on disk, levels parted by ".".
std::set<std::string> parse_subscriptions(std::string_view text);
std::string format_subscriptions(const std::set<std::string>& names);

}  // namespace posthorn::store
