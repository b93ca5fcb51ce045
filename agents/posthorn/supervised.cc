#include "agents/posthorn/supervised.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

using async::Deadline;
using async::Task;

std::string_view text_of(Supervised::State state) {
  switch (state) {
    case Supervised::State::starting:
      return "starting";
    case Supervised::State::ready:
      return "ready";
    case Supervised::State::waiting:
      return "waiting";
    case Supervised::State::stopped:
      return "stopped";
  }
  return "";
}

Supervised::Supervised(AgentProgram program, std::vector<HeldSocket> sockets,
                       std::string notify_socket, std::string log_file, Pauses pauses,
                       async::Event& stopping, service::Log& log)
    : program_(std::move(program)),
      sockets_(std::move(sockets)),
      notify_socket_(std::move(notify_socket)),
      log_file_(std::move(log_file)),
      pauses_(pauses),
      stopping_(stopping),
      log_(log),
      pause_(pauses.first) {}

Result<void, IoError> Supervised::launch() {
  constexpr int first_passed = 3;
  async::Command command;
  command.argv = program_.argv;
  command.environment = agent_environment();
  command.die_with_parent = true;
  Fd log_file;
  if (!log_file_.empty()) {
    log_file.reset(::open(log_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!log_file) return fail(io_error("open", log_file_));
    struct stat facts{};
    if (::fstat(log_file.get(), &facts) == 0)
      log_size_before_ = static_cast<std::uint64_t>(facts.st_size);
  }
  const int output = log_file ? log_file.get() : STDERR_FILENO;
  command.descriptors = {{1, output}, {2, output}};
  if (program_.is_ours) {
    command.environment["NOTIFY_SOCKET"] = notify_socket_;
    // LISTEN_PID is left out: nobody can know it before the child runs.
    command.environment["LISTEN_FDS"] = std::to_string(sockets_.size());
    std::string names;
    int target = first_passed;
    for (const HeldSocket& socket : sockets_) {
      names += (names.empty() ? "" : ":") + socket.option;
      command.descriptors[target++] = socket.fd.get();
    }
    command.environment["LISTEN_FDNAMES"] = names;
  }
  auto process = async::start(std::move(command));
  if (!process) return fail(std::move(process.error()));
  process_ = std::move(*process);
  ++starts_;
  started_ = async::Loop::current().now();
  state_ = State::starting;
  log_.info("", "started", {{"agent", name()}, {"pid", process_->pid()}});
  if (!program_.is_ours) on_ready();  // it has no way to tell
  return {};
}

void Supervised::on_ready() {
  if (state_ == State::ready) return;
  state_ = State::ready;
  settled_.set();
}

void Supervised::signal(int number) {
  if (process_) process_->signal(number);
}

// What it wrote since it was started, for the one who waits for its first start.
std::string Supervised::last_words() const {
  constexpr std::size_t most = 2000;
  if (log_file_.empty()) return {};
  std::ifstream in(log_file_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(log_size_before_));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.size() > most) text.erase(0, text.size() - most);
  return std::string(trim(text));
}

void Supervised::ended(const async::ExitStatus& status) {
  const bool expected = stopping_.is_set();
  log_.write(expected ? service::Level::info : service::Level::warning, "", "ended",
             {{"agent", name()},
              {"pid", process_->pid()},
              {"exit", status.code},
              {"signal", status.signal}});
  process_.reset();
  if (expected || settled_.is_set()) return;
  const std::string words = last_words();
  first_failure_ =
      name() + (status.signal != 0 ? " was ended by signal " + std::to_string(status.signal)
                                   : " ended with exit code " + std::to_string(status.code));
  if (!words.empty()) first_failure_ += ": " + words;
  settled_.set();
}

Task<void> Supervised::keep_running() {
  while (!stopping_.is_set()) {
    const auto launched = launch();
    if (launched) {
      const auto status = co_await process_->wait(Deadline::never());
      ended(*status);
    } else {
      log_.error("", "start-failed", {{"agent", name()}, {"why", launched.error().text()}});
      if (!settled_.is_set()) first_failure_ = launched.error().text();
      settled_.set();
    }
    if (stopping_.is_set()) break;
    const bool settled = launched && async::Loop::current().now() - started_ >= pauses_.settled;
    if (settled) pause_ = pauses_.first;
    state_ = State::waiting;
    log_.info("", "restart", {{"agent", name()}, {"in", pause_}});
    const bool stop = co_await stopping_.wait_until(Deadline::in(pause_));
    if (stop) break;
    pause_ = std::min(pause_ * 2, pauses_.last);
  }
  state_ = State::stopped;
}

}  // namespace posthorn::operate
