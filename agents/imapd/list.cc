// LIST, LSUB and STATUS (RFC 9051 6.3.9, 6.3.11; RFC 3501 6.3.9; RFC 5258, 5819, 6154, 8438, 8440).
#include <algorithm>
#include <set>

#include "agents/imapd/commands.h"
#include "agents/imapd/metadata.h"

namespace posthorn::imapd {

using imap::StatusItem;
using store::MailboxInfo;

namespace {

bool wants(imap::StatusItems items, StatusItem item) {
  return (items & static_cast<imap::StatusItems>(item)) != 0;
}

imap::StatusData status_data(const Session& session, const store::MailboxStatus& status,
                             imap::StatusItems items) {
  imap::StatusData data;
  if (wants(items, StatusItem::messages)) data.messages = status.counts.messages;
  if (wants(items, StatusItem::recent)) data.recent = status.recent;
  if (wants(items, StatusItem::uid_next)) data.uid_next = status.uid_next;
  if (wants(items, StatusItem::uid_validity)) data.uid_validity = status.uid_validity;
  if (wants(items, StatusItem::unseen)) data.unseen = status.counts.unseen;
  if (wants(items, StatusItem::deleted)) data.deleted = status.counts.deleted;
  if (wants(items, StatusItem::size)) data.size = status.counts.size;
  if (wants(items, StatusItem::highest_modseq)) data.highest_modseq = status.highest_modseq;
  if (wants(items, StatusItem::append_limit)) data.append_limit = session.settings().append_limit;
  if (wants(items, StatusItem::mailbox_id)) data.mailbox_id = "F" + status.guid;
  return data;
}

// The STATUS line of a mailbox, or why there is none.
Task<std::optional<Reply>> say_status(Session& session, std::string name, imap::StatusItems items) {
  if (wants(items, StatusItem::highest_modseq)) session.enabled().condstore = true;
  store::Store& store = session.store();
  const bool with_size = wants(items, StatusItem::size);
  using Asked = std::optional<store::MailboxStatus>;
  auto work = [&store, &name, with_size]() -> store::StoreResult<Asked> {
    const auto allowed = store.authorise(name, store::Right::read);
    if (!allowed) return fail(allowed.error());
    if (!*allowed) return Asked();
    auto status = store.status(name, with_size);
    if (!status) return fail(std::move(status.error()));
    return Asked(std::move(*status));
  };
  const auto status = co_await session.in_store(std::move(work));
  if (!status) co_return session.refusal(status.error());
  if (!*status) co_return imap::no("NOPERM", "you may not read that mailbox");
  session.out().untagged("STATUS " + session.wire_name(name) + " " +
                         imap::status_data_text(status_data(session, **status, items)));
  co_return std::nullopt;
}

// RFC 9590: the METADATA line of a mailbox; none if its annotations are not to be seen.
Task<void> say_listed_metadata(Session& session, std::string name,
                               const std::vector<std::string>& entries) {
  const auto all = co_await read_metadata(session, name);
  imap::GetMetadata asked;
  asked.entries = entries;
  if (all) say_metadata(session, name, *all, asked);
}

// Which names a LIST is about, and what is said of each.
class Listing {
 public:
  Listing(const imap::List& command, std::vector<MailboxInfo> all, char separator)
      : command_(command), all_(std::move(all)), separator_(separator) {
    for (const std::string& pattern : command.patterns)
      patterns_.emplace_back(command.reference + pattern, separator);
    if (selects_subscribed()) add_levels_above();
    note_subscriptions();
  }

  [[nodiscard]] const std::vector<MailboxInfo>& all() const { return all_; }

  [[nodiscard]] std::optional<imap::ListEntry> entry(const MailboxInfo& info) const {
    if (!matches(info.name)) return std::nullopt;
    const bool below = has_subscribed_below(info.name);
    const auto& selection = command_.selection;
    const bool by_child = selection.recursive_match || command_.lsub;
    if (selects_subscribed() && !info.subscribed && !(by_child && below)) return std::nullopt;
    if (!selects_subscribed() && !info.exists && !info.has_children) return std::nullopt;
    if (selection.special_use && info.special_use.empty()) return std::nullopt;
    imap::ListEntry entry;
    entry.name = info.name;
    entry.separator = separator_;
    if (command_.lsub) {
      if (!info.subscribed) entry.attributes.emplace_back("\\Noselect");
      return entry;
    }
    describe(info, entry);
    if (selection.recursive_match && selects_subscribed() && below)
      entry.child_info.emplace_back("SUBSCRIBED");
    return entry;
  }

 private:
  [[nodiscard]] bool selects_subscribed() const {
    return command_.lsub || command_.selection.subscribed;
  }
  [[nodiscard]] bool matches(const std::string& name) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const imap::ListPattern& pattern) { return pattern.matches(name); });
  }
  // A subscribed name may stand below names that nobody has made.
  void add_levels_above() {
    std::set<std::string> known;
    for (const MailboxInfo& info : all_) known.insert(info.name);
    const std::size_t count = all_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = all_[i].name;
      for (std::size_t at = name.find(separator_); at != std::string::npos;
           at = name.find(separator_, at + 1)) {
        if (!known.insert(name.substr(0, at)).second) continue;
        MailboxInfo above;
        above.name = name.substr(0, at);
        above.exists = false;
        above.has_children = true;
        all_.push_back(std::move(above));
      }
    }
  }
  [[nodiscard]] bool has_subscribed_below(const std::string& name) const {
    return above_subscribed_.contains(name);
  }
  // Every level above a subscribed name; LSUB shows those whose own name its pattern does not have.
  void note_subscriptions() {
    for (const MailboxInfo& info : all_) {
      if (!info.subscribed || (command_.lsub && matches(info.name))) continue;
      for (std::size_t at = info.name.find(separator_); at != std::string::npos;
           at = info.name.find(separator_, at + 1))
        above_subscribed_.insert(info.name.substr(0, at));
    }
  }
  void describe(const MailboxInfo& info, imap::ListEntry& entry) const {
    if (!info.exists) {
      entry.attributes.emplace_back("\\NonExistent");
      entry.attributes.emplace_back("\\Noselect");  // for who knows only that (RFC 3501)
    }
    entry.attributes.emplace_back(info.has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (info.subscribed && (selects_subscribed() || command_.returns.subscribed))
      entry.attributes.emplace_back("\\Subscribed");
    for (const std::string& use : info.special_use) entry.attributes.push_back(use);
  }

  const imap::List& command_;
  std::vector<MailboxInfo> all_;
  char separator_;
  std::vector<imap::ListPattern> patterns_;
  std::set<std::string> above_subscribed_;
};

// LIST "" "": what is between levels (RFC 9051 6.3.9.8).
bool asks_for_separator(const imap::List& command) {
  return !command.extended && command.patterns.size() == 1 && command.patterns.front().empty();
}

Reply say_separator(Session& session, const imap::List& command) {
  imap::ListEntry root;
  root.attributes = {"\\Noselect"};
  root.separator = session.settings().separator;
  session.out().untagged(
      imap::list_entry_text(root, session.enabled().utf8, command.lsub ? "LSUB" : "LIST"));
  return imap::ok("LIST done");
}

}  // namespace

Task<Reply> run(Session& session, const imap::List& command) {
  const std::string word = command.lsub ? "LSUB" : "LIST";
  if (asks_for_separator(command)) co_return say_separator(session, command);
  if (command.selection.recursive_match && !command.selection.subscribed &&
      !command.selection.special_use)
    co_return imap::bad("RECURSIVEMATCH needs another selection");
  store::Store& store = session.store();
  const bool subscriptions =
      command.lsub || command.selection.subscribed || command.returns.subscribed;
  co_await session.meet_sharers();
  auto work = [&store, subscriptions] { return store.list(subscriptions); };
  auto all = co_await session.in_store(std::move(work));
  if (!all) co_return session.refusal(all.error());
  for (const std::string& remark : store.take_remarks())
    session.log().warning("", "mailbox-remark",
                          {{"user", session.account().user}, {"what", remark}});
  const Listing listing(command, std::move(*all), session.settings().separator);
  for (const MailboxInfo& info : listing.all()) {
    const auto entry = listing.entry(info);
    if (!entry) continue;
    session.out().untagged(imap::list_entry_text(*entry, session.enabled().utf8, word));
    if (command.returns.my_rights && info.exists) (void)co_await say_my_rights(session, info.name);
    if (command.returns.status != 0 && info.exists)
      (void)co_await say_status(session, info.name, command.returns.status);
    if (!command.returns.metadata.empty() && info.exists)
      co_await say_listed_metadata(session, info.name, command.returns.metadata);
    const bool goes_on = co_await session.out().flush_if_full();
    if (!goes_on) break;
  }
  co_return imap::ok(word + " done");
}

Task<Reply> run(Session& session, const imap::Status& command) {
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "there is no such mailbox");
  const auto refused = co_await say_status(session, command.mailbox.name, command.items);
  if (refused) co_return *refused;
  co_return imap::ok("STATUS done");
}

}  // namespace posthorn::imapd
