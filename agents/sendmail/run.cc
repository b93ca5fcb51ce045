#include "agents/sendmail/run.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>

#include "agents/sendmail/input.h"
#include "agents/sendmail/submit.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/service/agent.h"
#include "libmail/service/exit_code.h"
#include "libmail/service/options.h"
#include "libmail/service/settings.h"

namespace posthorn::sendmail {

namespace exit_code = service::exit_code;
using Mode = Arguments::Mode;

namespace {

int complain(int code, std::string_view text) {
  for (const std::string_view line : split(text, '\n'))
    std::fprintf(stderr, "sendmail: %s\n", printable(line, 2000).c_str());
  return code;
}

// "Ann Example,Room 7" -> "Ann Example"; '&' stands for the capitalised login.
std::string full_name_of(std::string gecos, const std::string& login) {
  gecos.resize(std::min(gecos.find(','), gecos.size()));
  const std::size_t ampersand = gecos.find('&');
  if (ampersand == std::string::npos || login.empty()) return gecos;
  return gecos.replace(ampersand, 1, std::string(1, to_upper(login.front())) + login.substr(1));
}

// Without a posthorn.toml that we may read, addresses get this machine's name.
Caller find_caller(const service::Site& site) {
  Caller caller;
  const service::HostOptions machine;
  caller.hostname = machine.hostname;
  caller.domain = machine.hostname;
  if (const auto file = service::read_site_file(site)) {
    const auto value = [&](const std::string& key) {
      const auto found = file->values.find(key);
      return found == file->values.end() || found->second.texts.empty()
                 ? std::string()
                 : found->second.texts.front();
    };
    if (!value("hostname").empty()) caller.hostname = value("hostname");
    caller.domain = value("domains").empty() ? caller.hostname : value("domains");
  }
  const passwd* entry = ::getpwuid(::getuid());
  caller.login = entry == nullptr ? fmt::format("uid{}", ::getuid()) : std::string(entry->pw_name);
  if (entry != nullptr) caller.full_name = full_name_of(entry->pw_gecos, caller.login);
  caller.now = wall_now();
  caller.random = random_u64();
  return caller;
}

Places find_places(const service::Site& site) {
  Places places;
  places.socket = site.path("run/submission.sock");
  places.queue = site.path("queue");
  if (const auto file = service::read_site_file(site)) {
    const auto queue = file->values.find("queue");
    if (queue != file->values.end() && !queue->second.texts.empty())
      places.queue = site.path(queue->second.texts.front());
  }
  return places;
}

Result<std::string, Failure> read_input(bool dot_is_text) {
  InputReader reader(dot_is_text);
  std::array<char, 64 * 1024> chunk{};
  while (!reader.ended()) {
    const ssize_t count = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(Failure{exit_code::try_again, io_error("read", "standard input").text()});
    if (count == 0) break;
    reader.feed(std::string_view(chunk.data(), static_cast<std::size_t>(count)));
  }
  reader.finish();
  return reader.take();
}

int deliver(const Arguments& arguments, const Places& places, const Caller& caller) {
  auto input = read_input(arguments.dot_is_text);
  if (!input) return complain(input.error().exit_code, input.error().text);
  const auto letter = compose(std::move(*input), arguments, caller);
  if (!letter) return complain(letter.error().exit_code, letter.error().text);
  const Verdict verdict = async::run(submit(*letter, places, caller));
  if (verdict.kind == Verdict::Kind::taken) return exit_code::ok;
  if (verdict.kind == Verdict::Kind::refused)
    return complain(verdict.failure.exit_code, verdict.failure.text);
  const auto dropped = drop(*letter, places, caller, verdict.why);
  if (!dropped) return complain(dropped.error().exit_code, dropped.error().text);
  return exit_code::ok;
}

int look_at_recipients(const Arguments& arguments, const Places& places, const Caller& caller) {
  const auto envelope = make_envelope(arguments, caller);
  if (!envelope) return complain(envelope.error().exit_code, envelope.error().text);
  const auto statuses = async::run(verify(*envelope, places, caller));
  if (!statuses) return complain(statuses.error().exit_code, statuses.error().text);
  int code = exit_code::ok;
  for (std::size_t i = 0; i < statuses->size(); ++i) {
    const smtp::Status& status = (*statuses)[i];
    const std::string address = smtp::format_mailbox(envelope->recipients[i].mailbox);
    std::printf("%s: %s %s\n", address.c_str(), status.enhanced.text().c_str(),
                status.text.c_str());
    if (!status.succeeded() && code == exit_code::ok) code = exit_code_of(status);
  }
  return code;
}

// The queue belongs to `posthorn queue`; the program of that name beside us, else by PATH, takes our place.
int become_posthorn(const service::Site& site, const std::vector<std::string>& words) {
  std::array<char, PATH_MAX> self{};
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string beside = path.substr(0, path.rfind('/') + 1) + "posthorn";
  std::vector<std::string> all = {"posthorn", "queue"};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.end(), {"--site", site.directory()});
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  if (!path.empty()) ::execv(beside.c_str(), argv.data());
  ::execvp("posthorn", argv.data());
  return complain(exit_code::unavailable, io_error("run", "posthorn queue").text());
}

// mailq(1) of every sendmail says so of an empty queue and ends with 0; programs that count the lines know the words.
int show_queue(const service::Site& site) {
  const pid_t child = ::fork();
  if (child < 0) return complain(exit_code::try_again, io_error("start", "posthorn queue").text());
  if (child == 0) ::_exit(become_posthorn(site, {"list"}));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return exit_code::unavailable;
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : exit_code::unavailable;
  if (code != exit_code::failed) return code;
  std::puts("Mail queue is empty");
  return exit_code::ok;
}

// queued knows one message or all of them: what goes to one site or comes from one sender is tried with the rest.
int flush_queue(const service::Site& site, const Arguments& arguments) {
  std::vector<std::string> words = {"flush"};
  if (arguments.flush_by == 'I') words.push_back(arguments.flush_what);
  return become_posthorn(site, words);
}

}  // namespace

int run(const std::string& program, const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto arguments = parse_arguments(program, words);
  if (!arguments)
    return complain(exit_code::usage, arguments.error() + "; sendmail --help tells more");
  const service::Site site = service::Site::find(arguments->site);
  switch (arguments->mode) {
    case Mode::help:
      std::fputs(help_text().c_str(), stdout);
      return exit_code::ok;
    case Mode::version:
      std::printf("sendmail %s\n", std::string(service::version).c_str());
      return exit_code::ok;
    case Mode::aliases:
      return exit_code::ok;
    case Mode::list:
      return show_queue(site);
    case Mode::flush:
      return flush_queue(site, *arguments);
    case Mode::smtp:
      return async::run(speak_smtp(find_places(site)));
    case Mode::verify:
      return look_at_recipients(*arguments, find_places(site), find_caller(site));
    case Mode::deliver:
      break;
  }
  return deliver(*arguments, find_places(site), find_caller(site));
}

}  // namespace posthorn::sendmail
