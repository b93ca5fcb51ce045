// How a question to a table server and its answer look on the wire, without I/O: socketmap (netstrings) and Postfix's
// tcp_table(5).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libmail/route/table.h"

namespace posthorn::route {

inline constexpr std::size_t max_socketmap_reply = 100'000;
inline constexpr std::size_t max_tcp_reply = 4096;

// "11:map ann@b.te,": the octets of a question. `map` holds no blank.
[[nodiscard]] std::string format_socketmap_request(std::string_view map, std::string_view key);
// An answer at the beginning of `octets`, which is moved behind it. Nothing yet: nullopt, octets unmoved. OK with a
// value, NOTFOUND, else an error; a reply that is none is an error too, and the connection is of no use any more.
[[nodiscard]] std::optional<TableAnswer> take_socketmap_reply(std::string_view& octets);

// "get ann%40b.te\n". The same for its answer: "200 value\n", "500 reason\n" (not found), "400 reason\n".
[[nodiscard]] std::string format_tcp_request(std::string_view key);
[[nodiscard]] std::optional<TableAnswer> take_tcp_reply(std::string_view& octets);

}  // namespace posthorn::route
