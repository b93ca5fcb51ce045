// What the mail side says.
#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/ui/updating.h"

namespace posthorn::mua::ui {

namespace {

// The newest `count` of ascending UIDs, taken away from them.
Uids take_newest(Uids& uids, std::size_t count) {
  const std::size_t first = uids.size() - std::min(uids.size(), count);
  Uids taken(uids.begin() + static_cast<std::ptrdiff_t>(first), uids.end());
  uids.resize(first);
  return taken;
}

void put_back(Uids& uids, Uids& more) {
  uids.insert(uids.end(), more.begin(), more.end());
  std::ranges::sort(uids);
  more.clear();
}

void add(MessageList& list, const Summary& message) {
  if (Summary* known = list.find(message.uid))
    *known = message;
  else
    list.messages.push_back(message);
}

}  // namespace

void Updating::load_page() {
  MessageList& list = m_.list;
  if (list.left.empty() || list.loading != 0 || list.stalled) return;
  list.asked = take_newest(list.left, list.messages.empty() ? first_page : page);
  list.loading = ask("loading the list");
  act(LoadPage{list.loading, list.folder, list.asked});
}

void Updating::on(const FoldersCame& event) {
  if (event.account != m_.account) return;
  std::string under = m_.list.folder;
  if (m_.focus == Pane::folders && m_.folder_cursor < m_.folders.size())
    under = m_.folders[m_.folder_cursor].name;
  m_.folders = event.folders;
  const auto found = std::ranges::find(m_.folders, under, &Folder::name);
  if (found != m_.folders.end())
    m_.folder_cursor = static_cast<std::size_t>(found - m_.folders.begin());
}

void Updating::on(const FolderOpened& event) {
  if (!answered(event.request)) return;
  MessageList& list = m_.list;
  const bool same_folder = list.folder == event.folder;
  if (same_folder && list.query == event.query && list.uid_validity == event.uid_validity)
    return merge(event);
  if (list.loading != 0) answered(list.loading);
  if (m_.open && !same_folder) {
    m_.open.reset();
    m_.focus = Pane::list;
  }
  list = {};
  list.folder = event.folder;
  list.query = event.query;
  list.attachment = event.attachment;
  list.uid_validity = event.uid_validity;
  list.total = event.uids.size();
  list.left = event.uids;
  if (!same_folder) act(WatchFolder{event.folder});
  const auto found = std::ranges::find(m_.folders, event.folder, &Folder::name);
  if (found != m_.folders.end())
    m_.folder_cursor = static_cast<std::size_t>(found - m_.folders.begin());
  if (event.uids.empty() && !event.query.empty()) say("nothing was found");
  load_page();
}

// The same list again: what is gone goes, what is new is loaded, the rest stays.
void Updating::merge(const FolderOpened& event) {
  MessageList& list = m_.list;
  if (list.loading != 0) answered(list.loading);
  list.loading = 0;
  list.asked.clear();
  const auto is_there = [&](std::uint32_t uid) {
    return std::ranges::binary_search(event.uids, uid);
  };
  const Summary* under = list.under_cursor();
  const std::uint32_t uid = under == nullptr ? 0 : under->uid;
  std::erase_if(list.messages, [&](const Summary& each) { return !is_there(each.uid); });
  std::set<std::uint32_t> known;
  for (const Summary& each : list.messages) known.insert(each.uid);
  list.left.clear();
  for (const std::uint32_t each : event.uids) {
    if (!known.contains(each)) list.left.push_back(each);
  }
  list.total = event.uids.size();
  list.rows.clear();  // they point to where messages were
  const std::size_t cursor = list.cursor;
  list.arrange();
  list.cursor = std::min(cursor, list.rows.empty() ? 0 : list.rows.size() - 1);
  for (std::size_t row = 0; row < list.rows.size(); ++row) {
    if (list.messages[list.rows[row].index].uid == uid) list.cursor = row;
  }
  list.stalled = false;
  load_page();
}

void Updating::on(const PageCame& event) {
  MessageList& list = m_.list;
  if (!answered(event.request) || event.request != list.loading) return;
  list.loading = 0;
  const std::size_t asked = list.asked.size();
  list.asked.clear();
  std::size_t came = 0;
  for (const Summary& message : event.messages) {
    if (list.attachment && message.has_attachment != *list.attachment) continue;
    add(list, message);
    ++came;
  }
  list.total -= std::min(list.total, asked - std::min(asked, came));
  list.arrange();
}

void Updating::on(const MessageCame& event) {
  if (!answered(event.request) || !m_.open) return;
  OpenMessage& open = *m_.open;
  open.text = event.text;
  open.wrapped = 0;
  if (!is_unread(open.summary)) return;
  FlagEdit edit;
  edit.add.set(imap::SystemFlag::seen);
  const Summary copy = open.summary;
  edit_flags(copy, edit, "", false);
}

void Updating::on(const FlagsSet& event) {
  if (!answered(event.request)) return;
  m_.reversible.erase(event.request);
}

void Updating::on(const Moved& event) {
  if (!answered(event.request)) return;
  const auto found = m_.reversible.find(event.request);
  if (found == m_.reversible.end()) return;
  for (const Summary& message : found->second.messages)
    count(event.to, 1, is_unread(message) ? 1 : 0);
  m_.reversible.erase(found);
  for (Undo& each : m_.undo) {
    if (each.request == event.request) each.moved_to = event.to;
  }
  say("moved to " + event.to + "; u brings it back");
}

void Updating::on(const Restored& event) {
  if (!answered(event.request)) return;
  say("moved back to " + event.folder);
  if (m_.list.folder == event.folder) refresh();
}

void Updating::on(const Saved& event) {
  if (!answered(event.request)) return;
  std::string names;
  for (const std::string& path : event.paths) names += (names.empty() ? "" : ", ") + path;
  say("saved as " + names);
}

void Updating::on(const LetterBegun& event) {
  if (!answered(event.request)) return;
  if (!event.letter.taken_up) return act(EditLetter{event.letter});
  if (m_.review) return say("another message is being looked at", true);
  m_.review = event.letter;  // e edits it
  m_.review_top = 0;
}

void Updating::on(const LetterEdited& event) {
  if (!event.error.empty()) say(event.error, !event.given_up);
  if (event.given_up) return;
  m_.review = event.letter;
  m_.review_top = 0;
}

void Updating::on(const LetterSent& event) {
  if (!answered(event.request)) return;
  const Sent& sent = event.sent;
  if (sent.how == Sent::How::draft)
    say("kept as a draft in " + sent.folder);
  else if (sent.how == Sent::How::queued)
    say("in the outbox as " + sent.outbox_id + ": " + sent.trouble, true);
  else if (!sent.trouble.empty())
    say("sent, but no copy was kept: " + sent.trouble, true);
  else
    say("sent");
  if (!event.left.empty()) say("the draft is still there: " + event.left, true);
  const bool others = std::ranges::any_of(m_.pending, &Request::sends);
  if (m_.quit_when_sent && !others) act(Quit{});
}

void Updating::on(const LetterReturned& event) {
  if (!answered(event.request)) return;
  say(event.error, true);
  m_.quit_when_sent = false;
  if (m_.review) {  // another one is being looked at: this one waits among the drafts
    act(KeepDraft{ask("keeping the draft", Request::Kind::sends), event.letter});
    return;
  }
  m_.review = event.letter;
  m_.review_top = 0;
}

void Updating::on(const NewsCame& event) {
  MessageList& list = m_.list;
  if (event.account != m_.account || event.folder != list.folder) return;
  const auto has = [](const Uids& uids, std::uint32_t uid) {
    return std::ranges::find(uids, uid) != uids.end();
  };
  for (const std::uint32_t uid : event.news.vanished) remove_row(uid, false);
  std::erase_if(list.left, [&](std::uint32_t uid) { return has(event.news.vanished, uid); });
  std::size_t arrived = 0;
  for (const Summary& message : event.messages) {
    Summary* known = list.find(message.uid);
    if (known != nullptr) {
      count(list.folder, 0,
            static_cast<int>(is_unread(message)) - static_cast<int>(is_unread(*known)));
      *known = message;
    } else if (has(event.news.arrived, message.uid) && list.query.empty() &&
               !has(list.left, message.uid) && !has(list.asked, message.uid)) {
      count(list.folder, 1, is_unread(message) ? 1 : 0);
      list.messages.push_back(message);
      ++list.total;
      ++arrived;
      const std::string from = message.from.empty() ? "" : shown_sender(message.from.front());
      say(fmt::format("new: {}: {}", from, message.subject));
    }
    if (m_.open && m_.open->folder == event.folder && m_.open->summary.uid == message.uid)
      m_.open->summary = message;
  }
  if (arrived > 1) say(fmt::format("{} new messages", arrived));
  list.arrange();
}

// What came between the first look at the folder and the watch on it.
void Updating::on(const Watching& event) {
  const MessageList& list = m_.list;
  if (event.account != m_.account || event.folder != list.folder || !list.query.empty()) return;
  if (event.messages != list.total) open_folder(list.folder, "");
}

void Updating::on(const WatchLost& event) {
  if (event.account == m_.account && m_.status.text.empty())
    say("news of this folder will come late: " + event.why);
}

void Updating::on(const Failed& event) {
  if (!answered(event.request)) return;
  if (event.request == m_.list.loading) {
    m_.list.loading = 0;
    m_.list.stalled = true;
    put_back(m_.list.left, m_.list.asked);
  }
  take_back(event.request);
  if (!event.why.empty()) say(event.why, true);
}

}  // namespace posthorn::mua::ui
