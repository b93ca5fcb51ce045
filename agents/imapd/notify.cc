#include "agents/imapd/notify.h"

#include <algorithm>
#include <array>

#include "agents/imapd/commands.h"
#include "libmail/imap/metadata.h"

namespace posthorn::imapd {

using Where = imap::NotifyEvents::Where;
using store::MailboxInfo;
using store::MailboxStatus;
using store::Right;
using store::StoreResult;

namespace {

constexpr std::array<std::string_view, 7> known_events = {
    "MessageNew",         "MessageExpunge",        "FlagChange",          "MailboxName",
    "SubscriptionChange", "MailboxMetadataChange", "ServerMetadataChange"};

bool has_event(const imap::NotifyEvents& group, std::string_view event) {
  return std::find(group.events.begin(), group.events.end(), event) != group.events.end();
}

bool is_own(const imap::NotifyEvents& group) {
  return group.where == Where::selected || group.where == Where::selected_delayed;
}

Notifier::Wants wants_of_group(const imap::NotifyEvents& group) {
  Notifier::Wants wants;
  wants.messages = has_event(group, "MessageNew");
  wants.flags = has_event(group, "FlagChange");
  wants.names = has_event(group, "MailboxName");
  wants.subscriptions = has_event(group, "SubscriptionChange");
  wants.metadata = has_event(group, "MailboxMetadataChange");
  return wants;
}

bool covers(const imap::NotifyEvents& group, const std::string& name, bool subscribed,
            char separator) {
  const auto is_one_of = [&](auto matches) {
    return std::any_of(
        group.mailboxes.begin(), group.mailboxes.end(),
        [&](const imap::MailboxName& one) { return !one.bad_name && matches(one.name); });
  };
  switch (group.where) {
    case Where::selected:
    case Where::selected_delayed:
      return false;
    case Where::inboxes:  // filters may deliver anywhere (RFC 5465 6.3)
    case Where::personal:
      return true;
    case Where::subscribed:
      return subscribed;
    case Where::mailboxes:
      return is_one_of([&](const std::string& one) { return name == one; });
    case Where::subtree:
      return is_one_of(
          [&](const std::string& one) { return name == one || name.starts_with(one + separator); });
    case Where::subtree_one:
      return is_one_of([&](const std::string& one) {
        return name == one || (name.starts_with(one + separator) &&
                               name.find(separator, one.size() + 1) == std::string::npos);
      });
  }
  return false;
}

Reply bad_event() {
  std::string names;
  for (const std::string_view event : known_events)
    names.append(names.empty() ? "(" : " ").append(event);
  return imap::no(imap::ResponseCode("BADEVENT", names + ")"), "no such event can be heard here");
}

}  // namespace

void Notifier::Wants::add(const Wants& other) {
  messages = messages || other.messages;
  flags = flags || other.flags;
  names = names || other.names;
  subscriptions = subscriptions || other.subscriptions;
  metadata = metadata || other.metadata;
}

std::optional<Reply> Notifier::refuse(const imap::Notify& command) {
  std::size_t own = 0;
  for (const imap::NotifyEvents& group : command.sets) {
    for (const std::string& event : group.events)
      if (std::find(known_events.begin(), known_events.end(), event) == known_events.end())
        return bad_event();
    const bool fresh = has_event(group, "MessageNew");
    if (fresh != has_event(group, "MessageExpunge"))
      return imap::bad("MessageNew and MessageExpunge go together");
    if (!fresh && has_event(group, "FlagChange"))
      return imap::bad("FlagChange needs MessageNew and MessageExpunge");
    if (!is_own(group)) {
      if (!group.new_message.empty())
        return imap::bad("only new messages of the selected mailbox can be fetched");
      continue;
    }
    if (++own > 1) return imap::bad("the selected mailbox is named twice");
    const auto about_messages = [](const std::string& event) {
      return event == "MessageNew" || event == "MessageExpunge" || event == "FlagChange";
    };
    if (!std::all_of(group.events.begin(), group.events.end(), about_messages))
      return imap::bad("of the selected mailbox only messages can be heard");
  }
  return std::nullopt;
}

Notifier::Notifier(Session& session, imap::Notify command)
    : session_(session), command_(std::move(command)) {
  for (const imap::NotifyEvents& group : command_.sets) {
    if (is_own(group)) {
      if (!has_event(group, "MessageNew")) continue;
      own_ = group.where == Where::selected ? Own::at_once : Own::delayed;
      own_flags_ = has_event(group, "FlagChange");
      new_message_ = group.new_message;
    }
    server_metadata_ = server_metadata_ || has_event(group, "ServerMetadataChange");
  }
}

Notifier::~Notifier() = default;

Notifier::Wants Notifier::wants_of(const std::string& name, bool subscribed) const {
  Wants wants;
  for (const imap::NotifyEvents& group : command_.sets)
    if (covers(group, name, subscribed, session_.settings().separator))
      wants.add(wants_of_group(group));
  return wants;
}

bool Notifier::any_names() const {
  return std::any_of(command_.sets.begin(), command_.sets.end(),
                     [](const imap::NotifyEvents& group) {
                       return !is_own(group) && wants_of_group(group).any();
                     });
}

bool Notifier::has_news() const {
  if (next_look_.passed()) return true;
  return std::any_of(watched_.begin(), watched_.end(),
                     [](const auto& one) { return one.second.rang; });
}

bool Notifier::polls() const {
  return std::any_of(watched_.begin(), watched_.end(),
                     [](const auto& one) { return !one.second.listening; });
}

Task<bool> Notifier::begin() {
  if (command_.none || !any_names()) co_return true;
  const bool fine = co_await look(true);
  co_return fine;
}

// Compares the names that are there with those that were, and watches what is to be watched.
Task<bool> Notifier::look(bool first) {
  store::Store& store = session_.store();
  auto work = [&store] { return store.list(true); };
  auto all = co_await session_.in_store(std::move(work));
  next_look_ = async::Deadline::in(look_at_names);
  if (!all) co_return true;  // another time
  // Before any is opened.
  const auto listened = std::count_if(all->begin(), all->end(), [this](const MailboxInfo& info) {
    return info.exists && wants_of(info.name, info.subscribed).messages;
  });
  if (static_cast<std::size_t>(listened) > most_watched) co_return false;
  std::map<std::string, Known> now;
  for (const MailboxInfo& info : *all) {
    Known known;
    known.exists = info.exists;
    known.subscribed = info.subscribed;
    now.emplace(info.name, known);
    if (!first && known_[info.name] != known) say_change(info.name, &info);
    const Wants wants = wants_of(info.name, info.subscribed);
    const bool listens = info.exists && wants.messages;
    const auto at = watched_.find(info.name);
    if (at != watched_.end() && listens) at->second.wants = wants;
    if (at != watched_.end() && !listens) watched_.erase(at);
    if (at == watched_.end() && listens) {
      const bool goes_on = co_await watch(info.name, wants, first);
      if (!goes_on) co_return true;
    }
  }
  for (const auto& [name, known] : known_) {
    if (now.contains(name)) continue;
    if (!first) say_change(name, nullptr);
    watched_.erase(name);
  }
  known_ = std::move(now);
  renamed_.clear();
  co_return true;
}

// False: the client is gone.
Task<bool> Notifier::watch(std::string name, Wants wants, bool first) {
  store::Store& store = session_.store();
  struct Opened {
    bool seen = false;
    bool allowed = false;
    std::shared_ptr<store::OpenMailbox> mailbox;
    MailboxStatus status;
  };
  auto work = [&store, &name]() -> StoreResult<Opened> {
    Opened opened;
    const auto rights = store.rights(name);
    if (!rights) return fail(rights.error());
    opened.seen = rights->has(Right::lookup);
    opened.allowed = opened.seen && rights->has(Right::read);
    if (!opened.allowed) return opened;
    auto mailbox = store.open(name);
    if (!mailbox) return fail(std::move(mailbox.error()));
    opened.mailbox = std::move(*mailbox);
    auto status = store.status(name);
    if (!status) return fail(std::move(status.error()));
    opened.status = std::move(*status);
    return opened;
  };
  auto opened = co_await session_.in_store(std::move(work));
  if (!opened || !opened->seen) co_return true;
  if (!opened->allowed) {
    imap::ListEntry entry;
    entry.name = name;
    entry.separator = session_.settings().separator;
    entry.attributes = {"\\NoAccess"};
    session_.out().untagged(imap::list_entry_text(entry, session_.enabled().utf8, "LIST"));
    co_return true;
  }
  Watched& watched = watched_[name];
  watched.wants = wants;
  watched.mailbox = std::move(opened->mailbox);
  watched.told = std::move(opened->status);
  if (auto bell = watched.mailbox->bell())
    watched.listening = std::make_unique<store::Listening>(std::move(bell), [this, &watched] {
      watched.rang = true;
      session_.wake();
    });
  const Selected* selected = session_.selected();
  const bool other = selected == nullptr || selected->name != name;
  if (first && command_.status && other) {
    imap::StatusData data;
    data.messages = watched.told.counts.messages;
    data.uid_next = watched.told.uid_next;
    data.uid_validity = watched.told.uid_validity;
    if (wants.flags) data.highest_modseq = watched.told.highest_modseq;
    session_.out().untagged("STATUS " + session_.wire_name(name) + " " +
                            imap::status_data_text(data));
  }
  const bool goes_on = co_await session_.out().flush_if_full();
  co_return goes_on;
}

void Notifier::own_change(const AccountEvent& event) {
  if (next_look_.is_never()) return;
  Known& known = known_[event.mailbox];
  switch (event.kind) {
    case AccountEvent::Kind::renamed:
      known.subscribed = known_[event.old_name].subscribed;
      known_[event.old_name].exists = false;
      known.exists = true;
      break;
    case AccountEvent::Kind::created:
    case AccountEvent::Kind::deleted:
      known.exists = event.kind == AccountEvent::Kind::created;
      break;
    case AccountEvent::Kind::subscription:
      known.subscribed = event.subscribed;
      break;
    case AccountEvent::Kind::metadata:
      return;
  }
  next_look_ = async::Deadline::in(Duration::zero());  // what is new is to be watched
}

Task<bool> Notifier::say_news() {
  AccountNews::Reader* news = session_.news();
  bool names_changed = next_look_.passed();
  if (news != nullptr && news->ran_over()) co_return false;
  if (news != nullptr) {
    for (const AccountEvent& event : news->take()) {
      say_event(event);
      names_changed = names_changed || event.kind != AccountEvent::Kind::metadata;
    }
  }
  if (names_changed && any_names()) {
    const bool fine = co_await look(false);
    if (!fine) co_return false;
  }
  std::vector<std::string> rang;
  for (const auto& [name, watched] : watched_)
    if (watched.rang || !watched.listening) rang.push_back(name);
  for (const std::string& name : rang) {
    const auto at = watched_.find(name);
    at->second.rang = false;
    co_await say_status(name, at->second);
    if (session_.out().is_broken()) break;
  }
  co_return true;
}

// What changed in a mailbox that is not selected.
Task<void> Notifier::say_status(std::string name, Watched& watched) {
  store::Store& store = session_.store();
  auto work = [&store, &name]() -> StoreResult<std::optional<MailboxStatus>> {
    const auto rights = store.rights(name);
    if (!rights) return fail(rights.error());
    if (!rights->has(Right::lookup) || !rights->has(Right::read))
      return std::optional<MailboxStatus>();
    auto status = store.status(name);
    if (!status) return fail(std::move(status.error()));
    return std::optional<MailboxStatus>(std::move(*status));
  };
  auto found = co_await session_.in_store(std::move(work));
  if (!found || !*found) co_return;  // the next look at the names finds it gone
  const MailboxStatus& now = **found;
  const MailboxStatus told = std::exchange(watched.told, now);
  if (const Selected* selected = session_.selected(); selected != nullptr && selected->name == name)
    co_return;  // said as the selected one, or not at all
  const bool with_modseq = session_.enabled().condstore;
  const bool anew = now.uid_validity != told.uid_validity;
  const bool messages =
      anew || now.counts.messages != told.counts.messages || now.uid_next != told.uid_next;
  const bool seen = now.counts.unseen != told.counts.unseen;
  const bool modseq = now.highest_modseq != told.highest_modseq;
  const bool flags = watched.wants.flags && (seen || (with_modseq && modseq));
  if (!messages && !flags) co_return;
  imap::StatusData data;
  if (messages) data.messages = now.counts.messages;
  if (messages) data.uid_next = now.uid_next;
  if (anew || watched.wants.flags) data.uid_validity = now.uid_validity;
  if (watched.wants.flags && seen) data.unseen = now.counts.unseen;
  if (with_modseq) data.highest_modseq = now.highest_modseq;
  session_.out().untagged("STATUS " + session_.wire_name(name) + " " +
                          imap::status_data_text(data));
}

void Notifier::say_list(const MailboxInfo& info, const std::string& old_name) {
  imap::ListEntry entry;
  entry.name = info.name;
  entry.separator = info.separator;
  if (!info.exists) entry.attributes.emplace_back("\\NonExistent");
  if (info.exists)
    entry.attributes.emplace_back(info.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (info.subscribed) entry.attributes.emplace_back("\\Subscribed");
  for (const std::string& use : info.special_use) entry.attributes.push_back(use);
  if (!old_name.empty()) entry.old_name = old_name;
  session_.out().untagged(imap::list_entry_text(entry, session_.enabled().utf8, "LIST"));
}

// A name is new, gone (`now` is nullptr), or differs from what was known.
void Notifier::say_change(const std::string& name, const MailboxInfo* now) {
  const Known before = known_.contains(name) ? known_[name] : Known();
  const bool exists = now != nullptr && now->exists;
  const bool subscribed = now != nullptr && now->subscribed;
  const Wants wants = wants_of(name, subscribed || before.subscribed);
  const bool name_changed = wants.names && exists != before.exists;
  const bool subscription_changed = wants.subscriptions && subscribed != before.subscribed;
  if (!name_changed && !subscription_changed) return;
  // Of what was renamed only the new name is said, with the old one, and nothing of what is below (RFC 5465 5.4).
  const std::string separator(1, session_.settings().separator);
  const bool was_renamed = std::any_of(renamed_.begin(), renamed_.end(), [&](const auto& one) {
    return one.second == name || name.starts_with(one.second + separator) ||
           name.starts_with(one.first + separator);
  });
  if (was_renamed && !subscription_changed) return;
  MailboxInfo gone;
  gone.name = name;
  gone.separator = session_.settings().separator;
  gone.exists = false;
  const auto old_name = renamed_.find(name);
  say_list(now != nullptr ? *now : gone, old_name == renamed_.end() ? "" : old_name->second);
}

void Notifier::say_event(const AccountEvent& event) {
  if (event.kind == AccountEvent::Kind::renamed) renamed_[event.mailbox] = event.old_name;
  if (event.kind != AccountEvent::Kind::metadata) return;  // look() finds it
  const bool server = event.mailbox.empty();
  const auto known = known_.find(event.mailbox);
  const bool subscribed = known != known_.end() && known->second.subscribed;
  const bool wanted = session_.enabled().metadata ||
                      (server ? server_metadata_ : wants_of(event.mailbox, subscribed).metadata);
  if (!wanted) return;
  session_.out().untagged(imap::metadata_names_text(
      server ? "\"\"" : session_.wire_name(event.mailbox), event.entries));
}

Task<Reply> run(Session& session, const imap::Notify& command) {
  if (const auto refused = Notifier::refuse(command)) co_return *refused;
  auto notifier = std::make_unique<Notifier>(session, command);
  session.hear_news();
  if (AccountNews::Reader* news = session.news()) (void)news->take();
  // All that was not said yet (RFC 5465 3.1).
  if (!command.none) co_await session.announce(true);
  const bool fine = co_await notifier->begin();
  if (!fine) co_return imap::no("NOTIFICATIONOVERFLOW", "those are too many mailboxes");
  session.notify(std::move(notifier));
  co_return imap::ok("NOTIFY done");
}

}  // namespace posthorn::imapd
