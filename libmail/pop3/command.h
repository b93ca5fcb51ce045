// Commands as values. Keywords in any case, one space between arguments; PASS and USER take the
// rest of the line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/base/result.h"

namespace posthorn::pop3 {

// Without arguments: one type, so that the parser is one table.
enum class Simple { capa, noop, quit, rset, stat, stls, utf8 };
struct User {
  std::string name;
  bool operator==(const User&) const = default;
};
struct Pass {
  std::string password;
  bool operator==(const Pass&) const = default;
};
// RFC 5034. `initial` is decoded; "" was sent as "=". Without a mechanism: which are there? (older
// clients)
struct Auth {
  std::string mechanism;
  std::optional<std::string> initial;
  bool operator==(const Auth&) const = default;
};
// Message numbers count from 1; whether there is such a message the parser can't know.
struct List {
  std::optional<std::uint32_t> message;
  bool operator==(const List&) const = default;
};
struct Uidl {
  std::optional<std::uint32_t> message;
  bool operator==(const Uidl&) const = default;
};
struct Retr {
  std::uint32_t message = 0;
  bool operator==(const Retr&) const = default;
};
struct Dele {
  std::uint32_t message = 0;
  bool operator==(const Dele&) const = default;
};
struct Top {
  std::uint32_t message = 0;
  std::uint64_t lines = 0;  // of the body
  bool operator==(const Top&) const = default;
};
using Command = std::variant<Simple, User, Pass, Auth, List, Uidl, Retr, Dele, Top>;

// `line` is without its end. The error is the text for -ERR; it quotes nothing the client sent.
[[nodiscard]] Result<Command, std::string> parse_command(std::string_view line);

}  // namespace posthorn::pop3
