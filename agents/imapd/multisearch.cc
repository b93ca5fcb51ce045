// ESEARCH (RFC 7377 MULTISEARCH): one search in many mailboxes, none of which is selected by it.
#include <algorithm>
#include <set>

#include "agents/imapd/search.h"
#include "libmail/imap/writer.h"

namespace posthorn::imapd {

using Kind = imap::SearchSource::Kind;

namespace {

// Of one command: more is NO [LIMIT] before anything is searched.
constexpr std::size_t most_mailboxes = 10'000;

bool is_below(const std::string& name, const std::string& top, char separator, bool one_level) {
  if (name.size() <= top.size() || !name.starts_with(top) || name[top.size()] != separator)
    return false;
  return !one_level || name.find(separator, top.size() + 1) == std::string::npos;
}

bool is_wanted(Session& session, const imap::SearchSource& source, const store::MailboxInfo& info) {
  switch (source.kind) {
    case Kind::inboxes:
      return info.name == "INBOX";
    case Kind::personal:
      return session.store().owner_of(info.name) == session.account().user;
    case Kind::subscribed:
      return info.subscribed;
    case Kind::subtree:
    case Kind::subtree_one:
      return std::any_of(
          source.mailboxes.begin(), source.mailboxes.end(), [&](const imap::MailboxName& top) {
            return !top.bad_name &&
                   is_below(info.name, top.name, info.separator, source.kind == Kind::subtree_one);
          });
    default:
      return false;
  }
}

bool needs_list(Kind kind) {
  return kind != Kind::selected && kind != Kind::selected_delayed && kind != Kind::mailboxes;
}

// The names that the sources mean, each once; the error is the reply.
Task<Result<std::vector<std::string>, Reply>> resolve(
    Session& session, const std::vector<imap::SearchSource>& sources) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (seen.insert(name).second) names.push_back(name);
  };
  std::vector<store::MailboxInfo> all;
  if (std::any_of(sources.begin(), sources.end(),
                  [](const auto& source) { return needs_list(source.kind); })) {
    store::Store& store = session.store();
    auto work = [&store] { return store.list(); };
    auto listed = co_await session.in_store(std::move(work));
    if (!listed) co_return fail(session.refusal(listed.error()));
    all = std::move(*listed);
  }
  for (const imap::SearchSource& source : sources) {
    if (source.kind == Kind::selected_delayed)
      co_return fail(imap::bad("SELECTED-DELAYED is of NOTIFY alone"));
    if (source.kind == Kind::selected) {
      if (session.selected() == nullptr) co_return fail(imap::bad("no mailbox is selected"));
      add(session.selected()->name);
    }
    for (const imap::MailboxName& named : source.mailboxes)
      if (!named.bad_name) add(named.name);
    for (const store::MailboxInfo& info : all)
      if (info.exists && is_wanted(session, source, info)) add(info.name);
  }
  if (names.size() > most_mailboxes)
    co_return fail(imap::no("LIMIT", "that is more than 10000 mailboxes"));
  co_return names;
}

// The mailbox as a client would know it that had it selected. Nothing: it is not there, or not to be read.
Task<std::unique_ptr<Selected>> look_into(Session& session, std::string name) {
  store::Store& store = session.store();
  auto selected = std::make_unique<Selected>();
  auto work = [&]() -> store::StoreResult<bool> {
    auto allowed = store.authorise(name, store::Right::read);
    if (!allowed || !*allowed) return allowed;
    auto mailbox = store.open(name);
    if (!mailbox) return fail(std::move(mailbox.error()));
    auto synced = (*mailbox)->sync(store::SyncRules());
    if (!synced) return fail(std::move(synced.error()));
    selected->mailbox = std::move(*mailbox);
    return true;
  };
  const auto opened = co_await session.in_store(std::move(work));
  if (!opened || !*opened) co_return std::unique_ptr<Selected>();
  selected->name = std::move(name);
  selected->read_only = true;
  selected->view = store::MailboxView(*selected->mailbox->snapshot());
  selected->recent_from = selected->mailbox->take_recent(true);
  co_return selected;
}

bool is_only_selected(const std::vector<imap::SearchSource>& sources) {
  return std::all_of(sources.begin(), sources.end(),
                     [](const auto& source) { return source.kind == Kind::selected; });
}

}  // namespace

Task<Reply> search_many(Session& session, const imap::Search& command) {
  std::vector<imap::SearchSource> sources = *command.sources;
  if (sources.empty()) sources.emplace_back();  // SELECTED
  const imap::ReturnOptions& returns = *command.returns;
  if (returns.save && !is_only_selected(sources))
    co_return imap::bad("SAVE is of the selected mailbox alone");
  if (returns.update && session.selected() == nullptr)
    co_return imap::bad("UPDATE is of the selected mailbox, and there is none");
  if (context_exists(session, command.returns))
    co_return imap::bad("a search of that tag is kept up to date already");
  const auto names = co_await resolve(session, sources);
  if (!names) co_return names.error();
  const bool with_modseq = speaks_of_modseq(command.key);
  for (const std::string& name : *names) {
    if (session.is_over()) break;
    Selected* selected = session.selected();
    std::unique_ptr<Selected> other;
    if (selected == nullptr || selected->name != name) {
      other = co_await look_into(session, name);
      if (!other) continue;
      selected = other.get();
    }
    const Found found = co_await find_messages(session, *selected, command.key, command.charset);
    if (found.refused) co_return refused(session, command.returns, *found.refused);
    if (!other) {
      SearchContext context;
      context.by_uid = true;
      context.key = command.key;
      context.charset = command.charset;
      context.uids = found.uids;
      keep_context(session, command.returns, std::move(context));
    }
    if (found.uids.empty() && !returns.save) continue;
    const std::string where = " MAILBOX " + session.wire_name(name) + " UIDVALIDITY " +
                              std::to_string(selected->view.uid_validity());
    say_extended(session, *selected, where, returns, found, found.uids, true, with_modseq);
    const bool goes_on = co_await session.out().flush_if_full();
    if (!goes_on) break;
  }
  co_await session.announce_known(true);
  co_return imap::ok("ESEARCH done");
}

}  // namespace posthorn::imapd
