// FETCH of a message that is too large to be held: BODY[] (or RFC822, or a piece of it) is read and written step by step.
#pragma once

#include <optional>
#include <span>

#include "agents/imapd/fetch_render.h"
#include "agents/imapd/session.h"

namespace posthorn::imapd {

// Messages from this size on are sent so.
inline constexpr std::uint64_t large_message = 4 * 1024 * 1024;

// The place of the item that is streamed; nothing if the message is not large or no item is the whole message.
[[nodiscard]] std::optional<std::size_t> find_large(const store::OpenMailbox& mailbox,
                                                    const FetchPlan& plan,
                                                    const FetchedMessage& message);
// The messages in front of the first that is to be streamed.
[[nodiscard]] std::span<const FetchedMessage> until_large(const store::OpenMailbox& mailbox,
                                                          const FetchPlan& plan,
                                                          std::span<const FetchedMessage> messages);

struct LargeSent {
  std::optional<store::StoreError> error;  // nothing was sent
  bool gone = false;                       // nor here: somebody expunged it
  bool unknown_cte = false;
  bool too_much = false;
  bool goes_on = true;  // false: the connection has to end

  LargeSent() = default;
};
// Sends the message; the streamed item comes last.
async::Task<LargeSent> send_large(Session& session, store::OpenMailbox& mailbox,
                                  const FetchPlan& plan, const FetchedMessage& message,
                                  std::size_t item);

}  // namespace posthorn::imapd
