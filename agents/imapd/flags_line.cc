#include "agents/imapd/flags_line.h"

namespace posthorn::imapd {

std::string fetch_head(std::uint32_t number, std::uint32_t uid, bool uid_only) {
  return "* " + std::to_string(uid_only ? uid : number) + (uid_only ? " UIDFETCH (" : " FETCH (");
}

void append_flags_line(Session& session, const store::Snapshot& snapshot,
                       const store::MessageRow& row, FlagsLine what) {
  const Selected& selected = *session.selected();
  const auto number = selected.view.uids().sequence_of(row.uid);
  if (!number) return;
  const bool uid_only = session.enabled().uid_only;
  std::string& text = session.out().text();
  text += fetch_head(*number, row.uid, uid_only);
  const char* space = "";
  if (what.uid && !uid_only) {
    text.append("UID ").append(std::to_string(row.uid));
    space = " ";
  }
  if (what.flags) {
    text.append(space).append("FLAGS (");
    text += flags_text(row, snapshot.keywords(), row.uid >= selected.recent_from);
    text += ")";
    space = " ";
  }
  if (what.modseq)
    text.append(space).append("MODSEQ (").append(std::to_string(row.modseq)).append(")");
  text += ")\r\n";
}

async::Task<void> say_vanished_since(Session& session, std::uint64_t since,
                                     std::optional<imap::NumberSet> wanted) {
  const Selected& selected = *session.selected();
  auto mailbox = selected.mailbox;
  auto ask = [mailbox, since] { return mailbox->vanished(since); };
  const auto vanished = co_await session.in_store(std::move(ask));
  imap::NumberSet gone;
  if (vanished && vanished->complete) {
    gone = set_of(vanished->uids);
  } else if (selected.view.uid_next() > 1) {
    gone = imap::NumberSet::of(1, selected.view.uid_next() - 1);
  }
  // What the client still counts is announced by itself.
  for (const auto& run : selected.view.uids().runs())
    gone.remove(run.first, run.first + (run.count - 1));
  if (wanted) gone = gone.intersected(*wanted);
  if (!gone.empty()) session.out().untagged("VANISHED (EARLIER) " + gone.text());
}

}  // namespace posthorn::imapd
