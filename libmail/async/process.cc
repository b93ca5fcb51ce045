#include "libmail/async/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "libmail/async/event.h"
#include "libmail/async/loop.h"
#include "libmail/async/poll.h"

namespace posthorn::async {
namespace {

// The child's side, between fork and exec: async-signal-safe calls only, everything was prepared
// before.
struct Launch {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<std::pair<int, int>>
      descriptors;  // (number in the child, ours), ours all above every target
  const char* directory = nullptr;
  bool die_with_parent = false;
  pid_t parent = 0;
  int report = -1;  // errno of a failed exec goes here; closed by a good one

  [[noreturn]] void give_up() const {
    const int error = errno;
    (void)!::write(report, &error, sizeof error);
    ::_exit(127);
  }

  [[noreturn]] void run() const {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGPIPE, SIGTERM, SIGHUP, SIGINT, SIGCHLD}) ::signal(number, SIG_DFL);
    if (die_with_parent) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != parent) ::_exit(127);  // it died before we asked
    }
    if (directory != nullptr && ::chdir(directory) != 0) give_up();
    for (const auto& [target, source] : descriptors) {
      if (::dup2(source, target) < 0) give_up();  // dup2 clears close-on-exec
    }
    ::execvpe(argv[0], argv.data(), environment.data());
    give_up();
  }
};

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
      int raw = 0;
      if (::waitpid(pid, &raw, WNOHANG) != pid) return;
      ExitStatus result;
      if (WIFEXITED(raw)) result.code = WEXITSTATUS(raw);
      if (WIFSIGNALED(raw)) result.signal = WTERMSIG(raw);
      status = result;
      ended.set();
      watch.reset();
    }
  };
  std::shared_ptr<State> state_;
};

}  // namespace

Result<std::unique_ptr<Process>, IoError> start(Command command) {
  check(!command.argv.empty(), "a command has a name");
  Launch launch;
  for (auto& word : command.argv) launch.argv.push_back(word.data());
  launch.argv.push_back(nullptr);
  std::vector<std::string> environment;
  for (const auto& [name, value] : command.environment) environment.push_back(name + "=" + value);
  for (auto& entry : environment) launch.environment.push_back(entry.data());
  launch.environment.push_back(nullptr);
  if (!command.directory.empty()) launch.directory = command.directory.c_str();
  launch.die_with_parent = command.die_with_parent;
  launch.parent = ::getpid();

  // Duplicates above every target number, so that no dup2 in the child overwrites a source.
  std::vector<Fd> held;
  for (const int standard : {0, 1, 2}) command.descriptors.try_emplace(standard, -1);
  const int above = command.descriptors.rbegin()->first + 1;
  for (const auto& [target, source] : command.descriptors) {
    Fd low;
    if (source < 0) low.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    held.emplace_back(::fcntl(source < 0 ? low.get() : source, F_DUPFD_CLOEXEC, above));
    if (!held.back()) return fail(io_error("pass a descriptor to", command.argv[0]));
    launch.descriptors.emplace_back(target, held.back().get());
  }
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(io_error("start", command.argv[0]));
  const Fd read_end(pipe[0]);
  Fd write_end(::fcntl(pipe[1], F_DUPFD_CLOEXEC, above));
  ::close(pipe[1]);
  launch.report = write_end.get();

  const pid_t pid = ::fork();
  if (pid == 0) launch.run();
  if (pid < 0) return fail(io_error("start", command.argv[0]));
  write_end.reset();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    return fail(IoError(error, "start", command.argv[0]));
  }
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  check(static_cast<bool>(pidfd), "pidfd_open");
  return std::make_unique<Child>(pid, std::move(pidfd));
}

}  // namespace posthorn::async
