// mua ui: the verb, and the loop that joins the terminal, the model and the mail side.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <deque>

#include "agents/mua/compose.h"
#include "agents/mua/secret.h"
#include "agents/mua/ui/draw.h"
#include "agents/mua/ui/mail_side.h"
#include "agents/mua/ui/terminal.h"
#include "agents/mua/ui/update.h"
#include "agents/mua/verbs.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/poll.h"
#include "libmail/async/signals.h"

namespace posthorn::mua {

namespace ui {

namespace {

constexpr Duration tick = std::chrono::milliseconds(250);
constexpr Duration farewell = std::chrono::seconds(2);  // for changes under way when mua ends

class Ui {
 public:
  Ui(std::vector<Account> accounts, std::string outbox, Duration timeout, std::size_t first,
     std::unique_ptr<TerminalScreen> screen)
      : accounts_(std::move(accounts)),
        screen_(std::move(screen)),
        mail_(accounts_, std::move(outbox), timeout,
              [this](Event event) { tell(std::move(event)); }),
        keys_(screen_->descriptor(), [this](bool, bool) { read_keys(); }),
        resized_(SIGWINCH, [this] { resize(); }),
        continued_(SIGCONT, [this] { come_back(); }),
        terminated_(SIGTERM, [this] { tell(Ended{}); }),
        hung_up_(SIGHUP, [this] { tell(Ended{}); }) {
    for (const Account& each : accounts_) {
      model_.accounts.push_back(each.name);
      model_.servers.push_back(each.server.host.empty() ? each.name : each.server.host);
    }
    model_.account = first;
    model_.now = std::chrono::steady_clock::now();
    const auto size = screen_->size();
    model_.width = size.width;
    model_.height = size.height;
  }

  // Until the user has had enough.
  Task<void> run() {
    keys_.want(true, false);
    take(begin(std::move(model_)));
    while (!quitting_) {
      draw_now();
      changed_.reset();
      co_await changed_.wait();
      while (!events_.empty() && !quitting_) {
        const Event event = std::move(events_.front());
        events_.pop_front();
        take(update(std::move(model_), event));
      }
    }
    timer_.clear();
    keys_.want(false, false);
    const Deadline deadline = Deadline::in(farewell);
    const bool all_done = co_await mail_.finish(deadline);
    screen_.reset();
    co_await edits_.join();
    // What hangs at a dead server has nothing left to do for anybody.
    if (!all_done) std::_Exit(exit_code::ok);
  }

 private:
  void tell(Event event) {
    events_.push_back(std::move(event));
    changed_.set();
  }
  void take(Step step) {
    model_ = std::move(step.model);
    for (Action& action : step.actions) {
      if (asking_ && !std::holds_alternative<Quit>(action))
        deferred_.push_back(std::move(action));
      else
        std::visit([this](const auto& each) { perform(each); }, action);
    }
  }
  void draw_now() {
    if (away_) return;
    screen_->show(draw(model_, model_.width, model_.height));
    if (!model_.pending.empty() && !timer_.is_set()) {
      timer_.set(Deadline::in(tick), [this] { tell(Tick{std::chrono::steady_clock::now()}); });
    }
  }
  void read_keys() {
    bool any = false;
    while (const auto key = screen_->next_key()) {
      tell(KeyPressed{*key, std::chrono::steady_clock::now()});
      any = true;
    }
    if (!any && screen_->hung_up()) {
      keys_.want(false, false);
      tell(Ended{});
    }
  }
  void resize() {
    const auto size = screen_->size();
    if (!away_) screen_->resize(size);
    tell(Resized{size.width, size.height});
  }

  void leave() {
    away_ = true;
    keys_.want(false, false);
    screen_->leave();
  }
  void come_back() {
    if (editing_ || asking_) return;
    screen_->come_back();
    away_ = false;
    keys_.want(true, false);
    resize();
  }

  template <class A>
  void perform(const A& action) {
    mail_.perform(action);
  }
  void perform(const OpenAccount& action) {
    if (!wants_password(accounts_[action.account])) return mail_.perform(action);
    asking_ = true;
    edits_.spawn(ask_passwords(action));
  }
  void perform(const EditLetter& action) { edits_.spawn(edit_letter(action.letter)); }
  void perform(const Redraw&) { screen_->redraw(); }
  void perform(const Suspend&) {
    leave();
    ::kill(0, SIGSTOP);  // SIGCONT brings it back
  }
  void perform(const Quit&) { quitting_ = true; }

  static bool wants(const Server& server) {
    return !server.empty() && !server.user.empty() && server.secret.empty();
  }
  static bool wants_password(const Account& account) {
    return wants(account.server) || wants(account.submission);
  }
  // Those that an account keeps nowhere, before its connections need them. What is to be done with it waits meanwhile.
  Task<void> ask_passwords(OpenAccount action) {
    Account& account = accounts_[action.account];
    leave();
    std::optional<std::string> known;
    for (Server* server : {&account.server, &account.submission}) {
      if (!wants(*server)) continue;
      // Who typed nothing is not asked again.
      if (!known || (!known->empty() && server->user != account.server.user)) {
        const auto password = co_await ask_password(server->user, account.name);
        known = password.value_or("");
      }
      server->secret.typed = known;
    }
    asking_ = false;
    if (quitting_) co_return;
    come_back();
    mail_.perform(action);
    Step rest{std::move(model_), std::exchange(deferred_, {})};
    take(std::move(rest));
    changed_.set();
  }

  // The editor has the terminal; the loop goes on beside it.
  Task<void> edit_letter(Letter letter) {
    editing_ = true;
    leave();
    auto work = [&letter]() -> Result<Letter, ToolError> {
      Letter edited = letter;
      auto typed = edit(edited.draft, edited.text);
      if (!typed) return fail(typed.error());
      edited.typed = std::move(*typed);
      return edited;
    };
    auto edited = co_await async::blocking(std::move(work));
    editing_ = false;
    come_back();
    LetterEdited event;
    if (edited) {
      if (!letter.typed.empty()) ::unlink(letter.typed.c_str());
      event.letter = std::move(*edited);
    } else {
      const ToolError& error = edited.error();
      event.error = error.hint.empty() ? error.message : error.message + "; " + error.hint;
      // What was looked at before is looked at again; what never was has nothing in it.
      event.given_up = letter.typed.empty() && !letter.taken_up;
      event.letter = std::move(letter);
    }
    tell(std::move(event));
  }

  std::vector<Account> accounts_;
  std::unique_ptr<TerminalScreen> screen_;
  MailSide mail_;
  Model model_;
  std::deque<Event> events_;
  async::Event changed_;
  async::Timer timer_;
  async::Scope edits_;
  bool away_ = false;
  bool editing_ = false;
  bool asking_ = false;
  std::vector<Action> deferred_;
  bool quitting_ = false;
  async::FdWatch keys_;
  async::SignalWatch resized_;
  async::SignalWatch continued_;
  async::SignalWatch terminated_;
  async::SignalWatch hung_up_;
};

Task<void> run_ui(std::vector<Account> accounts, std::string outbox, Duration timeout,
                  std::size_t first, std::unique_ptr<TerminalScreen> screen) {
  auto all = std::make_unique<Ui>(std::move(accounts), std::move(outbox), timeout, first,
                                  std::move(screen));
  co_await all->run();
}

}  // namespace

class Verb final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "ui"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "folders, conversations and messages on the full screen; ? lists the keys";
  }
  void describe(OptionTable& table) override { common_.describe(table); }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.json)
      return fail(ToolError(exit_code::usage, "usage", "a screen is no JSON", "mua list --json"));
    const auto file = read_accounts(accounts_file(common_.config));
    if (!file) return fail(file.error());
    auto chosen = common_.accounts();
    if (!chosen) return fail(chosen.error());
    // A list of names is what there is to choose from; one name or none begins with that one.
    std::vector<Account> accounts = chosen->size() > 1 ? *chosen : file->all;
    std::size_t first = 0;
    while (first + 1 < accounts.size() && accounts[first].name != chosen->front().name) ++first;
    auto screen = TerminalScreen::take();
    if (!screen)
      return fail(ToolError(exit_code::usage, "usage", screen.error(), "mua list, mua read"));
    async::run(
        run_ui(std::move(accounts), file->outbox, common_.timeout, first, std::move(*screen)));
    return exit_code::ok;
  }

 private:
  Common common_;
};

}  // namespace ui

std::unique_ptr<Tool> make_ui() {
  return std::make_unique<ui::Verb>();
}

}  // namespace posthorn::mua
