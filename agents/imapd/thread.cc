// THREAD (RFC 5256).
#include "agents/imapd/search.h"
#include "agents/imapd/thread_tree.h"

namespace posthorn::imapd {

namespace {

// The threads of `uids`, with UIDs as numbers.
Task<store::StoreResult<std::vector<imap::ThreadEntry>>> threads_of(
    Session& session, const std::vector<std::uint32_t>& uids, imap::ThreadAlgorithm algorithm) {
  auto mailbox = session.selected()->mailbox;
  auto& kept = session.accounts().kept_threads();
  std::string question = question_about(*mailbox, std::to_string(static_cast<int>(algorithm)));
  if (const auto* known = kept.find(question, uids)) co_return *known;
  MessageKeys::Needs needs;
  needs.date = needs.subject = needs.references = true;
  auto read = co_await read_keys(session, uids, needs);
  if (!read) co_return fail(std::move(read.error()));
  std::vector<MessageKeys>& keys = *read;
  auto work = [&keys, algorithm] { return thread_messages(std::move(keys), algorithm); };
  auto entries = co_await async::blocking(std::move(work));
  if (!session.is_over()) kept.keep(std::move(question), uids, entries);
  co_return entries;
}

}  // namespace

Task<Reply> run(Session& session, const imap::Thread& command) {
  const Found found = co_await find_messages(session, command.key, command.charset);
  if (found.refused) co_return *found.refused;
  auto threads = co_await threads_of(session, found.uids, command.algorithm);
  if (!threads) co_return session.refusal(threads.error());
  std::vector<imap::ThreadEntry>& entries = *threads;
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
