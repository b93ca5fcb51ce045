// EXPUNGE, UID EXPUNGE (RFC 4315) and the end of CLOSE (RFC 9051 6.4.1, 6.4.3).
#include "agents/imapd/commands.h"
#include "agents/imapd/message_limit.h"

namespace posthorn::imapd {
namespace {

// UIDs of messages that the client knows and that are \Deleted, as they are now.
std::vector<std::uint32_t> deleted_uids(const Selected& selected, const imap::SequenceSet* only) {
  std::vector<std::uint32_t> found;
  const auto snapshot = selected.mailbox->snapshot();
  if (snapshot->counts().deleted == 0) return found;
  const auto wanted = only == nullptr ? uids_of(selected, imap::SequenceSet::all(), true)
                                      : uids_of(selected, *only, true);
  for (const std::uint32_t uid : *wanted) {
    const auto row = snapshot->find(uid);
    if (row && (row->flags & store::flag::deleted) != 0) found.push_back(uid);
  }
  return found;
}

}  // namespace

Task<Reply> expunge(Session& session, const imap::SequenceSet* only, bool tell) {
  Selected& selected = *session.selected();
  if (!tell && selected.read_only) co_return imap::ok("CLOSE done");
  if (selected.read_only) co_return imap::no("READ-ONLY", "the mailbox was opened read-only");
  auto mailbox = selected.mailbox;
  // What others marked since counts, too.
  const auto stopped = co_await session.look_again();
  if (stopped) co_return *stopped;
  const bool may = selected.may(store::Right::expunge);
  if (!tell && !may) co_return imap::ok("CLOSE done");
  if (!may) co_return imap::no("NOPERM", "you may not expunge");
  std::vector<std::uint32_t> uids = deleted_uids(selected, only);
  imap::ResponseCode limited;
  if (tell) limited = limit_messages(session, uids);
  if (!uids.empty()) {
    auto work = [&mailbox, &uids] { return mailbox->expunge(uids, {.only_deleted = true}); };
    const auto gone = co_await session.in_store(std::move(work));
    if (!gone) co_return session.refusal(gone.error());
    for (const auto& error : gone->failed)
      session.log().error("", "expunge-failed",
                          {{"user", session.account().user}, {"why", error.text}});
  }
  if (!tell) co_return imap::ok("CLOSE done");
  co_await session.announce_known(true, true);
  if (!session.enabled().condstore) co_return imap::ok(std::move(limited), "EXPUNGE done");
  // What the client was told of: others may have gone on meanwhile.
  imap::ResponseCode modseq("HIGHESTMODSEQ", std::to_string(session.selected()->view.modseq()));
  if (limited.name.empty()) co_return imap::ok(std::move(modseq), "EXPUNGE done");
  session.out().status("*", imap::ok(std::move(modseq), "so far"));
  co_return imap::ok(std::move(limited), "EXPUNGE done");
}

Task<Reply> run(Session& session, const imap::UidExpunge& command) {
  auto reply = co_await expunge(session, &command.messages, true);
  co_return reply;
}

}  // namespace posthorn::imapd
