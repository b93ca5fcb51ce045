// What expansion and replies make of a message's recipients: pure functions on its state.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "libmail/dsn/report.h"
#include "libmail/queue/outcome.h"
#include "libmail/route/expansion.h"

namespace posthorn::queued {

// The recipients of a message and, for those that can be tried, where they go.
struct Plan {
  queue::MessageState state;
  std::vector<std::optional<route::Transport>> transports;  // one a recipient, open ones only

  Plan() = default;
};

// How patient we are.
struct Patience {
  WallTime now{};
  WallTime arrival{};
  Duration lifetime{};
  Duration warn_after{};  // zero = never
  Duration unknown_user_time{};

  [[nodiscard]] bool believes_unknown() const { return now - arrival >= unknown_user_time; }
  [[nodiscard]] bool expired() const { return now - arrival >= lifetime; }
};

// Which recipients of the envelope have to be expanded: none before the first time means all.
[[nodiscard]] std::vector<std::size_t> to_expand(const queue::MessageState& state);

// Takes an expansion over: of all recipients the first time, of unresolved ones later. What was there keeps its
// place; an address that is already among the recipients is not added again.
void take_expansion(Plan& plan, const smtp::Envelope& envelope, const route::Expansion& expansion,
                    const Patience& patience);

// The reply for one recipient. `passed_plain`: the agent offered no DSN, so a `relayed` report may be due.
void take_status(queue::RecipientState& recipient, smtp::Status status, bool passed_plain,
                 const smtp::ReversePath& sender, WallTime now);

// Fails everything that is still open, because of `why` or because its time is over.
void give_up(queue::MessageState& state, const Patience& patience, const smtp::ReversePath& sender);

// Who sends for this recipient: the list's owner, or the sender of the message.
[[nodiscard]] const smtp::ReversePath& sender_of(const queue::RecipientState& recipient,
                                                 const smtp::Envelope& envelope);

[[nodiscard]] bool has_open(const queue::MessageState& state);
[[nodiscard]] bool owes_reports(const queue::MessageState& state);

}  // namespace posthorn::queued
