#include "libmail/route/expansion.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "libmail/base/text.h"

namespace posthorn::route {

namespace {

constexpr std::size_t no_parent = static_cast<std::size_t>(-1);

// An address that is still to be looked at.
struct Item {
  smtp::Recipient recipient;
  std::optional<smtp::ReversePath> reverse_path;
  std::size_t parent = no_parent;  // the entry it came from
  std::size_t depth = 0;

  Item() = default;
};

// An entry that was followed; they form a tree upwards.
struct Followed {
  std::string key;
  std::size_t parent = no_parent;
};

smtp::Notify merged(smtp::Notify a, smtp::Notify b) {
  if (a == b) return a;
  const auto wishes = [](smtp::Notify notify) -> std::uint8_t {
    if (notify.unspecified()) return smtp::Notify::failure | smtp::Notify::delay;
    return notify.bits & static_cast<std::uint8_t>(~smtp::Notify::never);
  };
  const auto bits = static_cast<std::uint8_t>(wishes(a) | wishes(b));
  return smtp::Notify(bits == 0 ? smtp::Notify::never : bits);
}

// RFC 3461 5.2.7.3 (c): everything but SUCCESS is passed on. Nothing left means never, for an absent NOTIFY
// would mean failures.
smtp::Notify without_success(smtp::Notify notify) {
  if (!notify.wants_success()) return notify;
  const auto bits = static_cast<std::uint8_t>(notify.bits & ~smtp::Notify::success);
  return smtp::Notify(bits == 0 ? smtp::Notify::never : bits);
}

smtp::OriginalRecipient original_of(const smtp::Mailbox& mailbox) {
  return {smtp::needs_smtputf8(mailbox) ? "utf-8" : "rfc822", smtp::format_mailbox(mailbox)};
}

// Expands one message. What belongs to one original recipient is kept apart until that one is through, so
// that a table which fails in the middle leaves nothing half done.
class Expander {
 public:
  Expander(Resolver& resolver, const smtp::Envelope& envelope, const ExpansionLimits& limits)
      : resolver_(resolver), envelope_(envelope), limits_(limits) {}

  async::Task<void> expand_one(std::size_t original);
  Expansion take() { return std::move(done_); }

 private:
  async::Task<bool> look_at(Item item);
  async::Task<bool> finish(Item item, std::string user);
  void follow(const Item& item, Resolver::Step& step);
  void follow_list(const Item& item, const Resolver::Step& step, Item& child);
  void add_target(Item& item, Transport transport, std::string user);
  void dead_end(const Item& item, smtp::Status status);
  void report(const Item& item, ExpansionReport::Kind kind);
  void defer(smtp::Status status, std::string why);
  void commit();
  [[nodiscard]] bool was_followed(std::size_t parent, std::string_view key) const;
  [[nodiscard]] std::string identity(const Item& item) const;

  Resolver& resolver_;
  const smtp::Envelope& envelope_;
  const ExpansionLimits& limits_;
  Expansion done_;
  std::unordered_map<std::string, std::size_t> done_targets_;  // identity -> index in done_.targets

  // Of the original that is being expanded.
  std::size_t original_ = 0;
  std::vector<Item> open_;  // a stack
  std::vector<Followed> followed_;
  Expansion now_;
  std::unordered_map<std::string, std::size_t> now_targets_;
  std::vector<std::pair<std::size_t, smtp::Notify>> merges_;  // into done_.targets
  std::unordered_map<std::string, bool> seen_entries_;
  bool too_large_ = false;
};

async::Task<void> Expander::expand_one(std::size_t original) {
  original_ = original;
  now_ = Expansion();
  now_targets_.clear();
  merges_.clear();
  seen_entries_.clear();
  followed_.clear();
  open_.clear();
  too_large_ = false;
  open_.emplace_back();
  open_.back().recipient = envelope_.recipients[original];
  while (!open_.empty()) {
    Item item = std::move(open_.back());
    open_.pop_back();
    const bool answered = co_await look_at(std::move(item));
    if (!answered) break;
  }
  if (too_large_) {
    now_ = Expansion();
    merges_.clear();
    Item whole;
    whole.recipient = envelope_.recipients[original];
    dead_end(whole, smtp::Status({5, 2, 4}, "The address stands for too many others"));
  }
  commit();
}

// False: stop, this original has to wait or is too large.
async::Task<bool> Expander::look_at(Item item) {
  Resolver::Step step = co_await resolver_.step(item.recipient.mailbox, false);
  if (!step.members.empty() && was_followed(item.parent, step.key)) {
    // The name stands for itself: now it is the user of that name.
    step = co_await resolver_.step(item.recipient.mailbox, true);
    if (step.verdict.kind == Verdict::Kind::unknown_user) {
      dead_end(item, smtp::Status({5, 4, 6}, "The address leads back to itself"));
      co_return true;
    }
  }
  switch (step.verdict.kind) {
    case Verdict::Kind::alias:
    case Verdict::Kind::list:
      follow(item, step);
      co_return !too_large_;
    case Verdict::Kind::unknown_user:
      dead_end(item, step.verdict.status);
      co_return true;
    case Verdict::Kind::unavailable:
      defer(step.verdict.status, step.verdict.why);
      co_return false;
    default:
      break;
  }
  const bool go_on = co_await finish(std::move(item), std::move(step.verdict.user));
  co_return go_on;
}

async::Task<bool> Expander::finish(Item item, std::string user) {
  auto transport = co_await resolver_.transport(item.recipient.mailbox);
  if (!transport) {
    defer(smtp::Status({4, 3, 0}, "Temporary trouble here, try again later"),
          transport.error().text);
    co_return false;
  }
  if (transport->kind == Transport::Kind::error) {
    dead_end(item, transport->status);
  } else {
    add_target(item, std::move(*transport), std::move(user));
  }
  co_return !too_large_;
}

bool Expander::was_followed(std::size_t parent, std::string_view key) const {
  for (; parent != no_parent; parent = followed_[parent].parent) {
    if (followed_[parent].key == key) return true;
  }
  return false;
}

std::string Expander::identity(const Item& item) const {
  std::string text = smtp::format_mailbox(resolver_.canonical(item.recipient.mailbox));
  if (item.reverse_path) text += "\n" + smtp::format_path(*item.reverse_path);
  return text;
}

void Expander::follow_list(const Item& item, const Resolver::Step& step, Item& child) {
  report(item, ExpansionReport::Kind::delivered);
  // RFC 3461 5.2.7.1: the members' DSN parameters are not the sender's. A report stays without a sender.
  child.recipient = smtp::Recipient();
  const smtp::ReversePath& sender = item.reverse_path ? *item.reverse_path : envelope_.reverse_path;
  child.reverse_path = sender ? smtp::ReversePath(step.owner) : smtp::ReversePath();
}

void Expander::follow(const Item& item, Resolver::Step& step) {
  if (item.depth >= limits_.depth) {
    return dead_end(item, smtp::Status({5, 4, 6}, "Too many addresses that stand for each other"));
  }
  // The same entry twice below one recipient, but not below itself: its members are there already.
  if (!seen_entries_.emplace(step.key + "\n" + identity(item), true).second) return;
  Item child;
  child.recipient = item.recipient;
  child.reverse_path = item.reverse_path;
  child.depth = item.depth + 1;
  if (step.verdict.kind == Verdict::Kind::list) {
    follow_list(item, step, child);
  } else {
    if (!child.recipient.orcpt && !item.reverse_path)
      child.recipient.orcpt = original_of(item.recipient.mailbox);
    if (step.members.size() > 1) {
      report(item, ExpansionReport::Kind::expanded);
      child.recipient.notify = without_success(child.recipient.notify);
    }
  }
  followed_.push_back({std::move(step.key), item.parent});
  child.parent = followed_.size() - 1;
  if (open_.size() + step.members.size() + now_.targets.size() > limits_.targets) {
    too_large_ = true;
    return;
  }
  for (auto member = step.members.rbegin(); member != step.members.rend(); ++member) {
    open_.push_back(child);
    open_.back().recipient.mailbox = std::move(*member);
  }
}

void Expander::add_target(Item& item, Transport transport, std::string user) {
  std::string who = identity(item);
  if (const auto twin = done_targets_.find(who); twin != done_targets_.end()) {
    merges_.emplace_back(twin->second, item.recipient.notify);
    return;
  }
  if (const auto twin = now_targets_.find(who); twin != now_targets_.end()) {
    smtp::Notify& notify = now_.targets[twin->second].recipient.notify;
    notify = merged(notify, item.recipient.notify);
    return;
  }
  now_targets_.emplace(std::move(who), now_.targets.size());
  Target target;
  target.original = original_;
  target.recipient = std::move(item.recipient);
  if (target.recipient.mailbox.domain.empty()) {
    target.recipient.mailbox.domain = resolver_.canonical(target.recipient.mailbox).domain;
  }
  target.transport = std::move(transport);
  target.user = std::move(user);
  target.reverse_path = std::move(item.reverse_path);
  now_.targets.push_back(std::move(target));
  too_large_ = now_.targets.size() + done_.targets.size() > limits_.targets;
}

void Expander::dead_end(const Item& item, smtp::Status status) {
  DeadEnd end;
  end.original = original_;
  end.recipient = item.recipient;
  end.status = std::move(status);
  end.reverse_path = item.reverse_path;
  now_.dead_ends.push_back(std::move(end));
}

void Expander::report(const Item& item, ExpansionReport::Kind kind) {
  // A list that is a member of a list: nobody asked for reports about it.
  if (item.reverse_path || !item.recipient.notify.wants_success()) return;
  ExpansionReport made;
  made.original = original_;
  made.kind = kind;
  made.recipient = item.recipient;
  now_.reports.push_back(std::move(made));
}

void Expander::defer(smtp::Status status, std::string why) {
  now_ = Expansion();
  merges_.clear();
  Expansion::Deferred deferred;
  deferred.original = original_;
  deferred.status = std::move(status);
  deferred.why = std::move(why);
  now_.deferred.push_back(std::move(deferred));
  open_.clear();
}

void Expander::commit() {
  for (const auto& [index, notify] : merges_) {
    smtp::Notify& target = done_.targets[index].recipient.notify;
    target = merged(target, notify);
  }
  for (Target& target : now_.targets) {
    Item item;
    item.recipient = target.recipient;
    item.reverse_path = target.reverse_path;
    done_targets_.emplace(identity(item), done_.targets.size());
    done_.targets.push_back(std::move(target));
  }
  const auto append = [](auto& to, auto& from) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  };
  append(done_.dead_ends, now_.dead_ends);
  append(done_.reports, now_.reports);
  append(done_.deferred, now_.deferred);
}

}  // namespace

async::Task<Expansion> expand(Resolver& resolver, const smtp::Envelope& envelope,
                              std::vector<std::size_t> which, ExpansionLimits limits) {
  if (which.empty()) {
    which.resize(envelope.recipients.size());
    std::iota(which.begin(), which.end(), std::size_t{0});
  }
  Expander expander(resolver, envelope, limits);
  for (const std::size_t original : which) {
    check(original < envelope.recipients.size(), "an index of no recipient");
    co_await expander.expand_one(original);
  }
  co_return expander.take();
}

}  // namespace posthorn::route
