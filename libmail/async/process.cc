#include "libmail/async/process.h"

#include <csignal>

#include "libmail/async/event.h"
#include "libmail/async/poll.h"

namespace posthorn::async {
namespace {

class Child final : public Process {
 public:
  Child(pid_t pid, Fd pidfd) : state_(std::make_shared<State>(pid, std::move(pidfd))) {
    // The watch keeps the state alive until the child has been reaped, whoever drops the Process.
    state_->watch = std::make_unique<FdWatch>(state_->pidfd.get(), [held = state_](bool, bool) {
      // A copy, because reap() destroys this lambda.
      const auto state = held;  // NOLINT(performance-unnecessary-copy-initialization)
      state->reap();
    });
    state_->watch->want(true, false);
  }

  [[nodiscard]] pid_t pid() const override { return state_->pid; }
  void signal(int number) override {
    if (!state_->status) ::kill(state_->pid, number);
  }
  Task<std::optional<ExitStatus>> wait(Deadline deadline) override {
    const auto state = state_;
    const bool ended = co_await state->ended.wait_until(deadline);
    if (!ended) co_return std::nullopt;
    co_return state->status;
  }

 private:
  struct State {
    pid_t pid;
    Fd pidfd;
    std::optional<ExitStatus> status;
    Event ended;
    std::unique_ptr<FdWatch> watch;
    State(pid_t id, Fd fd) : pid(id), pidfd(std::move(fd)) {}

    void reap() {
      status = async::reap(pid);
      if (!status) return;
      ended.set();
      watch.reset();
    }
  };
  std::shared_ptr<State> state_;
};

}  // namespace

Result<std::unique_ptr<Process>, IoError> start(Command command) {
  auto launched = launch(std::move(command));
  if (!launched) return fail(std::move(launched.error()));
  return std::make_unique<Child>(launched->pid, std::move(launched->handle));
}

}  // namespace posthorn::async
