// THREAD (RFC 5256).
#include "agents/imapd/search.h"
#include "agents/imapd/thread_tree.h"

namespace posthorn::imapd {

Task<Reply> run(Session& session, const imap::Thread& command) {
  const Found found = co_await find_messages(session, command.key, command.charset);
  if (found.refused) co_return *found.refused;
  MessageKeys::Needs needs;
  needs.date = needs.subject = needs.references = true;
  auto read = co_await read_keys(session, found.uids, needs);
  if (!read) co_return session.refusal(read.error());
  std::vector<MessageKeys>& keys = *read;
  const auto algorithm = command.algorithm;
  auto work = [&keys, algorithm] { return thread_messages(std::move(keys), algorithm); };
  auto entries = co_await async::blocking(std::move(work));
  if (!command.uid) {
    const store::UidRuns& view = session.selected()->view.uids();
    for (imap::ThreadEntry& entry : entries)
      if (entry.number != 0) entry.number = *view.sequence_of(entry.number);
  }
  session.out().untagged("THREAD" + (entries.empty() ? "" : " " + imap::threads_text(entries)));
  co_await session.announce_known(command.uid);
  co_return imap::ok(found.limited, "THREAD done");
}

}  // namespace posthorn::imapd
