#include "agents/queued/plan.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::queued {
namespace {

using queue::MessageState;
using queue::Phase;
using queue::RecipientState;

bool for_postmaster(const smtp::Mailbox& mailbox) {
  return iequals(mailbox.local_part, "postmaster");
}

// Failed for good: reported, or still to be.
Phase failed_phase(const RecipientState& recipient, const smtp::ReversePath& sender) {
  // Reports carry NOTIFY=NEVER so that nobody answers them; a lost one is still the postmaster's.
  const smtp::Notify notify = sender ? recipient.recipient.notify : smtp::Notify();
  const dsn::Duty duty = dsn::report_due(dsn::Outcome::failed, notify, sender,
                                         for_postmaster(recipient.recipient.mailbox));
  return duty.to == dsn::Duty::To::nobody ? Phase::reported : Phase::bounced;
}

const smtp::ReversePath& sender_or(const std::optional<smtp::ReversePath>& own,
                                   const smtp::Envelope& envelope) {
  return own ? *own : envelope.reverse_path;
}

// The place of `mailbox` among the recipients; a new one if it is not there.
std::size_t place_of(Plan& plan, const smtp::Mailbox& mailbox, std::size_t known) {
  std::vector<RecipientState>& recipients = plan.state.recipients;
  for (std::size_t i = 0; i < known; ++i) {
    const bool is_same =
        recipients[i].phase != Phase::replaced && recipients[i].recipient.mailbox == mailbox;
    if (is_same) return i;
  }
  recipients.emplace_back();
  plan.transports.emplace_back();
  return recipients.size() - 1;
}

RecipientState make_recipient(std::size_t original, const smtp::Recipient& recipient,
                              const std::optional<smtp::ReversePath>& sender) {
  RecipientState state(recipient);
  state.original = static_cast<std::uint32_t>(original);
  state.sender = sender;
  return state;
}

void take_target(Plan& plan, std::size_t known, const route::Target& target) {
  const std::size_t place = place_of(plan, target.recipient.mailbox, known);
  RecipientState& recipient = plan.state.recipients[place];
  if (place < known && recipient.phase != Phase::unresolved) return;  // has its own story already
  const smtp::Status last = recipient.last;
  const WallTime when = recipient.when;
  recipient = make_recipient(target.original, target.recipient, target.reverse_path);
  recipient.last = last;
  recipient.when = when;
  plan.transports[place] = target.transport;
}

// An unknown user is only deferred until we believe it; the tables may be newer at the intake.
void take_dead_end(Plan& plan, std::size_t known, const route::DeadEnd& end,
                   const smtp::Envelope& envelope, const Patience& patience) {
  const std::size_t place = place_of(plan, end.recipient.mailbox, known);
  RecipientState& recipient = plan.state.recipients[place];
  if (place < known && recipient.phase != Phase::unresolved) return;
  recipient = make_recipient(end.original, end.recipient, end.reverse_path);
  recipient.when = patience.now;
  recipient.last = end.status;
  if (end.is_unknown_user() && !patience.believes_unknown()) {
    recipient.last = smtp::Status({4, 1, 1}, end.status.text);
  }
  recipient.phase = recipient.last.is_transient()
                        ? Phase::unresolved
                        : failed_phase(recipient, sender_or(end.reverse_path, envelope));
  plan.transports[place].reset();
}

}  // namespace

const smtp::ReversePath& sender_of(const RecipientState& recipient,
                                   const smtp::Envelope& envelope) {
  return sender_or(recipient.sender, envelope);
}

std::vector<std::size_t> to_expand(const MessageState& state) {
  std::vector<std::size_t> which;
  for (const RecipientState& recipient : state.recipients) {
    if (recipient.phase == Phase::unresolved) which.push_back(recipient.original);
  }
  std::sort(which.begin(), which.end());
  which.erase(std::unique(which.begin(), which.end()), which.end());
  return which;
}

void take_expansion(Plan& plan, const smtp::Envelope& envelope, const route::Expansion& expansion,
                    const Patience& patience) {
  MessageState& state = plan.state;
  const std::size_t known = state.recipients.size();
  plan.transports.resize(known);
  // What was unresolved and does not come up again stands for nothing any more.
  std::vector<bool> unresolved(known);
  for (std::size_t i = 0; i < known; ++i)
    unresolved[i] = state.recipients[i].phase == Phase::unresolved;
  for (const route::Target& target : expansion.targets) take_target(plan, known, target);
  for (const route::DeadEnd& end : expansion.dead_ends) {
    take_dead_end(plan, known, end, envelope, patience);
  }
  for (const route::Expansion::Deferred& deferred : expansion.deferred) {
    bool still_there = false;
    for (std::size_t i = 0; i < known; ++i) {
      if (!unresolved[i] || state.recipients[i].original != deferred.original) continue;
      still_there = true;
      state.recipients[i].last = deferred.status;
      state.recipients[i].when = patience.now;
      unresolved[i] = false;
    }
    if (still_there) continue;
    RecipientState& recipient = state.recipients.emplace_back(
        make_recipient(deferred.original, envelope.recipients[deferred.original], std::nullopt));
    recipient.phase = Phase::unresolved;
    recipient.last = deferred.status;
    recipient.when = patience.now;
    plan.transports.emplace_back();
  }
  for (std::size_t i = 0; i < known; ++i) {
    RecipientState& recipient = state.recipients[i];
    const bool untouched = recipient.phase == Phase::unresolved && recipient.when != patience.now;
    if (unresolved[i] && untouched) recipient.phase = Phase::replaced;
  }
  state.expanded = true;
}

void take_status(RecipientState& recipient, smtp::Status status, bool passed_plain,
                 const smtp::ReversePath& sender, WallTime now) {
  recipient.when = now;
  recipient.last = std::move(status);
  if (recipient.last.is_transient()) return;
  if (recipient.last.is_permanent()) {
    recipient.phase = failed_phase(recipient, sender);
    return;
  }
  const auto outcome = passed_plain ? dsn::Outcome::passed_plain : dsn::Outcome::passed_with_dsn;
  const dsn::Duty duty = dsn::report_due(outcome, recipient.recipient.notify, sender);
  recipient.phase = duty.to == dsn::Duty::To::nobody ? Phase::sent : Phase::sent_owed;
}

void give_up(MessageState& state, const Patience& patience, const smtp::ReversePath& sender) {
  for (RecipientState& recipient : state.recipients) {
    if (!is_open(recipient.phase)) continue;
    const std::string because = recipient.last.text.empty() ? "" : ": " + recipient.last.text;
    recipient.last =
        smtp::Status({4, 4, 7}, "delivery time expired" + because, recipient.last.remote_mta);
    recipient.when = patience.now;
    recipient.phase = failed_phase(recipient, recipient.sender ? *recipient.sender : sender);
  }
}

bool has_open(const MessageState& state) {
  return std::any_of(state.recipients.begin(), state.recipients.end(),
                     [](const RecipientState& recipient) { return is_open(recipient.phase); });
}

bool owes_reports(const MessageState& state) {
  return std::any_of(state.recipients.begin(), state.recipients.end(),
                     [](const RecipientState& recipient) { return owes_report(recipient.phase); });
}

}  // namespace posthorn::queued
