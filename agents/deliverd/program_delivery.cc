#include "agents/deliverd/program_delivery.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "agents/deliverd/exit_status.h"
#include "agents/deliverd/pipe_message.h"
#include "libmail/async/files.h"
#include "libmail/async/poll.h"
#include "libmail/async/scope.h"

namespace posthorn::deliverd {

using async::Task;

namespace {

constexpr std::uint64_t memory_limit = 1 << 20;  // larger messages go through a file
constexpr std::size_t output_limit = 4096;       // of what the program says
constexpr std::size_t chunk = 64 * 1024;
constexpr const char* input_name = "the input of the delivery program";
const smtp::Reply loop{
    554, {5, 4, 6}, "Mail loop: this message has been delivered to this address before"};
const smtp::Reply cannot_start{
    451, {4, 3, 5}, "The delivery program can't be started, try again later"};
const smtp::Reply no_place{
    451, {4, 3, 2}, "Too many delivery programs are running, try again later"};

std::map<std::string, std::string> base_environment() {
  std::map<std::string, std::string> environment;
  environment["PATH"] = "/usr/bin:/bin";
  environment["SHELL"] = "/bin/sh";
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr) {
    environment["HOME"] = found->pw_dir;
    environment["LOGNAME"] = environment["USER"] = found->pw_name;
    if (*found->pw_shell != '\0') environment["SHELL"] = found->pw_shell;
  }
  for (const char* name : {"TZ", "LANG"}) {
    const char* value =
        std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before there are threads
    if (value != nullptr) environment[name] = value;
  }
  return environment;
}

// Gathers what a program writes, as much of it as anybody wants to read, until the pipe ends.
class Output {
 public:
  // The end for the program; nothing if there is no pipe to be had.
  Fd open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Fd();
    ours_ = Fd(ends[0]);
    ::fcntl(ours_.get(), F_SETFL, O_NONBLOCK);
    watch_ = std::make_unique<async::FdWatch>(ours_.get(), [this](bool, bool) { read(); });
    watch_->want(true, false);
    return Fd(ends[1]);
  }
  // What is there when the program has ended; a child of its own that lives on keeps nobody waiting.
  std::string take() {
    if (watch_) read();
    watch_.reset();
    return std::move(text_);
  }

 private:
  void read() {
    std::array<char, 4096> buffer{};
    for (int round = 0; round < 16; ++round) {
      const ssize_t n = ::read(ours_.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) watch_->want(false, false);
      if (n <= 0) return;
      const auto room = output_limit - std::min(output_limit, text_.size());
      text_.append(buffer.data(), std::min(room, static_cast<std::size_t>(n)));
    }
  }
  Fd ours_;
  std::unique_ptr<async::FdWatch> watch_;
  std::string text_;
};

}  // namespace

ProgramDelivery::ProgramDelivery(async::Starter& starter, std::size_t concurrency,
                                 std::string spool)
    : starter_(starter),
      rules_(std::make_shared<const PipeRules>()),
      places_(concurrency),
      spool_(std::move(spool)),
      environment_(base_environment()) {}

Task<Result<Target, smtp::Reply>> ProgramDelivery::find(smtp::Mailbox mailbox) {
  Target target;
  target.user = smtp::format_mailbox(mailbox);
  co_return target;
}

Task<std::vector<Outcome>> ProgramDelivery::deliver(const Letter& letter,
                                                    const std::vector<Target>&) {
  const std::size_t count = letter.envelope.recipients.size();
  std::vector<Outcome> outcomes(count);
  std::vector<std::size_t> all;
  async::Scope scope;
  const bool each = rules_->flags.delivered_to || rules_->flags.original_to;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(i);
    if (each) scope.spawn(run_for(letter, std::exchange(all, {}), &outcomes));
  }
  if (!each) scope.spawn(run_for(letter, std::move(all), &outcomes));
  co_await scope.join();
  co_return outcomes;
}

Task<void> ProgramDelivery::run_for(const Letter& letter, std::vector<std::size_t> recipients,
                                    std::vector<Outcome>* outcomes) {
  const Rules rules = rules_;
  const smtp::Mailbox& first = letter.envelope.recipients[recipients.front()].mailbox;
  Outcome outcome(no_place);
  if (rules->flags.delivered_to && is_loop(letter, first)) {
    outcome = Outcome(loop);
  } else {
    const async::Deadline deadline = async::Deadline::in(rules->time_limit);
    const bool place = co_await places_.acquire(deadline);
    if (place) outcome = co_await run(letter, recipients, rules);
    if (place) places_.release();
  }
  for (const std::size_t recipient : recipients) (*outcomes)[recipient] = outcome;
}

Task<Outcome> ProgramDelivery::run(const Letter& letter, const std::vector<std::size_t>& recipients,
                                   Rules rules) {
  const smtp::Recipient* single =
      recipients.size() == 1 ? &letter.envelope.recipients[recipients.front()] : nullptr;
  auto write = [this, &letter, single, rules] { return write_input(*rules, letter, single); };
  auto input = co_await async::blocking(std::move(write));
  if (!input) {
    const store::StoreError error(input.error());
    const bool full = error.kind == store::StoreError::Kind::disk_full;
    const smtp::Reply reply(full ? 452 : 451,
                            full ? smtp::EnhancedStatus(4, 3, 1) : smtp::EnhancedStatus(4, 3, 0),
                            "The message can't be given to the delivery program, try again later");
    co_return Outcome(reply, error.text);
  }

  const MacroValues message = message_macros(*rules, letter);
  std::vector<MacroValues> values;
  values.reserve(recipients.size());
  for (const std::size_t i : recipients) {
    values.push_back(recipient_macros(*rules, letter.envelope.recipients[i]));
  }
  Output output;
  const Fd theirs = output.open();
  async::Command command;
  command.argv = expand_argv(rules->argv, message, values);
  command.environment = pipe_environment(environment_, message, values);
  command.directory = rules->directory.empty() ? "/" : rules->directory;
  command.descriptors[0] = input->get();
  command.descriptors[1] = theirs.get();
  command.descriptors[2] = theirs.get();
  const std::string program = command.argv.front();
  const async::Deadline deadline = async::Deadline::in(rules->time_limit);
  auto process = co_await starter_.start(std::move(command), deadline);
  if (!process) co_return Outcome(cannot_start, process.error().text());

  const auto ended = co_await (*process)->wait(deadline);
  if (!ended) (*process)->signal(SIGKILL);
  const std::string said = output.take();
  const smtp::Status status = status_of_exit(ended, said, program);
  Outcome outcome(smtp::to_reply(status));
  outcome.final = rules->flags.final_delivery;
  outcome.where = program;
  co_return outcome;
}

// The message as the program will read it, in memory or in a file without a name.
Result<Fd, IoError> ProgramDelivery::write_input(const PipeRules& rules, const Letter& letter,
                                                 const smtp::Recipient* single) const {
  Fd fd;
  if (letter.content->size() <= memory_limit) {
    fd.reset(::memfd_create("message", MFD_CLOEXEC));
  } else {
    fd.reset(::open(spool_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  }
  if (!fd) return fail(io_error("open", "the input of the delivery program"));
  PipeLines lines(rules);
  std::string out = pipe_head(rules, letter, single);
  lines.append(letter.content->in_memory(), out);
  store::File* file = letter.content->in_file();
  for (std::uint64_t at = 0; file != nullptr && at < letter.content->size();) {
    const auto part = file->read(at, chunk);
    if (!part) return fail(part.error());
    if (part->empty()) break;
    at += part->size();
    lines.append(*part, out);
    if (!write_all(fd.get(), out)) return fail(io_error("write", input_name));
    out.clear();
  }
  lines.finish(out);
  if (!write_all(fd.get(), out)) return fail(io_error("write", input_name));
  if (::lseek(fd.get(), 0, SEEK_SET) < 0)
    return fail(io_error("rewind", "the input of the delivery program"));
  return fd;
}

}  // namespace posthorn::deliverd
