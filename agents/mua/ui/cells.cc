#include "agents/mua/ui/cells.h"

#include <utf8proc.h>

#include <algorithm>

#include "agents/mua/output.h"
#include "libmail/message/utf8.h"

namespace posthorn::mua::ui {

namespace {

constexpr char32_t replacement = 0xFFFD;
constexpr std::size_t most_combining = 4;  // what a cell of ncurses can take
constexpr int tab_stop = 8;

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

int columns_of(char32_t c) {
  return std::max(utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)), 0);
}

// A code point with those that combine with it.
struct Character {
  std::string text;
  int width = 0;
};

Character take_character(std::string_view& text) {
  Character taken;
  char32_t c = message::take_code_point(text);
  if (is_control(c)) c = replacement;
  taken.width = columns_of(c);
  message::append_utf8(taken.text, c);
  // What does not advance belongs to what stands before; anything else begins a character.
  for (std::size_t i = 0; !text.empty(); ++i) {
    std::string_view rest = text;
    const char32_t next = message::take_code_point(rest);
    if (is_control(next) || columns_of(next) != 0) break;
    if (i < most_combining) message::append_utf8(taken.text, next);
    text = rest;
  }
  return taken;
}

}  // namespace

std::string Screen::text_of(int y) const {
  std::string row;
  for (int x = 0; x < width; ++x) row += at(x, y).text;
  row.resize(row.find_last_not_of(' ') + 1);
  return row;
}

std::string Screen::styles_of(int y) const {
  constexpr std::string_view letters = ".bdtsecrfqF";
  std::string row;
  for (int x = 0; x < width; ++x) row += letters[static_cast<std::size_t>(at(x, y).style)];
  return row;
}

int put(Screen& screen, Place where, int width, std::string_view text, Style style) {
  const int room = std::min(width, screen.width - where.x);
  if (room <= 0 || where.x < 0 || where.y < 0 || where.y >= screen.height) return 0;
  const bool cut = width_of(text) > static_cast<std::size_t>(room);
  const int limit = cut ? room - 1 : room;
  int used = 0;
  while (!text.empty()) {
    Character next = take_character(text);
    if (next.width == 0) {  // nothing before it to combine with, but perhaps a cell on its left
      if (used > 0) screen.at(where.x + used - 1, where.y).text += next.text;
      continue;
    }
    if (used + next.width > limit) break;
    screen.at(where.x + used, where.y) = {std::move(next.text), style};
    for (int i = 1; i < next.width; ++i) screen.at(where.x + used + i, where.y) = {"", style};
    used += next.width;
  }
  if (cut) screen.at(where.x + used++, where.y) = {"\u2026", style};
  return used;
}

void put_row(Screen& screen, Place where, int width, std::string_view text, Style style) {
  const int used = put(screen, where, width, text, style);
  fill(screen, {where.x + used, where.y, width - used, 1}, style);
}

void fill(Screen& screen, const Rect& area, Style style) {
  for (int y = std::max(area.y, 0); y < std::min(area.y + area.height, screen.height); ++y) {
    for (int x = std::max(area.x, 0); x < std::min(area.x + area.width, screen.width); ++x)
      screen.at(x, y) = {" ", style};
  }
}

Rect frame(Screen& screen, const Rect& area, std::string_view title) {
  if (area.width < 4 || area.height < 3) return {};
  fill(screen, area);
  // A wide character that the left edge cuts in half would move everything behind it.
  for (int y = area.y; y < area.y + area.height && area.x > 0; ++y) {
    Cell& before = screen.at(area.x - 1, y);
    if (width_of(before.text) > 1) before = {" ", before.style};
  }
  for (int y = area.y; y < area.y + area.height && area.x + area.width < screen.width; ++y) {
    Cell& behind = screen.at(area.x + area.width, y);
    if (behind.text.empty()) behind = {" ", behind.style};
  }
  const int right = area.x + area.width - 1;
  const int bottom = area.y + area.height - 1;
  for (int x = area.x; x <= right; ++x) {
    screen.at(x, area.y) = {"\u2500", Style::dim};
    screen.at(x, bottom) = {"\u2500", Style::dim};
  }
  for (int y = area.y; y <= bottom; ++y) {
    screen.at(area.x, y) = {"\u2502", Style::dim};
    screen.at(right, y) = {"\u2502", Style::dim};
  }
  screen.at(area.x, area.y).text = "\u250C";
  screen.at(right, area.y).text = "\u2510";
  screen.at(area.x, bottom).text = "\u2514";
  screen.at(right, bottom).text = "\u2518";
  put(screen, {area.x + 2, area.y}, area.width - 4, title, Style::bold);
  return {area.x + 2, area.y + 1, area.width - 4, area.height - 2};
}

std::vector<std::string> wrap(std::string_view line, int width) {
  std::vector<std::string> rows;
  std::string row;
  int used = 0;
  std::size_t blank = std::string::npos;  // behind the last blank of the row
  width = std::max(width, 2);
  while (!line.empty()) {
    if (line.front() == '\t') {
      line.remove_prefix(1);
      const int blanks = std::min(tab_stop - used % tab_stop, width - used);
      row.append(static_cast<std::size_t>(blanks), ' ');
      used += blanks;
      blank = row.size();
      continue;
    }
    const Character next = take_character(line);
    if (used + next.width > width) {
      if (next.text == " ") {  // blanks at the end of a row are its end
        rows.push_back(std::move(row));
        row.clear();
        used = 0;
        blank = std::string::npos;
        continue;
      }
      std::string rest;
      if (blank != std::string::npos && blank < row.size()) rest = row.substr(blank);
      const bool at_blank = blank != std::string::npos;
      if (at_blank) row.resize(blank);
      rows.push_back(std::move(row));
      row = at_blank ? std::move(rest) : "";
      used = static_cast<int>(width_of(row));
      blank = std::string::npos;
    }
    row += next.text;
    used += next.width;
    if (next.text == " ") blank = row.size();
  }
  rows.push_back(std::move(row));
  return rows;
}

std::size_t next_character(std::string_view text, std::size_t at) {
  std::string_view rest = text.substr(std::min(at, text.size()));
  if (rest.empty()) return text.size();
  (void)take_character(rest);
  return text.size() - rest.size();
}

std::size_t previous_character(std::string_view text, std::size_t at) {
  std::size_t found = 0;
  for (std::size_t next = 0; next < at; next = next_character(text, next)) found = next;
  return found;
}

}  // namespace posthorn::mua::ui
