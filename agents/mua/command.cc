#include "agents/mua/command.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "libmail/async/process.h"
#include "libmail/base/text.h"

extern char** environ;

namespace posthorn::mua {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t most_output = 1 << 20;
constexpr Duration patience_after_term = std::chrono::seconds(2);

std::string read_from_start(int fd) {
  std::string text;
  std::array<char, 16 * 1024> chunk{};
  while (text.size() < most_output) {
    const ssize_t count = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (count <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  return text;
}

MailError cannot_run(const std::string& program, const IoError& error) {
  return {MailError::Kind::config, fmt::format("{} can't be run: {}", program, error.text())};
}

}  // namespace

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view line = *each;
    const auto equals = line.find('=');
    if (equals != std::string_view::npos)
      all.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return all;
}

Mail<Fd> file_in_memory() {
  Fd file(::memfd_create("mua", MFD_CLOEXEC));
  if (!file) return fail(MailError(MailError::Kind::try_again, io_error("memfd_create").text()));
  return file;
}

Task<Mail<CommandDone>> run_command(CommandCall call, Deadline deadline) {
  async::Command command;
  command.argv = std::move(call.argv);
  command.environment = own_environment();
  for (auto& [name, value] : call.environment) command.environment[name] = value;
  // Its output goes into a file in memory: nobody has to read beside it.
  auto output = file_in_memory();
  if (!output) co_return fail(output.error());
  const int into = call.keep_output ? output->get() : STDOUT_FILENO;
  command.descriptors = {{0, call.input}, {1, into}, {2, STDERR_FILENO}};
  command.die_with_parent = true;
  const std::string program = command.argv.back();
  auto process = async::start(std::move(command));
  if (!process) co_return fail(cannot_run(program, process.error()));
  auto status = co_await (*process)->wait(deadline);
  if (!status) {
    (*process)->signal(SIGTERM);
    (void)co_await (*process)->wait(Deadline::in(patience_after_term));
    (*process)->signal(SIGKILL);
    co_return fail(MailError(MailError::Kind::try_again,
                             fmt::format("{} did not end in time", printable(program))));
  }
  CommandDone done;
  done.code = status->signal != 0 ? 128 + status->signal : status->code;
  done.output = read_from_start(output->get());
  co_return done;
}

Mail<int> run_on_terminal(const std::vector<std::string>& argv) {
  async::Command command;
  command.argv = argv;
  command.environment = own_environment();
  command.descriptors = {{0, STDIN_FILENO}, {1, STDOUT_FILENO}, {2, STDERR_FILENO}};
  auto launched = async::launch(std::move(command));
  if (!launched) return fail(cannot_run(argv.front(), launched.error()));
  std::optional<async::ExitStatus> status;
  while (!(status = async::reap(launched->pid))) ::usleep(20'000);
  return status->signal != 0 ? 128 + status->signal : status->code;
}

}  // namespace posthorn::mua
