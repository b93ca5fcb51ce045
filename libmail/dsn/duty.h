// Whose duty is it to report what (RFC 3461 5.2, DESIGN section 6).
#pragma once

#include <cstdint>
#include <optional>

#include "libmail/smtp/envelope.h"

namespace posthorn::dsn {

// RFC 3464 2.3.3.
enum class Action : std::uint8_t { failed, delayed, delivered, relayed, expanded };
// "failed", as the Action field has it.
[[nodiscard]] std::string_view action_name(Action action);

// What became of a recipient, as the agent sees it that asks.
enum class Outcome : std::uint8_t {
  delivered,  // final: in the mailbox, or given to a program; also taken by a distribution list
  passed_with_dsn,  // given to an agent or host that offers DSN, with the parameters
  passed_plain,     // given to one that doesn't
  expanded,         // an alias that stands for several addresses
  delayed,          // not yet, and the time for a warning has come
  failed,
};

struct Duty {
  enum class To : std::uint8_t { nobody, sender, postmaster };
  To to = To::nobody;
  Action action = Action::failed;  // without meaning for nobody

  bool operator==(const Duty&) const = default;
};

// `sender`: the reverse-path of the message. `for_postmaster`: the recipient is our postmaster,
// whom a failed report to himself would only go round with.
[[nodiscard]] Duty report_due(Outcome outcome, smtp::Notify notify, const smtp::ReversePath& sender,
                              bool for_postmaster = false);

}  // namespace posthorn::dsn
