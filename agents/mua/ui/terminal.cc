#include "agents/mua/ui/terminal.h"

#include <curses.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <cstdlib>
#include <cwchar>

#include "agents/mua/command.h"
#include "agents/mua/output.h"
#include "libmail/message/utf8.h"

namespace posthorn::mua::ui {

namespace {

constexpr int escape_delay = 25;  // ms that may pass within the octets of one key
constexpr std::size_t styles = 11;

struct Look {
  attr_t attributes = A_NORMAL;
  short pair = 0;
};

// Without colours the same is said with bold, reverse and underline.
std::array<Look, styles> looks(bool color) {
  std::array<Look, styles> all{};
  const auto set = [&](Style style, Look with_color, attr_t without) {
    all[static_cast<std::size_t>(style)] = color ? with_color : Look{without, 0};
  };
  set(Style::plain, {A_NORMAL, 0}, A_NORMAL);
  set(Style::bold, {A_BOLD, 0}, A_BOLD);
  set(Style::dim, {A_DIM, 0}, A_DIM);
  set(Style::title, {A_BOLD, 1}, A_REVERSE);
  set(Style::status, {A_NORMAL, 1}, A_REVERSE);
  set(Style::error, {A_BOLD, 2}, A_REVERSE | A_BOLD);
  set(Style::cursor, {A_NORMAL, 3}, A_REVERSE);
  set(Style::resting, {A_UNDERLINE, 4}, A_UNDERLINE);
  set(Style::field, {A_NORMAL, 4}, A_BOLD);
  set(Style::quote, {A_NORMAL, 5}, A_DIM);
  set(Style::flagged, {A_BOLD, 6}, A_BOLD);
  return all;
}

void make_pairs() {
  constexpr short own = -1;  // the terminal's own background
  init_pair(1, COLOR_WHITE, COLOR_BLUE);
  init_pair(2, COLOR_WHITE, COLOR_RED);
  init_pair(3, COLOR_BLACK, COLOR_CYAN);
  init_pair(4, COLOR_CYAN, own);
  init_pair(5, COLOR_GREEN, own);
  init_pair(6, COLOR_YELLOW, own);
}

std::optional<Key> key_of(wint_t c, bool is_function) {
  using Code = Key::Code;
  if (!is_function) {
    switch (c) {
      case 27:
        return Key{Code::escape, 0};
      case '\r':
      case '\n':
        return Key{Code::enter, 0};
      case '\t':
        return Key{Code::tab, 0};
      case 8:
      case 127:
        return Key{Code::backspace, 0};
      default:
        return Key::of(static_cast<char32_t>(c));
    }
  }
  static constexpr std::array<std::pair<int, Code>, 13> known{{{KEY_UP, Code::up},
                                                               {KEY_DOWN, Code::down},
                                                               {KEY_LEFT, Code::left},
                                                               {KEY_RIGHT, Code::right},
                                                               {KEY_PPAGE, Code::page_up},
                                                               {KEY_NPAGE, Code::page_down},
                                                               {KEY_HOME, Code::home},
                                                               {KEY_END, Code::end},
                                                               {KEY_ENTER, Code::enter},
                                                               {KEY_BTAB, Code::back_tab},
                                                               {KEY_BACKSPACE, Code::backspace},
                                                               {KEY_DC, Code::remove},
                                                               {KEY_CANCEL, Code::escape}}};
  for (const auto& [code, meaning] : known) {
    if (static_cast<int>(c) == code) return Key{meaning, 0};
  }
  return std::nullopt;
}

// The cell's text for ncurses. What the C library would draw at another width than ours moves everything behind it.
std::wstring wide_text(const Cell& cell, int width) {
  std::wstring wide;
  std::string_view rest = cell.text;
  while (!rest.empty() && wide.size() < CCHARW_MAX)
    wide += static_cast<wchar_t>(message::take_code_point(rest));
  int columns = wide.empty() ? 0 : ::wcwidth(wide.front());
  for (std::size_t i = 1; i < wide.size(); ++i) {
    if (::wcwidth(wide[i]) != 0) columns = -1;
  }
  if (columns == width) return wide;
  return L"\xFFFD";
}

}  // namespace

struct TerminalScreen::State {
  SCREEN* screen = nullptr;
  std::array<Look, styles> look{};
};

Result<std::unique_ptr<TerminalScreen>, std::string> TerminalScreen::take() {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
    return fail("mua ui needs a terminal as standard input and output");
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
  const char* name = ::ttyname(STDIN_FILENO);
  Fd input(name == nullptr ? -1 : ::open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!input) return fail("the terminal can't be opened: " + io_error("open", "").text());
  std::unique_ptr<TerminalScreen> taken(new TerminalScreen);
  taken->state_ = std::make_unique<State>();
  taken->state_->screen = ::newterm(nullptr, stdout, stdin);
  if (taken->state_->screen == nullptr)
    return fail("this terminal can't be used: TERM names none that is known");
  taken->input_ = std::move(input);
  taken->set_modes();
  // Warnings of helpers would tear the screen: they are said when it is gone.
  if (auto said = file_in_memory()) {
    taken->errors_ = Fd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    taken->said_ = std::move(*said);
    ::dup2(taken->said_.get(), STDERR_FILENO);
  }
  return taken;
}

TerminalScreen::~TerminalScreen() {
  if (state_ == nullptr || state_->screen == nullptr) return;
  ::endwin();
  ::delscreen(state_->screen);
  if (!errors_) return;
  ::dup2(errors_.get(), STDERR_FILENO);
  std::array<char, 4096> octets{};
  const ssize_t count = ::pread(said_.get(), octets.data(), octets.size(), 0);
  if (count > 0)
    (void)write_all(STDERR_FILENO, shown_text({octets.data(), static_cast<std::size_t>(count)}));
}

void TerminalScreen::set_modes() {
  ::raw();
  ::noecho();
  ::nonl();
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::set_escdelay(escape_delay);
  const bool color = terminal().color && ::has_colors();
  if (color) {
    ::start_color();
    ::use_default_colors();
    make_pairs();
  }
  state_->look = looks(color);
}

std::optional<Key> TerminalScreen::next_key() {
  for (;;) {
    wint_t c = 0;
    const int kind = ::wget_wch(stdscr, &c);
    if (kind == ERR) return std::nullopt;
    if (const auto key = key_of(c, kind == KEY_CODE_YES)) return key;
  }
}

bool TerminalScreen::hung_up() const {
  pollfd look{input_.get(), POLLIN, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

TerminalScreen::Size TerminalScreen::size() const {
  winsize found{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 || found.ws_row == 0)
    return {};
  return {found.ws_col, found.ws_row};
}

void TerminalScreen::resize(Size size) {
  ::resizeterm(size.height, size.width);
}

void TerminalScreen::show(const Screen& screen) {
  ::werase(stdscr);
  for (int y = 0; y < screen.height; ++y) {
    for (int x = 0; x < screen.width; ++x) {
      const Cell& cell = screen.at(x, y);
      if (cell.text.empty()) continue;
      int width = 1;
      while (x + width < screen.width && screen.at(x + width, y).text.empty()) ++width;
      const Look& look = state_->look[static_cast<std::size_t>(cell.style)];
      cchar_t drawn{};
      ::setcchar(&drawn, wide_text(cell, width).c_str(), look.attributes, look.pair, nullptr);
      ::wmove(stdscr, y, x);
      ::wadd_wch(stdscr, &drawn);
    }
  }
  ::curs_set(screen.cursor ? 1 : 0);
  if (screen.cursor) ::wmove(stdscr, screen.cursor->y, screen.cursor->x);
  ::wrefresh(stdscr);
}

void TerminalScreen::redraw() {
  ::wclear(stdscr);
  ::clearok(stdscr, TRUE);
}

void TerminalScreen::leave() {
  ::curs_set(1);
  ::endwin();
}

void TerminalScreen::come_back() {
  ::resizeterm(size().height, size().width);
  ::wrefresh(stdscr);  // takes the terminal again
  redraw();
}

}  // namespace posthorn::mua::ui
