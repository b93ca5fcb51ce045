#include "agents/posthorn/programs.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "libmail/async/process.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"

extern char** environ;

namespace posthorn::operate {

using async::Deadline;
using async::Task;

namespace {

constexpr std::size_t longest_output = 1024 * 1024;

std::string own_directory() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string() : self.parent_path().string();
}

bool can_run(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

const std::vector<std::string>& known_agents() {
  static const std::vector<std::string> names = {
      "authd", "dnsd", "queued", "deliverd", "relayd", "smtpd", "submissiond", "pop3d", "imapd"};
  return names;
}

Result<AgentProgram, std::string> find_program(const service::AgentEntry& entry,
                                               const service::Site& site) {
  AgentProgram program;
  program.name = entry.name;
  program.argv = entry.command.empty() ? std::vector<std::string>{entry.name} : entry.command;
  const std::string& word = program.argv.front();
  const bool is_path = word.find('/') != std::string::npos;
  const std::string beside = own_directory() + "/" + word;
  const auto& ours = known_agents();
  program.is_ours = !is_path && std::ranges::find(ours, word) != ours.end();
  if (program.is_ours) {
    if (!can_run(beside)) return fail(entry.name + ": there is no program " + beside);
    program.argv.front() = beside;
    program.argv.insert(program.argv.begin() + 1,
                        {"--site", site.directory(), "--name", entry.name});
    return program;
  }
  if (entry.command.empty()) {
    return fail((entry.where.empty() ? "" : entry.where + ": ") + "agents." + entry.name +
                " is no agent of ours: give it a command");
  }
  if (is_path && !can_run(word)) return fail(entry.where + ": there is no program " + word);
  return program;
}

std::map<std::string, std::string> agent_environment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const char* name : {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET",
                           "WATCHDOG_USEC", "WATCHDOG_PID", "POSTHORN_SITE"}) {
    environment.erase(name);
  }
  return environment;
}

Task<Result<ProgramOutput, IoError>> run_program(std::vector<std::string> argv, Deadline deadline) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    co_return fail(io_error("socketpair"));
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const std::string name = argv.front();
  async::Command command;
  command.argv = std::move(argv);
  command.environment = agent_environment();
  command.descriptors = {{1, theirs.get()}, {2, theirs.get()}};
  command.die_with_parent = true;
  auto started = async::start(std::move(command));
  theirs.reset();
  if (!started) co_return fail(started.error());
  auto stream = async::adopt(std::move(ours));
  if (!stream) co_return fail(stream.error());

  ProgramOutput output;
  async::Buffer buffer;
  while (buffer.size() < longest_output) {
    const auto got = co_await (*stream)->read(buffer, deadline);
    if (!got || *got == 0) break;
  }
  output.text = buffer.view();
  const auto status = co_await (*started)->wait(deadline);
  if (!status) {
    (*started)->signal(SIGKILL);
    co_return fail(IoError(IoError::timed_out, "wait for", name));
  }
  output.exit = status->signal != 0 ? 128 + status->signal : status->code;
  co_return std::move(output);
}

Task<Result<std::vector<AgentListener>, std::string>> ask_listeners(AgentProgram program,
                                                                    Deadline deadline) {
  std::vector<std::string> argv = program.argv;
  argv.emplace_back("--print-listeners");
  const auto output = co_await run_program(std::move(argv), deadline);
  if (!output) co_return fail(program.name + ": " + output.error().text());
  if (output->exit != 0) co_return fail(std::string(trim(output->text)));
  std::vector<AgentListener> listeners;
  for (const std::string_view line : split(output->text, '\n')) {
    const auto fields = split(line, '\t');
    if (fields.size() != 6) continue;  // the empty one at the end
    const auto endpoint = async::parse_endpoint(fields[1]);
    if (!endpoint) co_return fail(program.name + ": " + endpoint.error());
    AgentListener& listener = listeners.emplace_back();
    listener.option = fields[0];
    listener.endpoint = *endpoint;
    listener.access.mode = fields[2];
    listener.access.owner = fields[3];
    listener.access.group = fields[4];
    constexpr std::string_view udp = "udp=";
    if (fields[5].starts_with(udp))
      listener.access.datagrams = parse_number<unsigned>(fields[5].substr(udp.size())).value_or(0);
  }
  co_return std::move(listeners);
}

}  // namespace posthorn::operate
