#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "agents/mua/ui/drawing.h"
#include "libmail/base/text.h"

namespace posthorn::mua::ui {

namespace {

constexpr std::string_view help_rows[] = {
    "arrows j k        move, scroll",
    "PgUp PgDn Space b a screen up, down",
    "Home End          first, last",
    "Enter             open",
    "Tab               next pane",
    "q Esc             back; Esc gives up waiting",
    "n p               next, previous message",
    "/                 search: from:ann is:unread",
    "c                 compose",
    "r R f             reply, to all, forward",
    "e                 take a draft up again",
    "d u               delete, undo",
    "m                 move to a folder",
    "s a               save attachments",
    "* N               flag, unread",
    "t T               fold a thread, all threads",
    "h                 all headers, raw, text",
    "$ g               check mail",
    "A                 change the account",
    "^L ^Z             draw anew, suspend",
};

// In the middle, as large as it has to be and fits.
Rect in_the_middle(const Screen& screen, int width, int height) {
  width = std::min(width, screen.width - 2);
  height = std::min(height, screen.height - 2);
  return {(screen.width - width) / 2, (screen.height - height) / 2, width, height};
}

void draw_help(Screen& screen, const Model& model) {
  constexpr int columns = 52;
  const int rows = static_cast<int>(std::size(help_rows));
  const Rect inside = frame(screen, in_the_middle(screen, columns, rows + 2), " Keys ");
  const auto most = static_cast<std::size_t>(std::max(rows - inside.height, 0));
  const std::size_t top = std::min(model.help_top, most);
  for (int y = 0; y < inside.height && top + static_cast<std::size_t>(y) < std::size(help_rows);
       ++y)
    put(screen, {inside.x, inside.y + y}, inside.width,
        help_rows[top + static_cast<std::size_t>(y)]);
  if (top < most)
    put(screen, {inside.x + inside.width - 8, inside.y + inside.height}, 8, " more: j", Style::dim);
}

void draw_chooser(Screen& screen, const Chooser& chooser) {
  const auto matches = chooser.matches();
  int columns = 30;
  for (const std::string& each : chooser.items)
    columns = std::max(columns, static_cast<int>(width_of(shown(each))) + 6);
  const Rect inside =
      frame(screen, in_the_middle(screen, columns, static_cast<int>(chooser.items.size()) + 3),
            " " + chooser.title + " ");
  if (inside.height < 2) return;
  const int used = put(screen, {inside.x, inside.y}, inside.width, "> " + shown(chooser.typed));
  screen.cursor = Place{inside.x + std::min(used, inside.width - 1), inside.y};
  const auto height = static_cast<std::size_t>(inside.height - 1);
  const std::size_t top = chooser.cursor < height ? 0 : chooser.cursor - height + 1;
  for (std::size_t i = 0; i < height && top + i < matches.size(); ++i) {
    put_row(screen, {inside.x, inside.y + 1 + static_cast<int>(i)}, inside.width,
            shown(chooser.items[matches[top + i]]),
            top + i == chooser.cursor ? Style::cursor : Style::plain);
  }
  if (matches.empty())
    put(screen, {inside.x, inside.y + 1}, inside.width, "no such thing", Style::dim);
}

void draw_prompt(Screen& screen, const Prompt& prompt) {
  const int y = screen.height - 1;
  const std::string label = " " + prompt.label + ": ";
  fill(screen, {0, y, screen.width, 1});
  const int start = put(screen, {0, y}, screen.width / 2, label, Style::bold);
  const int room = screen.width - start - 1;
  // What stands before the cursor is seen, from as far on the left as fits.
  std::size_t first = 0;
  while (width_of(std::string_view(prompt.text).substr(first, prompt.at - first)) >=
         static_cast<std::size_t>(room))
    first = next_character(prompt.text, first);
  put(screen, {start, y}, room + 1, std::string_view(prompt.text).substr(first));
  const auto before = width_of(std::string_view(prompt.text).substr(first, prompt.at - first));
  screen.cursor = Place{start + static_cast<int>(before), y};
}

std::string plain_addresses(const std::vector<message::Address>& addresses) {
  return shown_addresses(addresses);
}

void draw_review(Screen& screen, const Model& model) {
  const Letter& letter = *model.review;
  fill(screen, {0, 1, screen.width, screen.height - 1});
  std::vector<StyledLine> lines;
  const auto field = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    for (std::string& row : wrap(fmt::format("{}: {}", name, value), screen.width))
      lines.push_back({std::move(row), Style::field});
  };
  field("From", plain_addresses(letter.draft.from));
  field("To", plain_addresses(letter.draft.to.mailboxes));
  field("Cc", plain_addresses(letter.draft.cc.mailboxes));
  field("Bcc", plain_addresses(letter.draft.bcc));
  field("Subject", shown(letter.draft.subject));
  for (const std::string& each : letter.attach) field("Attach", shown(each));
  for (const message::BuildPart& part : letter.more)
    field("Attach", part.filename.empty() ? "the forwarded message" : shown(part.filename));
  lines.emplace_back();
  const std::string text = shown_text(letter.text);
  for (const std::string_view line : split(text, '\n')) {
    for (std::string& row : wrap(line, screen.width))
      lines.push_back({std::move(row), line.starts_with('>') ? Style::quote : Style::plain});
  }
  const auto height = static_cast<std::size_t>(screen.height - 3);
  const std::size_t top =
      std::min(model.review_top, lines.size() > height ? lines.size() - height : 0);
  for (std::size_t i = 0; i < height && top + i < lines.size(); ++i)
    put(screen, {0, 1 + static_cast<int>(i)}, screen.width, lines[top + i].text,
        lines[top + i].style);
  put_row(screen, {0, screen.height - 2}, screen.width,
          screen.width < 60
              ? " y:send e:edit a:attach q:draft D:drop"
              : " y:send  e:edit again  a:attach a file  q:keep as draft  D:throw away",
          Style::status);
  const Style style = model.status.error ? Style::error : Style::plain;
  put_row(screen, {0, screen.height - 1}, screen.width, " " + model.status.text, style);
}

void draw_question(Screen& screen, const Question& question) {
  put_row(screen, {0, screen.height - 1}, screen.width,
          " " + question.text + " y: yes, any other key: no", Style::error);
}

}  // namespace

void draw_dialogs(Screen& screen, const Model& model) {
  if (model.review) draw_review(screen, model);
  if (model.help) draw_help(screen, model);
  if (model.chooser) draw_chooser(screen, *model.chooser);
  if (model.prompt) draw_prompt(screen, *model.prompt);
  if (model.question) draw_question(screen, *model.question);
}

}  // namespace posthorn::mua::ui
