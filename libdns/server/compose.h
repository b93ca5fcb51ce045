// Answers as messages without OPT, as AnswerCache keeps them.
#pragma once

#include <string>

#include "libdns/resolver/recursor.h"
#include "libdns/server/answer_cache.h"
#include "libdns/server/local.h"

namespace posthorn::dns {

// Up to here an answer has records that are only convenient (RFC 9471 2: optional glue), so that
// convenience never makes it too large for UDP.
inline constexpr std::size_t convenient_octets = 1100;
inline constexpr std::size_t convenient_octets_small = 440;

// Our zones' answer. `rest`: what a resolver found behind it, for chains that lead away.
[[nodiscard]] NewAnswer compose(const Query& query, AnswerClass asker, const LocalAnswer& local,
                                const Resolution* rest = nullptr);
[[nodiscard]] NewAnswer compose(const Query& query, AnswerClass asker, const Resolution& found);
// Header and question with this rcode.
[[nodiscard]] NewAnswer compose(const Query& query, AnswerClass asker, Rcode rcode,
                                const ExtendedError* why = nullptr);

// Header and question stay, TC is set. `message` has one question, without pointers, or none.
void truncate(std::string& message);

}  // namespace posthorn::dns
