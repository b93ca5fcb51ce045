// Names that are never asked for on the Internet (RFC 6761, RFC 6303, RFC 7686, RFC 7793, RFC 8375).
#pragma once

#include <optional>

#include "libdns/cache/cache.h"
#include "libdns/wire/message.h"

namespace posthorn::dns {

struct SpecialAnswer {
  std::vector<RrSet> answer;
  std::optional<Negative> negative;  // if there is no answer
};
// What is said about such a name; nothing if it is an ordinary one.
[[nodiscard]] std::optional<SpecialAnswer> special_answer(const Question& question);

}  // namespace posthorn::dns
