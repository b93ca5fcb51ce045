// SELECT and EXAMINE (RFC 9051 6.3.2, 6.3.3), with CONDSTORE and QRESYNC (RFC 7162 3.1.8, 3.2.5).
#include <fmt/format.h>

#include "agents/imapd/commands.h"
#include "agents/imapd/flags_line.h"

namespace posthorn::imapd {
namespace {

// The number of the first message that is not seen; 0 if there is none (RFC 3501 7.1 UNSEEN).
std::uint32_t first_unseen(const store::Snapshot& snapshot) {
  if (snapshot.counts().unseen == 0) return 0;
  std::uint32_t number = 0;
  for (const auto& chunk : snapshot.chunks()) {
    for (std::uint32_t i = 0; i < chunk->count; ++i) {
      ++number;
      if ((chunk->flags[i] & store::flag::seen) == 0) return number;
    }
  }
  return 0;
}

void describe(Session& session, const Selected& selected, const store::Snapshot& snapshot) {
  std::string& text = session.out().text();
  const auto& keywords = snapshot.keywords();
  fmt::format_to(std::back_inserter(text), "* FLAGS {}\r\n* {} EXISTS\r\n",
                 known_flags_text(keywords), selected.view.size());
  if (!session.enabled().rev2) {
    fmt::format_to(std::back_inserter(text), "* {} RECENT\r\n", selected.recent_count());
    const std::uint32_t unseen = session.enabled().uid_only ? 0 : first_unseen(snapshot);
    if (unseen != 0)
      fmt::format_to(std::back_inserter(text), "* OK [UNSEEN {}] the first one\r\n", unseen);
  }
  fmt::format_to(std::back_inserter(text),
                 "* OK [PERMANENTFLAGS {}] flags that stay\r\n"
                 "* OK [UIDVALIDITY {}] UIDs are good\r\n"
                 "* OK [UIDNEXT {}] the next one\r\n"
                 "* OK [HIGHESTMODSEQ {}] the last change\r\n",
                 permanent_flags_text(selected, keywords), snapshot.uid_validity(),
                 snapshot.uid_next(), snapshot.highest_modseq());
  if (session.enabled().rev2)
    fmt::format_to(std::back_inserter(text), "* LIST () \"{}\" {}\r\n",
                   session.settings().separator, session.wire_name(selected.name));
}

// What the client missed since `known`.
// `snapshot` is what the view shows: what happened since is announced behind it.
Task<void> resynchronise(Session& session, const imap::QResync& known,
                         std::shared_ptr<const store::Snapshot> snapshot) {
  Selected& selected = *session.selected();
  if (known.uid_validity != selected.view.uid_validity()) co_return;
  const std::uint64_t since = known.modseq;
  co_await say_vanished_since(session, since, known.known_uids);
  for (const auto& chunk : snapshot->chunks()) {
    if (chunk->max_modseq <= since) continue;
    for (std::uint32_t i = 0; i < chunk->count; ++i) {
      const store::MessageRow row = chunk->row(i);
      if (row.modseq <= since) continue;
      if (known.known_uids && !known.known_uids->contains(row.uid)) continue;
      FlagsLine line;
      line.uid = line.modseq = true;
      append_flags_line(session, *snapshot, row, line);
    }
    const bool goes_on = co_await session.out().flush_if_full();
    if (!goes_on) co_return;
  }
}

struct Opened {
  std::shared_ptr<store::OpenMailbox> mailbox;
  std::shared_ptr<const store::Snapshot> snapshot;
  std::uint32_t recent_from = 0;
  store::Rights rights;
};

// Without a mailbox: the user may not read it.
store::StoreResult<Opened> open(store::Store& store, const std::string& name, bool read_only) {
  const auto allowed = store.authorise(name, store::Right::read);
  if (!allowed) return fail(allowed.error());
  if (!*allowed) return Opened();
  auto rights = store.rights(name);
  if (!rights) return fail(std::move(rights.error()));
  auto mailbox = store.open(name);
  if (!mailbox) return fail(std::move(mailbox.error()));
  Opened opened;
  opened.mailbox = std::move(*mailbox);
  store::SyncRules rules;
  rules.take_new = !read_only;
  auto synced = opened.mailbox->sync(rules);
  if (!synced) return fail(std::move(synced.error()));
  opened.recent_from = opened.mailbox->take_recent(read_only);
  opened.snapshot = opened.mailbox->snapshot();
  opened.rights = *rights;
  return opened;
}

}  // namespace

Task<Reply> run(Session& session, const imap::Select& command) {
  if (command.qresync && !session.enabled().qresync)
    co_return imap::bad("QRESYNC has to be enabled first");
  if (command.qresync && command.qresync->sequence_match && session.enabled().uid_only)
    co_return uid_required();
  if (session.selected() != nullptr) {
    session.unselect();
    session.out().untagged("OK [CLOSED] the mailbox that was selected");
  }
  if (command.mailbox.bad_name) co_return imap::no("NONEXISTENT", "no mailbox has such a name");
  if (command.condstore) session.enabled().condstore = true;
  const std::string name = command.mailbox.name;
  const bool read_only = command.read_only;
  store::Store& store = session.store();
  auto work = [&store, &name, read_only] { return open(store, name, read_only); };
  auto opened = co_await session.in_store(std::move(work));
  if (!opened) co_return session.refusal(opened.error());
  if (!opened->mailbox) co_return imap::no("NOPERM", "you may not read that mailbox");

  auto selected = std::make_unique<Selected>();
  selected->name = name;
  selected->mailbox = std::move(opened->mailbox);
  selected->view = store::MailboxView(*opened->snapshot);
  selected->rights = opened->rights;
  selected->read_only = read_only || !selected->may_change();
  // RFC 9051 has no \Recent any more.
  if (!session.enabled().rev2) selected->recent_from = opened->recent_from;
  selected->keywords_told = opened->snapshot->keywords().size();
  const bool is_read_only = selected->read_only;
  describe(session, *selected, *opened->snapshot);
  session.out().untagged(
      fmt::format("OK [MAILBOXID (F{})] its identity", selected->mailbox->guid()));
  session.select(std::move(selected));
  if (command.qresync) co_await resynchronise(session, *command.qresync, opened->snapshot);
  co_return imap::ok(imap::ResponseCode(is_read_only ? "READ-ONLY" : "READ-WRITE"),
                     read_only ? "EXAMINE done" : "SELECT done");
}

}  // namespace posthorn::imapd
