#include "agents/mua/ui/update.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/ui/updating.h"

namespace posthorn::mua::ui {

namespace {

using Code = Key::Code;
constexpr char32_t control_c = 3;
constexpr char32_t control_l = 12;
constexpr char32_t control_z = 26;

// Where a key moves a position within `count` rows, `height` of them on the screen. The same place if it moves nothing.
std::size_t moved(const Key& key, std::size_t at, std::size_t count, int height) {
  const auto page_rows = static_cast<std::size_t>(std::max(height - 1, 1));
  const std::size_t last = count == 0 ? 0 : count - 1;
  const bool plain = key.code == Code::character;
  if (key.code == Code::up || (plain && key.character == 'k')) return at == 0 ? 0 : at - 1;
  if (key.code == Code::down || (plain && key.character == 'j')) return std::min(at + 1, last);
  if (key.code == Code::page_up || (plain && key.character == 'b'))
    return at - std::min(at, page_rows);
  if (key.code == Code::page_down || (plain && key.character == ' '))
    return std::min(at + page_rows, last);
  if (key.code == Code::home) return 0;
  if (key.code == Code::end) return last;
  return std::min(at, last);
}

}  // namespace

Step begin(Model model) {
  Updating updating(std::move(model));
  updating.begin();
  return updating.finish();
}

Step update(Model model, const Event& event) {
  Updating updating(std::move(model));
  std::visit([&](const auto& each) { updating.on(each); }, event);
  return updating.finish();
}

void Updating::begin() {
  switch_account(m_.account);
}

Step Updating::finish() {
  const Layout layout = lay_out(m_, m_.width, m_.height);
  MessageList& list = m_.list;
  const auto rows = static_cast<std::size_t>(std::max(layout.list.height, 1));
  if (!layout.list.empty()) {
    list.top = std::min(list.top, list.cursor);
    if (list.cursor >= list.top + rows) list.top = list.cursor - rows + 1;
  }
  if (list.cursor + 2 * rows >= list.rows.size()) load_page();
  m_.folder_cursor = std::min(m_.folder_cursor, m_.folders.empty() ? 0 : m_.folders.size() - 1);
  if (m_.open && !layout.message.empty()) {
    if (m_.open->wrapped != layout.message.width) m_.open->wrap_to(layout.message.width);
    const std::size_t lines = m_.open->lines.size();
    const auto height = static_cast<std::size_t>(layout.message.height);
    m_.open->top = std::min(m_.open->top, lines > height ? lines - height : 0);
  }
  return {std::move(m_), std::move(actions_)};
}

std::uint64_t Updating::ask(std::string what, Request::Kind kind) {
  m_.pending.push_back({++m_.last_request, std::move(what), m_.now, kind});
  return m_.last_request;
}

bool Updating::answered(std::uint64_t request) {
  return std::erase_if(m_.pending, [&](const Request& each) { return each.id == request; }) > 0;
}

void Updating::say(std::string text, bool error) {
  m_.status = {shown(text), error};
}

void Updating::on(const Resized& event) {
  m_.width = event.width;
  m_.height = event.height;
}

void Updating::on(const Tick& event) {
  m_.now = event.now;
}

void Updating::on(const Ended&) {
  act(Quit{});
}

void Updating::on(const KeyPressed& event) {
  m_.now = event.now;
  const Key& key = event.key;
  if (key.code == Code::character && key.character == control_l) return act(Redraw{});
  if (key.code == Code::character && key.character == control_z) return act(Suspend{});
  const Layout layout = lay_out(m_, m_.width, m_.height);
  if (layout.too_small) {  // nobody sees what a key would do
    if (key.code == Code::character && key.character == 'q') quit();
    return;
  }
  m_.status = {};
  m_.list.stalled = false;
  m_.quit_when_sent = false;
  const bool is_interrupt = key.code == Code::character && key.character == control_c;
  const Key meant = is_interrupt ? Key{Code::escape, 0} : key;
  if (!dialog_key(meant)) pane_key(meant);
}

void Updating::pane_key(const Key& key) {
  switch (key.code) {
    case Code::escape:
      return waits() ? give_up() : back(false);
    case Code::tab:
      return next_pane(false);
    case Code::back_tab:
      return next_pane(true);
    case Code::remove:
      return delete_chosen();
    case Code::left:
      return m_.focus == Pane::list && !m_.open ? void(m_.focus = Pane::folders) : back(false);
    case Code::character:
      if (common_character(key.character) || character(key.character)) return;
      break;
    default:
      break;
  }
  switch (m_.focus) {
    case Pane::folders:
      return move_in_folders(key);
    case Pane::list:
      return move_in_list(key);
    case Pane::message:
      return move_in_message(key);
  }
}

// What is the same wherever the keys go.
bool Updating::common_character(char32_t c) {
  switch (c) {
    case 'q':
      return back(true), true;
    case '?':
      m_.help = true;
      m_.help_top = 0;
      return true;
    case '/': {
      Prompt prompt{Prompt::Kind::search, "Search", m_.list.query, m_.list.query.size(), {}};
      m_.prompt = std::move(prompt);
      return true;
    }
    case 'c':
      return act(NewLetter{ask("opening the editor", Request::Kind::asked)}), true;
    case '$':
    case 'g':
      return refresh(), true;
    case 'A':
      return choose_account(), true;
    case 'u':
      return undo(), true;
    case 'T':
      return fold(true), true;
    default:
      return false;
  }
}

// What is done to the message that is open or under the cursor.
bool Updating::character(char32_t c) {
  if (m_.focus == Pane::folders) return false;
  switch (c) {
    case 'r':
      return answer(AnswerHow::reply, "fetching the message to answer"), true;
    case 'R':
      return answer(AnswerHow::reply_all, "fetching the message to answer"), true;
    case 'f':
      return answer(AnswerHow::forward, "fetching the message to forward"), true;
    case 'e':
      return take_up(), true;
    case 'd':
      return delete_chosen(), true;
    case 'm':
      return choose_folder(), true;
    case 's':
    case 'a':
      return choose_attachment(), true;
    case '*':
      return toggle(imap::SystemFlag::flagged), true;
    case 'N':
      return toggle(imap::SystemFlag::seen), true;
    case 't':
      return fold(false), true;
    case 'h':
      return change_view(), true;
    case 'n':
    case 'p':
      if (!m_.open) return false;
      return step_message(c == 'n'), true;
    default:
      return false;
  }
}

void Updating::move_in_folders(const Key& key) {
  if (key.code == Code::enter || key.code == Code::right) {
    if (m_.folder_cursor >= m_.folders.size()) return;
    const Folder& folder = m_.folders[m_.folder_cursor];
    if (!folder.selectable) return say("no messages are kept in " + folder.name, true);
    m_.focus = Pane::list;
    m_.open.reset();
    return open_folder(folder.name, "");
  }
  m_.folder_cursor = moved(key, m_.folder_cursor, m_.folders.size(),
                           lay_out(m_, m_.width, m_.height).folders.height);
}

void Updating::move_in_list(const Key& key) {
  if (key.code == Code::enter || key.code == Code::right) return open_message();
  m_.list.cursor =
      moved(key, m_.list.cursor, m_.list.rows.size(), lay_out(m_, m_.width, m_.height).list.height);
}

void Updating::move_in_message(const Key& key) {
  if (!m_.open) return;
  const int height = lay_out(m_, m_.width, m_.height).message.height;
  // Down to the last screen, not to the last line: finish() sees to that.
  m_.open->top = moved(key, m_.open->top, m_.open->lines.size(), height);
}

void Updating::next_pane(bool backwards) {
  const std::vector<Pane> panes = m_.open ? std::vector{Pane::folders, Pane::list, Pane::message}
                                          : std::vector{Pane::folders, Pane::list};
  const auto at = static_cast<std::size_t>(std::ranges::find(panes, m_.focus) - panes.begin());
  m_.focus = panes[(at + (backwards ? panes.size() - 1 : 1)) % panes.size()];
}

void Updating::back(bool may_quit) {
  if (m_.focus == Pane::folders) {
    m_.focus = Pane::list;
  } else if (m_.open) {
    m_.open.reset();
    m_.focus = Pane::list;
  } else if (!m_.list.query.empty()) {
    open_folder(m_.list.folder, "");
  } else if (may_quit) {
    quit();
  }
}

void Updating::quit() {
  m_.quit_when_sent = std::ranges::any_of(m_.pending, &Request::sends);
  if (!m_.quit_when_sent) return act(Quit{});
  say("a message is on its way; mua ends when it is gone (any other key: it goes on)");
}

// Is there anything that Esc would give up?
bool Updating::waits() const {
  return std::ranges::any_of(m_.pending, [&](const Request& each) {
    return each.kind == Request::Kind::asked || (!each.sends() && m_.now - each.since >= late);
  });
}

void Updating::give_up() {
  const std::string what = m_.pending.front().what;
  act(GiveUp{});
  std::vector<Request> given_up;
  for (const Request& each : m_.pending) {
    if (!each.sends()) given_up.push_back(each);
  }
  for (const Request& each : given_up) on(Failed{each.id, ""});
  if (m_.open && !m_.open->text) back(false);
  say("given up: " + what);
}

void Updating::open_folder(std::string folder, std::string query) {
  std::string what = query.empty() ? "opening " + folder : "searching " + folder;
  act(OpenFolder{ask(std::move(what), Request::Kind::asked), std::move(folder), std::move(query)});
}

void Updating::refresh() {
  act(CountFolders{});
  open_folder(m_.list.folder.empty() ? "INBOX" : m_.list.folder, m_.list.query);
}

void Updating::switch_account(std::size_t account) {
  std::erase_if(m_.pending, [](const Request& each) { return !each.sends(); });
  m_.account = account;
  m_.folders.clear();
  m_.folder_cursor = 0;
  m_.list = {};
  m_.open.reset();
  m_.undo.clear();
  m_.reversible.clear();
  m_.focus = Pane::list;
  act(OpenAccount{account});
  open_folder("INBOX", "");
}

Summary* Updating::chosen() {
  if (m_.open && m_.focus == Pane::message) return &m_.open->summary;
  const MessageList& list = m_.list;
  return list.cursor < list.rows.size() ? &m_.list.messages[list.rows[list.cursor].index] : nullptr;
}

void Updating::open_message() {
  const Summary* message = m_.list.under_cursor();
  if (message == nullptr) return;
  m_.open.emplace();
  m_.open->summary = *message;
  m_.open->folder = m_.list.folder;
  m_.focus = Pane::message;
  read(false);
}

void Updating::read(bool whole) {
  act(ReadMessage{ask("fetching the message", Request::Kind::asked), m_.open->folder,
                  m_.open->summary, whole});
}

void Updating::step_message(bool forward) {
  const std::size_t at = m_.list.cursor;
  const std::size_t next = forward ? at + 1 : at - 1;
  if ((!forward && at == 0) || next >= m_.list.rows.size())
    return say(forward ? "this is the last message" : "this is the first message");
  m_.list.cursor = next;
  open_message();
}

void Updating::change_view() {
  if (!m_.open || !m_.open->text) return;
  OpenMessage& open = *m_.open;
  open.view = open.view == View::text     ? View::fields
              : open.view == View::fields ? View::raw
                                          : View::text;
  open.top = 0;
  open.wrapped = 0;
  if (open.text->partial && open.view != View::text) read(true);
}

void Updating::fold(bool all) {
  MessageList& list = m_.list;
  const auto members = [&](std::size_t row) {  // of the conversation that a row belongs to
    std::vector<std::uint32_t> uids;
    std::size_t first = row;
    while (first > 0 && list.rows[first].depth > 0) --first;
    for (std::size_t i = first; i < list.rows.size() && (i == first || list.rows[i].depth > 0); ++i)
      uids.push_back(list.messages[list.rows[i].index].uid);
    return uids;
  };
  if (list.rows.empty()) return;
  if (all) {
    const bool unfold = !list.folded.empty();
    list.folded.clear();
    for (std::size_t row = 0; row < list.rows.size() && !unfold; ++row) {
      if (list.rows[row].depth == 0) list.folded.insert(list.messages[list.rows[row].index].uid);
    }
  } else {
    const auto uids = members(list.cursor);
    const bool is_folded = list.rows[list.cursor].hidden > 0;
    for (const std::uint32_t uid : uids) list.folded.erase(uid);
    if (!is_folded && uids.size() > 1) list.folded.insert(uids.front());
    // The cursor goes to where its conversation is seen.
    while (list.cursor > 0 && list.rows[list.cursor].depth > 0) --list.cursor;
  }
  list.arrange();
}

void Updating::take_up() {
  const Summary* message = chosen();
  if (message == nullptr) return;
  const Folder* folder = ui::open_folder(m_);
  const bool draft = message->flags.has(imap::SystemFlag::draft) ||
                     (folder != nullptr && folder->role == "drafts");
  if (!draft) return say("this is no draft: r answers it, f sends it on");
  answer(AnswerHow::take_up, "fetching the draft");
}

void Updating::answer(AnswerHow how, std::string what) {
  const Summary* message = chosen();
  if (message == nullptr) return;
  act(BeginLetter{ask(std::move(what), Request::Kind::asked), m_.list.folder, message->uid, how});
}

}  // namespace posthorn::mua::ui
