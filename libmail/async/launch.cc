#include "libmail/async/launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

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

}  // namespace

Result<Launched, IoError> launch(Command command) {
  check(!command.argv.empty(), "a command has a name");
  Launch child;
  for (auto& word : command.argv) child.argv.push_back(word.data());
  child.argv.push_back(nullptr);
  std::vector<std::string> environment;
  for (const auto& [name, value] : command.environment) environment.push_back(name + "=" + value);
  for (auto& entry : environment) child.environment.push_back(entry.data());
  child.environment.push_back(nullptr);
  if (!command.directory.empty()) child.directory = command.directory.c_str();
  child.die_with_parent = command.die_with_parent;
  child.parent = ::getpid();

  // Duplicates above every target number, so that no dup2 in the child overwrites a source.
  std::vector<Fd> held;
  for (const int standard : {0, 1, 2}) command.descriptors.try_emplace(standard, -1);
  const int above = command.descriptors.rbegin()->first + 1;
  for (const auto& [target, source] : command.descriptors) {
    Fd low;
    if (source < 0) low.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    held.emplace_back(::fcntl(source < 0 ? low.get() : source, F_DUPFD_CLOEXEC, above));
    if (!held.back()) return fail(io_error("pass a descriptor to", command.argv[0]));
    child.descriptors.emplace_back(target, held.back().get());
  }
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(io_error("start", command.argv[0]));
  const Fd read_end(pipe[0]);
  Fd write_end(::fcntl(pipe[1], F_DUPFD_CLOEXEC, above));
  ::close(pipe[1]);
  child.report = write_end.get();

  // Without the handlers of libraries (libuv's gives descriptors new numbers): exec ends them all.
  const pid_t pid = ::_Fork();
  if (pid == 0) child.run();
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
  Launched launched;
  launched.pid = pid;
  launched.handle.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  check(static_cast<bool>(launched.handle), "pidfd_open");
  return launched;
}

std::optional<ExitStatus> reap(pid_t pid) {
  int raw = 0;
  if (::waitpid(pid, &raw, WNOHANG) != pid) return std::nullopt;
  ExitStatus status;
  if (WIFEXITED(raw)) status.code = WEXITSTATUS(raw);
  if (WIFSIGNALED(raw)) status.signal = WTERMSIG(raw);
  return status;
}

}  // namespace posthorn::async
