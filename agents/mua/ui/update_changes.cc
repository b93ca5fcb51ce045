// What the user does to messages: it shows at once, and is taken back if the mail side says no.
#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/ui/updating.h"

namespace posthorn::mua::ui {

namespace {

constexpr std::size_t most_undo = 100;

FlagEdit inverse_of(const FlagEdit& edit) {
  FlagEdit inverse;
  inverse.add = edit.remove;
  inverse.remove = edit.add;
  return inverse;
}

void change(imap::Flags& flags, const FlagEdit& edit) {
  flags.system |= edit.add.system;
  flags.system &= static_cast<std::uint8_t>(~edit.remove.system);
  for (const std::string& each : edit.add.keywords) flags.add(each);
  for (const std::string& each : edit.remove.keywords) flags.remove(each);
}

void remember(std::vector<Undo>& all, Undo undo) {
  if (all.size() >= most_undo) all.erase(all.begin());
  all.push_back(std::move(undo));
}

}  // namespace

void Updating::count(const std::string& folder, int messages, int unseen) {
  const auto found = std::ranges::find(m_.folders, folder, &Folder::name);
  if (found == m_.folders.end()) return;
  const auto shift = [](std::optional<std::uint64_t>& number, int by) {
    if (!number) return;
    const auto size = static_cast<std::uint64_t>(by < 0 ? -by : by);
    *number = by < 0 ? *number - std::min(*number, size) : *number + size;
  };
  shift(found->messages, messages);
  shift(found->unseen, unseen);
}

void Updating::apply(const std::string& folder, std::uint32_t uid, const FlagEdit& edit) {
  const auto change_one = [&](Summary& message) {
    const bool before = is_unread(message);
    change(message.flags, edit);
    return static_cast<int>(is_unread(message)) - static_cast<int>(before);
  };
  if (m_.open && m_.open->folder == folder && m_.open->summary.uid == uid)
    change_one(m_.open->summary);
  if (m_.list.folder != folder) return;
  if (Summary* message = m_.list.find(uid)) count(folder, 0, change_one(*message));
}

void Updating::edit_flags(const Summary& message, const FlagEdit& edit, std::string what,
                          bool undoable) {
  const std::uint64_t request = ask("setting flags");
  const std::string folder = m_.list.folder;
  const Undo undo{request, std::move(what), folder, false, "", {message}, inverse_of(edit)};
  m_.reversible.emplace(request, undo);
  if (undoable) remember(m_.undo, undo);
  act(EditFlags{request, folder, {message.uid}, edit});
  apply(folder, message.uid, edit);
}

void Updating::toggle(imap::SystemFlag flag) {
  const Summary* message = chosen();
  if (message == nullptr) return;
  const Summary copy = *message;
  FlagEdit edit;
  const bool on = !copy.flags.has(flag);
  (on ? edit.add : edit.remove).set(flag);
  edit_flags(copy, edit, on ? "a flag was set" : "a flag was cleared", true);
}

void Updating::delete_chosen() {
  const Summary* message = chosen();
  if (message == nullptr || m_.focus == Pane::folders) return;
  const Folder* folder = ui::open_folder(m_);
  if (folder != nullptr && folder->role == "trash") {
    m_.question = {Question::Kind::delete_for_good, "Delete this message for good?", message->uid};
    return;
  }
  const Summary copy = *message;
  move_away(copy, "");
}

void Updating::move_away(const Summary& message, std::string to) {
  const std::uint64_t request = ask(to.empty() ? "deleting" : "moving to " + to);
  Undo undo{request, "", m_.list.folder, true, to, {message}, {}};
  m_.reversible.emplace(request, undo);
  remember(m_.undo, std::move(undo));
  act(MoveMessages{request, m_.list.folder, {message.uid}, std::move(to)});
  remove_row(message.uid, true);
}

void Updating::delete_for_good(std::uint32_t uid) {
  const Summary* message = m_.list.find(uid);
  if (message == nullptr) return;
  const std::uint64_t request = ask("deleting for good");
  m_.reversible.emplace(request, Undo{request, "", m_.list.folder, true, "", {*message}, {}});
  act(RemoveMessages{request, m_.list.folder, {uid}});
  remove_row(uid, true);
}

// The message leaves the list.
void Updating::remove_row(std::uint32_t uid, bool open_next) {
  MessageList& list = m_.list;
  const auto found = std::ranges::find(list.messages, uid, &Summary::uid);
  if (found == list.messages.end()) return;
  count(list.folder, -1, is_unread(*found) ? -1 : 0);
  const bool was_open = m_.open && m_.open->summary.uid == uid;
  // The cursor goes down, or up at the end. Not into what hides behind it: its place is kept when the rows are made anew.
  const Summary* under = list.under_cursor();
  if (under != nullptr && under->uid == uid) {
    if (list.cursor + 1 < list.rows.size())
      ++list.cursor;
    else if (list.cursor > 0)
      --list.cursor;
  }
  const Summary* next = list.under_cursor();
  const std::uint32_t next_uid = next == nullptr ? 0 : next->uid;
  list.messages.erase(found);
  list.rows.clear();
  if (list.total > 0) --list.total;
  list.arrange();
  for (std::size_t row = 0; row < list.rows.size(); ++row) {
    if (list.messages[list.rows[row].index].uid == next_uid) list.cursor = row;
  }
  if (!was_open || !open_next) return;
  if (list.rows.empty() || next_uid == uid)
    back(false);
  else
    open_message();
}

void Updating::undo() {
  if (m_.undo.empty()) return say("there is nothing to undo");
  Undo last = std::move(m_.undo.back());
  m_.undo.pop_back();
  if (!last.moved) {
    const std::uint32_t uid = last.messages.front().uid;
    const std::uint64_t request = ask("undoing: " + last.what);
    act(EditFlags{request, last.folder, {uid}, last.edit});
    apply(last.folder, uid, last.edit);
    last.edit = inverse_of(last.edit);
    m_.reversible.emplace(request, std::move(last));
    return say("undone");
  }
  act(RestoreMessages{ask("moving it back"), last.moved_to, last.folder, last.messages});
}

// The mail side did not do it.
void Updating::take_back(std::uint64_t request) {
  std::erase_if(m_.undo, [&](const Undo& each) { return each.request == request; });
  const auto found = m_.reversible.find(request);
  if (found == m_.reversible.end()) return;
  const Undo undo = std::move(found->second);
  m_.reversible.erase(found);
  if (!undo.moved) return apply(undo.folder, undo.messages.front().uid, undo.edit);
  if (m_.list.folder != undo.folder) return;
  for (const Summary& message : undo.messages) {
    if (m_.list.find(message.uid) != nullptr) continue;
    m_.list.messages.push_back(message);
    ++m_.list.total;
    count(undo.folder, 1, is_unread(message) ? 1 : 0);
  }
  m_.list.arrange();
}

}  // namespace posthorn::mua::ui
