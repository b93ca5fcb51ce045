#include "agents/mua/ui/draw.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/ui/drawing.h"

namespace posthorn::mua::ui {

namespace {

constexpr std::size_t most_indent = 8;
constexpr std::string_view spinner[] = {"|", "/", "-", "\\"};
constexpr auto spin = std::chrono::milliseconds(250);

void draw_title(Screen& screen, const Model& model) {
  const MessageList& list = model.list;
  std::string left = " mua";
  if (model.account < model.accounts.size()) left += "  " + shown(model.accounts[model.account]);
  if (!list.folder.empty()) left += "  " + shown(list.folder);
  if (!list.query.empty()) left += "  search: " + shown(list.query);
  std::string right;
  if (!list.folder.empty()) {
    right = list.query.empty() ? fmt::format("{} messages", list.total)
                               : fmt::format("{} found", list.total);
    const Folder* folder = open_folder(model);
    if (folder != nullptr && folder->unseen && list.query.empty())
      right += fmt::format(", {} new", *folder->unseen);
    right += " ";
  }
  put_row(screen, {0, 0}, screen.width, left, Style::title);
  const int width = static_cast<int>(width_of(right));
  if (width + static_cast<int>(width_of(left)) + 2 <= screen.width)
    put(screen, {screen.width - width, 0}, width, right, Style::title);
}

std::string hints(const Model& model, int width) {
  std::vector<std::string_view> all = {"?:help",    "q:quit",  "Enter:open", "/:search",
                                       "c:compose", "r:reply", "d:delete",   "Tab:folders"};
  if (model.focus == Pane::message)
    all = {"?:help",  "q:back",   "Space:down", "n:next",
           "r:reply", "d:delete", "s:save",     "h:headers"};
  if (model.focus == Pane::folders) all = {"?:help", "q:back", "Enter:open", "Tab:list"};
  std::string text;
  for (const std::string_view each : all) {
    if (width_of(text) + each.size() + 3 > static_cast<std::size_t>(width)) break;
    text += fmt::format(" {} ", each);
  }
  return text;
}

// Errors may need more than a line; they lie over what is above.
void draw_error(Screen& screen, const std::string& text) {
  auto rows = wrap(" " + text, screen.width);
  const auto most = static_cast<std::size_t>(std::max(screen.height / 2, 1));
  if (rows.size() > most) rows.resize(most);
  const int first = screen.height - static_cast<int>(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    put_row(screen, {0, first + static_cast<int>(i)}, screen.width, rows[i], Style::error);
}

void draw_status(Screen& screen, const Model& model) {
  const int y = screen.height - 1;
  if (model.status.error && !model.prompt && !model.question)
    return draw_error(screen, model.status.text);
  std::string text =
      model.status.text.empty() ? hints(model, screen.width) : " " + model.status.text;
  if (model.status.text.empty() && !model.pending.empty()) {
    // The oldest is what all others wait for.
    const Request& first = model.pending.front();
    const auto waited = model.now - first.since;
    const auto turn = static_cast<std::size_t>(model.now.time_since_epoch() / spin) % 4;
    text = fmt::format(" {} {}", spinner[turn], shown(first.what));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited).count();
    if (waited >= late) {
      const std::string server = !first.sends() && model.account < model.servers.size()
                                     ? model.servers[model.account]
                                     : "";
      text += fmt::format("{}: {} s{}", server.empty() ? "" : ", waiting for " + shown(server),
                          seconds, first.sends() ? "" : "  (Esc gives up)");
    }
  }
  put_row(screen, {0, y}, screen.width, text, Style::status);
}

std::string folder_row(const Folder& folder, int width) {
  std::string count;
  if (folder.unseen && *folder.unseen > 0) count = fmt::format(" {}", *folder.unseen);
  // Below another folder: its own name only, indented.
  const auto depth = static_cast<std::size_t>(
      folder.separator == 0 ? 0 : std::ranges::count(folder.name, folder.separator));
  const std::size_t last = depth == 0 ? std::string::npos : folder.name.rfind(folder.separator);
  const std::string own = last == std::string::npos ? folder.name : folder.name.substr(last + 1);
  const std::string name = std::string(std::min(depth, most_indent) * 2, ' ') + shown(own);
  const auto room = static_cast<std::size_t>(std::max(width - 1, 1)) -
                    std::min(count.size(), static_cast<std::size_t>(width - 1));
  return " " + fit(name, room) + count;
}

void draw_folders(Screen& screen, const Model& model, const Rect& area) {
  const auto height = static_cast<std::size_t>(area.height);
  const std::size_t top = model.folder_cursor < height ? 0 : model.folder_cursor - height + 1;
  for (std::size_t i = 0; i < height && top + i < model.folders.size(); ++i) {
    const Folder& folder = model.folders[top + i];
    Style style = folder.unseen.value_or(0) > 0 ? Style::bold : Style::plain;
    if (!folder.selectable) style = Style::dim;
    if (folder.name == model.list.folder) style = Style::resting;
    if (top + i == model.folder_cursor && model.focus == Pane::folders) style = Style::cursor;
    put_row(screen, {area.x, area.y + static_cast<int>(i)}, area.width,
            folder_row(folder, area.width), style);
  }
  if (area.width == screen.width) return;
  for (int y = area.y; y < area.y + area.height; ++y)
    put(screen, {area.x + area.width, y}, 1, "\u2502", Style::dim);
}

// The day at the least, with the time where there is room.
std::string date_of(const Summary& message, int width) {
  const std::string date = shown_date(message.date.value_or(message.received));
  if (width >= 70) return date;
  return width >= 50 ? date.substr(0, 10) : date.substr(5, 5);
}

void draw_list_row(Screen& screen, const Model& model, const ListRow& row, const Rect& area,
                   Style style) {
  const Summary& message = model.list.messages[row.index];
  std::string flags = flag_letters(message);
  if (row.hidden_unread && flags[0] == ' ') flags[0] = 'n';
  const Folder* folder = open_folder(model);
  const bool outgoing = folder != nullptr && (folder->role == "sent" || folder->role == "drafts");
  std::string who;
  if (outgoing)
    who = message.to.empty() ? "" : "> " + shown_sender(message.to.front());
  else
    who = message.from.empty() ? "-" : shown_sender(message.from.front());
  const auto columns = static_cast<std::size_t>(std::clamp(area.width / 5, 10, 24));
  std::string text =
      fmt::format("{} {} {} ", flags, date_of(message, area.width), fit(who, columns));
  const std::size_t depth = std::min(row.depth, most_indent);
  if (depth > 0) text += std::string((depth - 1) * 2, ' ') + "\u2514\u2500";
  if (row.hidden > 0) text += fmt::format("[+{}] ", row.hidden);
  text += message.subject.empty() ? "(no subject)" : shown(message.subject);
  put_row(screen, {area.x, area.y}, area.width, text, style);
}

void draw_list(Screen& screen, const Model& model, const Rect& area) {
  const MessageList& list = model.list;
  const auto height = static_cast<std::size_t>(area.height);
  for (std::size_t i = 0; i < height && list.top + i < list.rows.size(); ++i) {
    const ListRow& row = list.rows[list.top + i];
    const Summary& message = list.messages[row.index];
    Style style = is_unread(message) ? Style::bold : Style::plain;
    if (message.flags.has(imap::SystemFlag::flagged)) style = Style::flagged;
    if (list.top + i == list.cursor)
      style = model.focus == Pane::list ? Style::cursor : Style::resting;
    draw_list_row(screen, model, row, {area.x, area.y + static_cast<int>(i), area.width, 1}, style);
  }
  if (!list.rows.empty() || list.folder.empty()) return;
  if (list.left.empty() && list.loading == 0)
    put(screen, {area.x + 1, area.y}, area.width - 1,
        list.query.empty() ? "no messages" : "nothing was found; Esc shows all", Style::dim);
}

void draw_message(Screen& screen, const Model& model, const Rect& area, bool with_rule) {
  const OpenMessage& open = *model.open;
  const auto height = static_cast<std::size_t>(area.height);
  if (with_rule) {
    for (int x = area.x; x < area.x + area.width; ++x)
      put(screen, {x, area.y - 1}, 1, "\u2500", Style::dim);
    std::string place = shown(open.summary.subject);
    if (open.lines.size() > height)
      place = fmt::format("{}%  {}",
                          (open.top + height) * 100 / std::max<std::size_t>(open.lines.size(), 1),
                          place);
    put(screen, {area.x + 2, area.y - 1}, area.width - 4, " " + place + " ",
        model.focus == Pane::message ? Style::bold : Style::dim);
  }
  if (!open.text) put(screen, {area.x, area.y}, area.width, "\u2026", Style::dim);
  for (std::size_t i = 0; i < height && open.top + i < open.lines.size(); ++i) {
    const StyledLine& line = open.lines[open.top + i];
    put(screen, {area.x, area.y + static_cast<int>(i)}, area.width, line.text, line.style);
  }
}

}  // namespace

Screen draw(const Model& model, int width, int height) {
  Screen screen(width, height);
  const Layout layout = lay_out(model, width, height);
  if (layout.too_small) {
    put(screen, {0, 0}, width,
        fmt::format("{}x{} is too small: mua needs {}x{}", width, height, least_width,
                    least_height),
        Style::error);
    return screen;
  }
  draw_title(screen, model);
  if (!layout.folders.empty()) draw_folders(screen, model, layout.folders);
  if (!layout.list.empty()) draw_list(screen, model, layout.list);
  if (!layout.message.empty()) draw_message(screen, model, layout.message, !layout.list.empty());
  draw_status(screen, model);
  draw_dialogs(screen, model);
  return screen;
}

}  // namespace posthorn::mua::ui
