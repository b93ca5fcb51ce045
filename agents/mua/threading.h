// Conversations out of References and In-Reply-To, and out of the subject where those are missing. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "agents/mua/mail_store.h"

namespace posthorn::mua {

struct Threaded {
  std::size_t index = 0;  // into the messages that were given
  std::size_t depth = 0;  // 0 begins a conversation
};

// All messages, each behind the one it answers, answers by date; the conversation with the newest message first, or
// last. A message is a child of the nearest of its references that is there; loops are broken; a reply without
// references joins the conversation of the same base subject (RFC 5256 2.1). O(n log n) in messages and references.
[[nodiscard]] std::vector<Threaded> order_threads(const std::vector<Summary>& messages,
                                                  bool newest_first = true);

}  // namespace posthorn::mua
