// A screen as values: cells with a style, filled by display width. Nothing here knows a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::mua::ui {

// What a cell means; terminal.cc says how it looks, with colours and without.
enum class Style : std::uint8_t {
  plain,
  bold,    // not read yet
  dim,     // of less weight: rules, hints, folded counts
  title,   // the bar on top
  status,  // the bar below
  error,
  cursor,   // the row under the cursor, in the pane that has the keys
  resting,  // the same in another pane
  field,    // names of header fields
  quote,    // what somebody else wrote before
  flagged,
};

struct Cell {
  std::string text = " ";  // a code point and what combines with it; "" = right half of a wide one
  Style style = Style::plain;
  bool operator==(const Cell&) const = default;
};

struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
  [[nodiscard]] bool empty() const { return width <= 0 || height <= 0; }
};

struct Place {
  int x = 0;
  int y = 0;
};

struct Screen {
  int width = 0;
  int height = 0;
  std::vector<Cell> cells;      // row after row
  std::optional<Place> cursor;  // where the terminal's own is; nothing: nowhere

  Screen(int columns, int rows)
      : width(columns),
        height(rows),
        cells(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows)) {}
  [[nodiscard]] Cell& at(int x, int y) { return cells[place(x, y)]; }
  [[nodiscard]] const Cell& at(int x, int y) const { return cells[place(x, y)]; }
  // A row's text without blanks at its end, and a letter for each cell's style (tests).
  [[nodiscard]] std::string text_of(int y) const;
  [[nodiscard]] std::string styles_of(int y) const;

 private:
  [[nodiscard]] std::size_t place(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
  }
};

// Writes UTF-8 into the row, at most `width` columns and none behind the screen's edge; what does not fit ends with an
// ellipsis. Controls become U+FFFD. Gives the columns used.
int put(Screen& screen, Place where, int width, std::string_view text, Style style = Style::plain);
// The same, and blanks of that style up to `width`.
void put_row(Screen& screen, Place where, int width, std::string_view text,
             Style style = Style::plain);
void fill(Screen& screen, const Rect& area, Style style = Style::plain);
// A frame of lines with the inside cleared; gives the inside.
Rect frame(Screen& screen, const Rect& area, std::string_view title);

// One line as rows of at most `width` columns, broken at blanks where there are any; TABs reach to columns of eight.
[[nodiscard]] std::vector<std::string> wrap(std::string_view line, int width);

// The offset before and after the character (what combines included) at `at`.
[[nodiscard]] std::size_t previous_character(std::string_view text, std::size_t at);
[[nodiscard]] std::size_t next_character(std::string_view text, std::size_t at);

}  // namespace posthorn::mua::ui
