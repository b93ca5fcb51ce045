#include "libmail/async/starter.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/async/starter_side.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::async;
using namespace std::chrono_literals;

namespace {

// A starter, and a file for what programs say.
struct Bench {
  posthorn::TestFolder folder;
  std::string directory = folder.path();
  std::unique_ptr<Starter> starter;

  Bench() {
    auto begun = Starter::begin();
    REQUIRE(begun);
    starter = std::move(*begun);
  }
  ~Bench() {
    const pid_t pid = starter ? starter->pid() : 0;
    starter.reset();
    if (pid != 0) ::waitpid(pid, nullptr, 0);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder.path(name); }
  std::string file(const std::string& name) { return folder.read(name); }
};

struct Ran {
  std::string error;  // of the start
  std::string output;
  int code = -1;
  int signal = -1;
};

Command shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  return command;
}

Task<Ran> run_program(Bench* bench, Command command) {
  Ran ran;
  const Fd output(
      ::open(bench->path("output").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  command.descriptors[1] = output.get();
  auto process = co_await bench->starter->start(std::move(command), Deadline::in(20s));
  if (!process) {
    ran.error = process.error().text();
    co_return ran;
  }
  const auto ended = co_await (*process)->wait(Deadline::in(20s));
  if (ended) {
    ran.code = ended->code;
    ran.signal = ended->signal;
  }
  ran.output = bench->file("output");
  co_return ran;
}

Ran ran(Bench& bench, Command command) {
  return run(run_program(&bench, std::move(command)));
}

Fd handle_of(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool ends(const Fd& handle, int milliseconds = 10'000) {
  pollfd look{handle.get(), POLLIN, 0};
  return ::poll(&look, 1, milliseconds) == 1;
}

}  // namespace

TEST_CASE("Starter: a program runs, and its output, exit code and signal are told") {
  Bench bench;
  const Ran good = ran(bench, shell("echo hello; exit 7"));
  CHECK(good.error.empty());
  CHECK(good.output == "hello\n");
  CHECK(good.code == 7);
  CHECK(good.signal == 0);
  const Ran killed = ran(bench, shell("kill -USR1 $$"));
  CHECK(killed.signal == SIGUSR1);
}

TEST_CASE("Starter: argv, environment and directory arrive as they were given") {
  Bench bench;
  Command command = shell("printf '%s,' \"$@\"; pwd; env | sort | grep -v '^PWD=\\|^_=\\|^SHLVL='");
  command.argv.insert(command.argv.end(), {"sh", "", "a b", "$(id)", "new\nline", "\xff"});
  command.environment["ONE"] = "1=2";
  command.environment["EMPTY"] = "";
  command.directory = bench.directory;
  const Ran seen = ran(bench, std::move(command));
  CHECK(seen.output == ",a b,$(id),new\nline,\xff," + bench.directory + "\nEMPTY=\nONE=1=2\n");
}

TEST_CASE("Starter: ten thousand recipients are no more than one") {
  Bench bench;
  Command command = shell("echo $#; shift 9999; echo $1");
  command.argv.emplace_back("sh");
  for (int i = 1; i <= 10'000; ++i) {
    command.argv.push_back("recipient-" + std::to_string(i) + "@example.org");
  }
  CHECK(ran(bench, std::move(command)).output == "10000\nrecipient-10000@example.org\n");
}

TEST_CASE("Starter: an argument that the kernel finds too long is an error") {
  Bench bench;
  Command command = shell("exit 0");
  command.argv.push_back(std::string(1 << 20, 'x'));
  CHECK(ran(bench, std::move(command)).error == "start /bin/sh: Argument list too long");
}

TEST_CASE("Starter: a program that is not there is an error with its name") {
  Bench bench;
  Command command;
  command.argv = {"/nonexistent/program"};
  CHECK(ran(bench, command).error == "start /nonexistent/program: No such file or directory");
  command.argv = {"/etc/passwd"};
  CHECK(ran(bench, command).error == "start /etc/passwd: Permission denied");
  CHECK(ran(bench, shell("exit 3")).code == 3);  // and the next one runs
}

TEST_CASE("Starter: a program has its descriptors, and no other of ours") {
  Bench bench;
  std::ofstream(bench.path("input")) << "in\n";
  const Fd input(::open(bench.path("input").c_str(), O_RDONLY));  // without close-on-exec
  Command command = shell("cat; cat <&5; ls /proc/self/fd | tr '\\n' ' '");
  command.descriptors[5] = input.get();
  // 3 is ls's own, looking.
  CHECK(ran(bench, std::move(command)).output == "in\n0 1 2 3 5 ");
}

TEST_CASE("Starter: a signal reaches the program, not who watches over it") {
  Bench bench;
  const auto test = [](Bench* in) -> Task<int> {
    Command command = shell("trap 'exit 5' TERM; while :; do sleep 0.05; done");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(20s));
    if (!process) co_return -1;
    const auto running = co_await (*process)->wait(Deadline::in(200ms));
    CHECK_FALSE(running);
    (*process)->signal(SIGTERM);
    const auto ended = co_await (*process)->wait(Deadline::in(20s));
    (*process)->signal(SIGTERM);  // no-op
    co_return ended ? ended->code : -1;
  };
  CHECK(run(test(&bench)) == 5);
}

TEST_CASE("Starter: many at once, each with its own end") {
  Bench bench;
  const auto test = [](Bench* in) -> Task<int> {
    Scope scope;
    int right = 0;
    const auto one = [](Bench* on, int code, int* count) -> Task<void> {
      Command command = shell("exit " + std::to_string(code));
      auto process = co_await on->starter->start(std::move(command), Deadline::in(300s));
      if (!process) co_return;
      const auto ended = co_await (*process)->wait(Deadline::in(300s));
      if (ended && ended->signal == 0 && ended->code == code) ++*count;
    };
    for (int i = 0; i < 100; ++i) scope.spawn(one(in, i, &right));
    co_await scope.join();
    co_return right;
  };
  CHECK(run(test(&bench)) == 100);
}

TEST_CASE("Starter: more requests than its socket holds wait for room") {
  Bench bench;
  REQUIRE(::kill(bench.starter->pid(), SIGSTOP) == 0);
  const auto test = [](Bench* in) -> Task<int> {
    Scope scope;
    int right = 0;
    const auto one = [](Bench* on, int* count) -> Task<void> {
      Command command;
      command.argv = {"/bin/true"};
      auto process = co_await on->starter->start(std::move(command), Deadline::in(300s));
      if (!process) UNSCOPED_INFO(process.error().text());
      if (process) ++*count;
    };
    for (int i = 0; i < 400; ++i) scope.spawn(one(in, &right));
    ::kill(in->starter->pid(), SIGCONT);
    co_await scope.join();
    co_return right;
  };
  CHECK(run(test(&bench)) == 400);
}

TEST_CASE("Starter: a process that is dropped runs on") {
  Bench bench;
  const auto test = [](Bench* in) -> Task<pid_t> {
    Command command = shell("sleep 0.3; echo done > '" + in->path("result") + "'");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(20s));
    co_return process ? (*process)->pid() : -1;
  };
  const Fd program = handle_of(run(test(&bench)));
  REQUIRE(program);
  CHECK(ends(program));
  CHECK(bench.file("result") == "done\n");
}

TEST_CASE("Starter: what could not be started in time does not run later") {
  Bench bench;
  REQUIRE(::kill(bench.starter->pid(), SIGSTOP) == 0);
  const auto test = [](Bench* in) -> Task<std::string> {
    Command command = shell("touch '" + in->path("ran") + "'");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(50ms));
    co_return process ? "" : process.error().text();
  };
  CHECK(run(test(&bench)) == "start /bin/sh: timed out");
  REQUIRE(::kill(bench.starter->pid(), SIGCONT) == 0);
  CHECK(ran(bench, shell("sleep 0.2")).code == 0);
  CHECK_FALSE(std::filesystem::exists(bench.path("ran")));
}

TEST_CASE("Starter: one that was killed is an error, and is told once") {
  Bench bench;
  const auto test = [](Bench* in) -> Task<std::string> {
    int told = 0;
    Event end;
    in->starter->watch([&told, &end] {
      ++told;
      end.set();
    });
    ::kill(in->starter->pid(), SIGKILL);
    const bool seen = co_await end.wait_until(Deadline::in(20s));
    Command command = shell("exit 0");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(20s));
    CHECK(seen);
    CHECK(told == 1);
    co_return process ? "" : process.error().text();
  };
  CHECK(run(test(&bench)) == "ask the starter of programs: Broken pipe");
}

TEST_CASE("Starter: killed with a request in its hands, it leaves an error") {
  Bench bench;
  REQUIRE(::kill(bench.starter->pid(), SIGSTOP) == 0);
  const auto test = [](Bench* in) -> Task<std::string> {
    Scope scope;
    scope.spawn([](pid_t pid) -> Task<void> {
      co_await sleep_until(Deadline::in(50ms));
      ::kill(pid, SIGKILL);
    }(in->starter->pid()));
    Command command = shell("exit 0");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(20s));
    co_await scope.join();
    co_return process ? "" : process.error().text();
  };
  CHECK(run(test(&bench)) == "start /bin/sh: connection closed by the other side");
}

TEST_CASE("Starter: a program whose shepherd was killed ended by SIGKILL, for all that is known") {
  Bench bench;
  const auto test = [](Bench* in) -> Task<int> {
    Command command = shell("sleep 0.2; kill -9 $PPID");
    auto process = co_await in->starter->start(std::move(command), Deadline::in(20s));
    if (!process) co_return -1;
    const auto ended = co_await (*process)->wait(Deadline::in(20s));
    co_return ended ? ended->signal : 0;
  };
  CHECK(run(test(&bench)) == SIGKILL);
}

TEST_CASE("Starter: it ends with its front, and not by what ends a group") {
  Bench bench;
  const pid_t pid = bench.starter->pid();
  const Fd handle = handle_of(pid);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::kill(pid, number);
  CHECK_FALSE(ends(handle, 100));
  bench.starter.reset();
  CHECK(ends(handle));
  int status = 0;
  CHECK(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

TEST_CASE("decode_command: gives what was encoded, and nothing for a part of it") {
  Command command;
  command.argv = {"/bin/x", std::string("a\0b", 3), ""};
  command.environment["NAME"] = "value";
  command.directory = "/tmp";
  command.descriptors = {{0, 17}, {1, -1}, {5, 19}};
  const detail::EncodedCommand encoded = detail::encode_command(command);
  CHECK(encoded.descriptors == std::vector<int>{17, 19});
  const auto back = detail::decode_command(encoded.octets, {7, 9});
  REQUIRE(back);
  CHECK(back->argv == command.argv);
  CHECK(back->environment == command.environment);
  CHECK(back->directory == command.directory);
  CHECK(back->descriptors == std::map<int, int>{{0, 7}, {1, -1}, {5, 9}});
  for (std::size_t size = 0; size < encoded.octets.size(); ++size) {
    CHECK_FALSE(detail::decode_command(encoded.octets.substr(0, size), {7, 9}));
  }
  CHECK_FALSE(detail::decode_command(encoded.octets, {7}));
}
