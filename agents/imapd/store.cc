// STORE (RFC 9051 6.4.6, RFC 7162 3.1.3).
#include <algorithm>

#include "agents/imapd/commands.h"
#include "agents/imapd/flags_line.h"
#include "agents/imapd/message_limit.h"

namespace posthorn::imapd {

using store::Right;

namespace {

store::FlagChange change_of(const imap::Store& command) {
  store::FlagChange change;
  change.kind = command.how == imap::Store::How::add      ? store::FlagChange::Kind::add
                : command.how == imap::Store::How::remove ? store::FlagChange::Kind::remove
                                                          : store::FlagChange::Kind::replace;
  change.flags = store_flags_of(command.flags);
  change.keywords = command.flags.keywords;
  change.unchanged_since = command.unchanged_since;
  return change;
}

// RFC 4314 4: s, t and w for their flags; the others stay as they are. False: none of what the client names may be changed.
bool keep_to_rights(const Selected& selected, store::FlagChange& change) {
  const bool all = change.kind == store::FlagChange::Kind::replace;
  const std::uint16_t named = all ? store::flag::system_flags : change.flags;
  const bool names_keywords = all || !change.keywords.empty();
  change.changeable = changeable_flags(selected.rights);
  change.keywords_changeable = selected.may(Right::write);
  if (!change.keywords_changeable) change.keywords.clear();
  if (named == 0 && !names_keywords) return true;
  return (named & change.changeable) != 0 || (names_keywords && change.keywords_changeable);
}

// The flags that the messages have now: the answer to a STORE without .SILENT, changed or not.
Task<void> say_flags(Session& session, const std::vector<std::uint32_t>& uids, bool by_uid) {
  const Selected& selected = *session.selected();
  const auto snapshot = selected.mailbox->snapshot();
  const bool with_modseq = session.enabled().condstore;
  for (const std::uint32_t uid : uids) {
    const auto row = snapshot->find(uid);
    if (!row) continue;
    FlagsLine line;
    line.uid = by_uid || with_modseq;
    line.modseq = with_modseq;
    append_flags_line(session, *snapshot, *row, line);
    const bool goes_on = co_await session.out().flush_if_full();
    if (!goes_on) co_return;
  }
}

}  // namespace

Task<Reply> run(Session& session, const imap::Store& command) {
  Selected& selected = *session.selected();
  if (selected.read_only) co_return imap::no("READ-ONLY", "the mailbox was opened read-only");
  auto uids = uids_of(selected, command.messages, command.uid);
  if (!uids) co_return imap::bad("there is no such message number");
  imap::ResponseCode limited = limit_messages(session, *uids);
  const auto stopped = co_await session.look_again();
  if (stopped) co_return *stopped;
  store::FlagChange change = change_of(command);
  if (!keep_to_rights(selected, change))
    co_return imap::no("NOPERM", "you may not set these flags");
  if (command.unchanged_since) session.enabled().condstore = true;
  auto mailbox = selected.mailbox;
  auto work = [&mailbox, &uids, &change] { return mailbox->store_flags(*uids, change); };
  const auto stored = co_await session.in_store(std::move(work));
  if (!stored) co_return session.refusal(stored.error());
  for (const auto& error : stored->failed)
    session.log().error("", "store-failed",
                        {{"user", session.account().user}, {"why", error.text}});
  selected.silent_modseq = stored->modseq;
  if (!command.silent) {
    std::vector<std::uint32_t> told;
    std::set_difference(uids->begin(), uids->end(), stored->modified.begin(),
                        stored->modified.end(), std::back_inserter(told));
    session.announce_keywords();
    co_await say_flags(session, told, command.uid);
    // They were told with their modseq: once more would be noise.
    selected.told_modseq = stored->modseq;
  }
  co_await session.announce_known(command.uid);
  selected.told_modseq = 0;
  if (!stored->modified.empty() && !limited.name.empty())
    session.out().status("*", imap::ok(limited, "only so many messages at once"));
  if (!stored->modified.empty())
    co_return imap::ok(
        imap::ResponseCode("MODIFIED", named(selected, stored->modified, command.uid).text()),
        "STORE done, but for messages that others had changed");
  if (!stored->failed.empty()) co_return imap::no("UNAVAILABLE", "some flags could not be stored");
  co_return imap::ok(std::move(limited), "STORE done");
}

}  // namespace posthorn::imapd
