#include "libmail/access/own_worker.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "libmail/base/text.h"

namespace posthorn::access {
namespace {

// What tells a process about sockets that were passed to it, and whom to tell that it is ready: the front's affair.
constexpr const char* front_variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                           "NOTIFY_SOCKET"};

// True if `word` is option `name`; `takes_next` if its value is the next word.
bool is_option(std::string_view word, std::string_view name, bool& takes_next) {
  takes_next = word == name;
  return takes_next || (word.size() > name.size() && word.substr(0, name.size()) == name &&
                        word[name.size()] == '=');
}

constexpr const char* pipe_variable = "POSTHORN_FRONT_PIPE";
constexpr int pipe_in_worker = 3;

[[noreturn]] void become_worker(const std::vector<char*>& argv, pid_t parent, int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(0);
  // Standard output may be a client (inetd); standard error is the log.
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(null, 1);
  // Where it is already, dup2() would leave it to be closed by exec.
  if (pipe == pipe_in_worker) ::fcntl(pipe, F_SETFD, 0);
  if (pipe != pipe_in_worker) ::dup2(pipe, pipe_in_worker);
  ::close_range(pipe_in_worker + 1, ~0u, 0);
  for (const char* name : front_variables) ::unsetenv(name);
  ::setenv(pipe_variable, std::to_string(pipe_in_worker).c_str(), 1);
  ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

}  // namespace

std::vector<std::string> worker_arguments(std::string_view agent,
                                          const std::vector<std::string>& front,
                                          const service::Site& site, const std::string& listen) {
  std::vector<std::string> arguments{front.empty() ? std::string(agent) : front.front(),
                                     "--worker"};
  std::string name(agent);
  bool has_config = false;
  for (std::size_t i = 1; i < front.size(); ++i) {
    bool takes_next = false;
    if (is_option(front[i], "--name", takes_next)) {
      name = takes_next ? (i + 1 < front.size() ? front[++i] : name)
                        : front[i].substr(sizeof "--name");
      continue;
    }
    if (is_option(front[i], "--ops", takes_next) ||
        is_option(front[i], "--worker-listen", takes_next)) {
      if (takes_next) ++i;
      continue;
    }
    has_config = has_config || is_option(front[i], "--config", takes_next);
    arguments.push_back(front[i]);
  }
  const std::string file = site.path("conf/" + name + ".toml");
  if (!has_config && ::access(file.c_str(), R_OK) == 0) arguments.push_back("--config=" + file);
  arguments.push_back("--name=" + name + "-worker");
  arguments.push_back("--worker-listen=" + listen);
  return arguments;
}

int take_front_pipe() {
  const char* text = std::getenv(pipe_variable);
  const auto number = parse_number<int>(text == nullptr ? "" : text);
  ::unsetenv(pipe_variable);
  return number.value_or(-1);
}

Result<OwnWorker, std::string> OwnWorker::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return fail(io_error("start the mail worker").text());
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(io_error("start the mail worker").text());
  if (pid == 0) become_worker(argv, parent, read_end.get());
  Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return fail(io_error("watch the mail worker").text());
  ::fcntl(handle.get(), F_SETFL, O_NONBLOCK);
  return OwnWorker(pid, std::move(handle), std::move(write_end));
}

void OwnWorker::watch(std::function<void()> on_end) {
  watch_ = std::make_unique<async::FdWatch>(handle_.get(),
                                            [this, on_end = std::move(on_end)](bool, bool) {
                                              watch_->want(false, false);
                                              on_end();
                                            });
  watch_->want(true, false);
}

}  // namespace posthorn::access
