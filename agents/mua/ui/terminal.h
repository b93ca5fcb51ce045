// The terminal: a thin layer over ncursesw. Nothing else includes it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agents/mua/ui/cells.h"
#include "agents/mua/ui/event.h"
#include "libmail/base/fd.h"
#include "libmail/base/result.h"

namespace posthorn::mua::ui {

class TerminalScreen {
 public:
  // Takes the terminal of standard input and output. The error is a sentence: there is none, or none that we can drive.
  [[nodiscard]] static Result<std::unique_ptr<TerminalScreen>, std::string> take();
  ~TerminalScreen();  // gives it back, as it was
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  // Readable when keys may be there. A descriptor of its own: what is polled becomes non-blocking, and standard input
  // belongs to others, too.
  [[nodiscard]] int descriptor() const { return input_.get(); }
  [[nodiscard]] std::optional<Key> next_key();  // nothing: no more for now
  [[nodiscard]] bool hung_up() const;

  struct Size {
    int width = 80;
    int height = 24;
  };
  [[nodiscard]] Size size() const;  // as the kernel knows it
  void resize(Size size);

  void show(const Screen& screen);  // must be of the size last set
  void redraw();                    // all of it, whatever the terminal shows now
  void leave();                     // to another program
  void come_back();

 private:
  TerminalScreen() = default;
  void set_modes();

  struct State;
  std::unique_ptr<State> state_;
  Fd input_;
  Fd errors_;  // what was standard error; while the screen is up it goes to `said_`
  Fd said_;
};

}  // namespace posthorn::mua::ui
