// A search on messages at hand: what an IMAP server would do with the same keys.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agents/mua/mail_store.h"

namespace posthorn::mua {

// One message to look at. Its octets are asked for only if a key needs them.
struct Candidate {
  std::uint32_t uid = 0;
  imap::Flags flags;
  std::uint64_t size = 0;
  std::chrono::sys_seconds received{};
  std::function<const std::string&()> octets;  // the whole message, read once
};

// Texts are compared without regard to case and after decoding (RFC 9051 6.4.4). `last`: the largest UID, what * means.
// Keys that only a server can know (saved dates, modification sequences, filters) match nothing.
[[nodiscard]] bool matches(const imap::SearchKey& key, const Candidate& message,
                           std::uint32_t last);

// Unicode's case folding and compatibility forms (NFKC): "Grüße" finds "GRÜSSE".
[[nodiscard]] std::string fold(std::string_view utf8);

}  // namespace posthorn::mua
