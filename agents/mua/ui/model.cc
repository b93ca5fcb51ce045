#include "agents/mua/ui/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/query_match.h"
#include "agents/mua/threading.h"
#include "libmail/base/text.h"

namespace posthorn::mua::ui {

namespace {

constexpr int wide = 90;        // columns from which the folders stand beside the list
constexpr int tall = 20;        // rows from which the list stands above the message
constexpr int most_text = 100;  // columns of a message's text: longer lines are hard to read

Style style_of(std::string_view line) {
  return line.starts_with('>') ? Style::quote : Style::plain;
}

void add_text(std::vector<StyledLine>& lines, std::string_view text, int width, bool quotes) {
  for (const std::string_view line : split(text, '\n')) {
    const Style style = quotes ? style_of(line) : Style::plain;
    for (std::string& row : wrap(line, width)) lines.push_back({std::move(row), style});
  }
}

void add_field(std::vector<StyledLine>& lines, std::string_view name, const std::string& value,
               int width) {
  if (value.empty()) return;
  bool first = true;
  for (std::string& row : wrap(fmt::format("{}: {}", name, value), width)) {
    lines.push_back({(first ? "" : "  ") + std::move(row), Style::field});
    first = false;
  }
}

}  // namespace

const Summary* MessageList::under_cursor() const {
  return cursor < rows.size() ? &messages[rows[cursor].index] : nullptr;
}

Summary* MessageList::find(std::uint32_t uid) {
  const auto found = std::ranges::find(messages, uid, &Summary::uid);
  return found == messages.end() ? nullptr : &*found;
}

void MessageList::arrange() {
  const Summary* before = under_cursor();
  const std::uint32_t uid = before == nullptr ? 0 : before->uid;
  const auto order = order_threads(messages);
  rows.clear();
  std::size_t place_of_uid = cursor;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && order[end].depth > 0) ++end;
    bool is_folded = false;
    for (std::size_t i = first; i < end; ++i)
      is_folded = is_folded || folded.contains(messages[order[i].index].uid);
    for (std::size_t i = first; i < end; ++i) {
      const Summary& message = messages[order[i].index];
      if (is_folded && i > first) {
        ++rows.back().hidden;
        rows.back().hidden_unread = rows.back().hidden_unread || is_unread(message);
      } else {
        rows.push_back({order[i].index, order[i].depth, 0, false});
      }
      if (message.uid == uid) place_of_uid = rows.size() - 1;
    }
    first = end;
  }
  cursor = rows.empty() ? 0 : std::min(place_of_uid, rows.size() - 1);
}

void OpenMessage::wrap_to(int width) {
  lines.clear();
  wrapped = width;
  if (!text) return;
  const int columns = std::min(width, most_text);
  if (view == View::raw) {
    add_text(lines, text->raw, width, false);
    return;
  }
  if (view == View::fields) {
    for (const auto& [name, value] : text->fields) add_field(lines, name, value, columns);
  } else {
    add_field(lines, "From", shown_addresses(summary.from), columns);
    add_field(lines, "To", shown_addresses(summary.to), columns);
    add_field(lines, "Cc", shown_addresses(summary.cc), columns);
    if (summary.date) add_field(lines, "Date", shown_date(*summary.date), columns);
    add_field(lines, "Subject", shown(summary.subject), columns);
  }
  for (const std::string& warning : text->warnings) {
    for (std::string& row : wrap("! " + warning, columns))
      lines.push_back({std::move(row), Style::error});
  }
  lines.emplace_back();
  add_text(lines, text->text, columns, true);
  for (const PartInfo& part : text->parts) {
    if (!part.attachment) continue;
    const std::string name = part.filename.empty() ? "(no name)" : shown(part.filename);
    const std::string warning = part_warning(part);
    lines.push_back({fmt::format("[{}] {}  {}  {}{}", part.number, name, shown_size(part.octets),
                                 shown(part.type), warning.empty() ? "" : "  ! " + warning),
                     warning.empty() ? Style::flagged : Style::error});
  }
}

std::vector<std::size_t> Chooser::matches() const {
  std::vector<std::size_t> found;
  const std::string wanted = fold(typed);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (fold(items[i]).find(wanted) != std::string::npos) found.push_back(i);
  }
  return found;
}

Layout lay_out(const Model& model, int width, int height) {
  Layout layout;
  layout.too_small = width < least_width || height < least_height;
  if (layout.too_small) return layout;
  Rect body{0, 1, width, height - 2};
  if (width >= wide) {
    layout.folders = {0, 1, std::clamp(width / 5, 20, 30), body.height};
    body.x = layout.folders.width + 1;  // a rule stands between
    body.width = width - body.x;
  } else if (model.focus == Pane::folders) {
    layout.folders = body;
    return layout;
  }
  if (!model.open) {
    layout.list = body;
  } else if (body.height >= tall) {
    const int rows = std::max(6, body.height / 3);
    layout.list = {body.x, body.y, body.width, rows};
    layout.message = {body.x, body.y + rows + 1, body.width, body.height - rows - 1};
  } else if (model.focus == Pane::list) {
    layout.list = body;
  } else {
    layout.message = body;
  }
  return layout;
}

const Folder* open_folder(const Model& model) {
  const auto found = std::ranges::find(model.folders, model.list.folder, &Folder::name);
  return found == model.folders.end() ? nullptr : &*found;
}

bool is_unread(const Summary& message) {
  return !message.flags.has(imap::SystemFlag::seen);
}

}  // namespace posthorn::mua::ui
