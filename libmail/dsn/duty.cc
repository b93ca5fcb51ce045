#include "libmail/dsn/duty.h"

namespace posthorn::dsn {

namespace {

Duty tell_sender(bool wanted, Action action) {
  return wanted ? Duty{Duty::To::sender, action} : Duty{};
}

}  // namespace

std::string_view action_name(Action action) {
  switch (action) {
    case Action::failed:
      return "failed";
    case Action::delayed:
      return "delayed";
    case Action::delivered:
      return "delivered";
    case Action::relayed:
      return "relayed";
    case Action::expanded:
      return "expanded";
  }
  return "failed";
}

Duty report_due(Outcome outcome, smtp::Notify notify, const smtp::ReversePath& sender,
                bool for_postmaster) {
  if (!sender) {
    // RFC 3461 5.2: no report to a null path, but a lost message should come to somebody's notice.
    const bool lost = outcome == Outcome::failed && notify.wants_failure() && !for_postmaster;
    return lost ? Duty{Duty::To::postmaster, Action::failed} : Duty{};
  }
  switch (outcome) {
    case Outcome::delivered:
      return tell_sender(notify.wants_success(), Action::delivered);
    case Outcome::passed_with_dsn:
      return {};
    case Outcome::passed_plain:
      return tell_sender(notify.wants_success(), Action::relayed);
    case Outcome::expanded:
      return tell_sender(notify.wants_success(), Action::expanded);
    case Outcome::delayed:
      return tell_sender(notify.wants_delay(), Action::delayed);
    case Outcome::failed:
      return tell_sender(notify.wants_failure(), Action::failed);
  }
  return {};
}

}  // namespace posthorn::dsn
