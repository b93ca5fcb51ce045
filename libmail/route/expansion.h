// All recipients of a message into the ones to deliver to (RFC 5321 3.9, RFC 3461 5.2.7). Done once
// by queued before the first attempt; README.md has the rules.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "libmail/route/resolver.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::route {

struct ExpansionLimits {
  std::size_t depth = 20;         // aliases within aliases
  std::size_t targets = 100'000;  // of one message
};

// A recipient to deliver to. `original` is its index in Envelope::recipients.
struct Target {
  std::size_t original = 0;
  smtp::Recipient recipient;  // mailbox, NOTIFY and ORCPT as they are to be handed over
  Transport transport;
  std::string user;  // of a local one, as the userdb spells it; for the log
  // Of a member of a list: the list's owner in place of the sender. RET and ENVID must not go along
  // then (RFC 3461 5.2.7.1), and reports go to the owner.
  std::optional<smtp::ReversePath> reverse_path;

  Target() = default;
  bool operator==(const Target&) const = default;
};

// A recipient that can't be delivered to.
struct DeadEnd {
  std::size_t original = 0;
  smtp::Recipient recipient;  // the member that failed, with the NOTIFY and ORCPT its report needs
  smtp::Status status;  // 5.1.1 unknown, 5.4.6 loop, 5.7.x error: of the transports table, 4.x also
  std::optional<smtp::ReversePath> reverse_path;  // as in Target

  DeadEnd() = default;
  // Nobody of that name, though an intake took it: tables may be newer here or there, so queued
  // waits an hour before it believes it.
  [[nodiscard]] bool is_unknown_user() const {
    return status.enhanced == smtp::EnhancedStatus{5, 1, 1};
  }
};

// What the sender asked to hear (NOTIFY=SUCCESS) and what is known already.
struct ExpansionReport {
  enum class Kind {
    expanded,   // an alias with several addresses: "expanded"
    delivered,  // a list has it: "delivered"
  };
  std::size_t original = 0;
  Kind kind = Kind::expanded;
  smtp::Recipient recipient;  // the alias or list

  ExpansionReport() = default;
};

struct Expansion {
  std::vector<Target> targets;
  std::vector<DeadEnd> dead_ends;
  std::vector<ExpansionReport> reports;
  // A table or the userdb gave no answer: of these recipients nothing is in the lists above; expand
  // them again later.
  struct Deferred {
    std::size_t original = 0;
    smtp::Status status;  // 4.3.0
    std::string why;      // for the log
    Deferred() = default;
  };
  std::vector<Deferred> deferred;
  // A recipient that appears nowhere was a duplicate of another: it shares that one's fate.

  Expansion() = default;
};

// Expands the recipients of `envelope` whose indices are in `which` (empty: all of them).
// `resolver` and `envelope` outlive the task.
async::Task<Expansion> expand(Resolver& resolver, const smtp::Envelope& envelope,
                              std::vector<std::size_t> which = {}, ExpansionLimits limits = {});

}  // namespace posthorn::route
