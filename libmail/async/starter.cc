#include "libmail/async/starter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "libmail/async/starter_side.h"

namespace posthorn::async {
namespace {

using detail::Began;

// Our end of a run's socket.
class Run {
 public:
  explicit Run(Fd control) : control_(std::move(control)) {
    watch_ = std::make_unique<FdWatch>(control_.get(), [this](bool, bool) { read(); });
    watch_->want(true, false);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // What it began with; nothing if nobody is there to say it.
  std::optional<Began> began;
  Event has_begun;  // or there is nobody
  std::optional<ExitStatus> status;
  Event ended;

  void signal(int number) {
    const detail::Signal word{number};
    // Full or gone: a program that has so many signals before it, or none to wait for, needs no more.
    static_cast<void>(::send(control_.get(), &word, sizeof word, MSG_NOSIGNAL));
  }

 private:
  void read() {
    while (!status) {
      std::array<std::int32_t, 2> word{};
      const ssize_t count = ::recv(control_.get(), word.data(), sizeof word, 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      const bool is_word = count == static_cast<ssize_t>(sizeof word);
      if (is_word && !has_begun.is_set()) {
        began = Began{word[0], word[1]};
        has_begun.set();
        continue;
      }
      status.emplace();
      status->code = is_word ? word[0] : 0;
      status->signal = is_word ? word[1] : SIGKILL;
    }
    watch_->want(false, false);
    has_begun.set();
    ended.set();
  }

  Fd control_;
  std::unique_ptr<FdWatch> watch_;
};

class StartedProcess final : public Process {
 public:
  explicit StartedProcess(std::shared_ptr<Run> run) : run_(std::move(run)) {}
  [[nodiscard]] pid_t pid() const override { return run_->began->pid; }
  void signal(int number) override {
    if (!run_->status) run_->signal(number);
  }
  Task<std::optional<ExitStatus>> wait(Deadline deadline) override {
    const auto run = run_;
    const bool ended = co_await run->ended.wait_until(deadline);
    if (!ended) co_return std::nullopt;
    co_return run->status;
  }

 private:
  std::shared_ptr<Run> run_;
};

// What is sent for one command, and what is kept of it.
struct Request {
  Fd file;
  Fd theirs;
  Fd ours;
  std::vector<int> descriptors;  // file, theirs, the program's
  Request() = default;
};

Result<Request, IoError> make_request(const Command& command) {
  const std::string& program = command.argv.front();
  Request request;
  const detail::EncodedCommand encoded = detail::encode_command(command);
  request.file.reset(::memfd_create("command", MFD_CLOEXEC));
  if (!request.file || !write_all(request.file.get(), encoded.octets)) {
    return fail(io_error("start", program));
  }
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(io_error("start", program));
  }
  request.ours.reset(ends[0]);
  request.theirs.reset(ends[1]);
  ::fcntl(request.ours.get(), F_SETFL, O_NONBLOCK);
  request.descriptors = {request.file.get(), request.theirs.get()};
  request.descriptors.insert(request.descriptors.end(), encoded.descriptors.begin(),
                             encoded.descriptors.end());
  return request;
}

}  // namespace

Result<std::unique_ptr<Starter>, IoError> Starter::begin() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(io_error("make a starter of programs"));
  }
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  // No signal finds the new process before it has said which it takes.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) detail::serve_starts(std::move(theirs));
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail(IoError(error, "make a starter of programs"));
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return std::unique_ptr<Starter>(new Starter(pid, std::move(ours)));
}

void Starter::watch(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  listen();
}

void Starter::listen() {
  if (watch_) return;
  watch_ =
      std::make_unique<FdWatch>(socket_.get(), [this](bool, bool writable) { on_ready(writable); });
  watch_->want(true, false);
}

void Starter::on_ready(bool writable) {
  char octet = 0;
  // It never says anything: readable is the end.
  const ssize_t count = ::recv(socket_.get(), &octet, sizeof octet, 0);
  const bool is_alive = count < 0 && (errno == EAGAIN || errno == EINTR);
  watch_->want(is_alive, false);
  if (writable || !is_alive) writable_.set();
  if (is_alive || !on_end_) return;
  const auto on_end = std::exchange(on_end_, nullptr);
  on_end();
}

Task<Result<void, IoError>> Starter::send(const std::vector<int>& descriptors, Deadline deadline) {
  while (!detail::send_descriptors(socket_.get(), descriptors)) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return fail(io_error("ask the starter of programs"));
    // More requests than the socket holds: it takes one after the other.
    listen();
    writable_.reset();
    watch_->want(true, true);
    const bool has_room = co_await writable_.wait_until(deadline);
    if (!has_room) co_return fail(IoError(IoError::timed_out, "ask the starter of programs"));
  }
  co_return Result<void, IoError>();
}

Task<Result<std::unique_ptr<Process>, IoError>> Starter::start(Command command, Deadline deadline) {
  check(!command.argv.empty(), "a command has a name");
  check(!command.die_with_parent, "its parent is not who asks for it");
  auto request = make_request(command);
  if (!request) co_return fail(std::move(request.error()));
  const auto sent = co_await send(request->descriptors, deadline);
  if (!sent) co_return fail(sent.error());
  request->theirs.reset();
  request->file.reset();
  const auto run = std::make_shared<Run>(std::move(request->ours));
  const bool answered = co_await run->has_begun.wait_until(deadline);
  const std::string& program = command.argv.front();
  if (!answered) co_return fail(IoError(IoError::timed_out, "start", program));
  if (!run->began) co_return fail(IoError(IoError::end_of_stream, "start", program));
  if (run->began->error != 0) co_return fail(IoError(run->began->error, "start", program));
  co_return std::make_unique<StartedProcess>(run);
}

}  // namespace posthorn::async
