#include "agents/posthorn/supervisor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "agents/posthorn/test_site.h"
#include "libmail/async/loop.h"
#include "libmail/async/socket.h"

namespace posthorn::operate {
namespace {

using async::Deadline;
using async::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A supervisor in a test's site, with short pauses.
struct Fixture {
  TestSite site;
  service::Log log{"posthorn", service::Log::Format::kv, service::Level::debug, -1};
  Supervisor supervisor{site.site(), options(), log};

  static SupervisorOptions options() {
    SupervisorOptions made;
    made.pauses.first = milliseconds(50);
    made.pauses.last = milliseconds(200);
    return made;
  }
  Task<std::string> start(std::vector<AgentProgram> programs) {
    const auto started = co_await supervisor.start(std::move(programs), Deadline::in(seconds(60)));
    if (!started) co_return started.error();
    const auto ready = co_await supervisor.wait_until_ready(Deadline::in(seconds(60)));
    co_return ready ? std::string() : ready.error();
  }
  // What the agent says to a client: its pid, "" if nobody answers within five seconds.
  Task<std::string> ask(std::string agent) {
    const auto endpoint = async::Endpoint::unix_path(site.path("run/" + agent + ".sock"));
    auto stream = co_await async::connect(endpoint, Deadline::in(seconds(60)));
    if (!stream) co_return std::string();
    async::Buffer buffer;
    const auto got = co_await (*stream)->read(buffer, Deadline::in(seconds(60)));
    (void)got;
    co_return std::string(buffer.view());
  }
};

Task<void> answers(Fixture* fixture) {
  std::vector<AgentProgram> programs;
  programs.push_back(fixture->site.agent("one"));
  programs.push_back(fixture->site.agent("two"));
  const std::string problem = co_await fixture->start(std::move(programs));
  CHECK(problem.empty());
  const std::string pid = co_await fixture->ask("two");
  CHECK(pid == std::to_string(fixture->supervisor.agents().at(1)->pid()));
  CHECK(fixture->supervisor.agents().at(0)->state() == Supervised::State::ready);
  const auto ops = async::Endpoint::unix_path(fixture->site.path("run/posthorn.ops"));
  const auto idle =
      co_await async::connect(ops, Deadline::in(seconds(60)));  // must not hold up stop()
  CHECK(idle);
  CHECK_THAT(fixture->supervisor.status_json(), Catch::Contains("\"state\":\"ready\""));
  co_await fixture->supervisor.stop();
  CHECK(fixture->supervisor.agents().at(0)->pid() == 0);
}

TEST_CASE("Agents get their sockets, say that they are ready, and are ended") {
  Fixture fixture;
  async::run(answers(&fixture));
}

Task<void> killed(Fixture* fixture) {
  std::vector<AgentProgram> programs;
  programs.push_back(fixture->site.agent("one"));
  const std::string problem = co_await fixture->start(std::move(programs));
  REQUIRE(problem.empty());
  const std::string before = co_await fixture->ask("one");
  const pid_t pid = fixture->supervisor.agents().at(0)->pid();
  fixture->supervisor.signal_all(SIGKILL);
  // Until it is dead the kernel may still hand it a client. Left to be reaped by its supervisor.
  siginfo_t ended{};
  CHECK(::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) == 0);
  // Nobody is turned away: the socket is open all the time.
  const std::string after = co_await fixture->ask("one");
  CHECK(after != before);
  CHECK_FALSE(after.empty());
  CHECK(fixture->supervisor.agents().at(0)->starts() >= 2);
  co_await fixture->supervisor.stop();
}

TEST_CASE("An agent that is killed is started again, and its clients wait for it") {
  Fixture fixture;
  async::run(killed(&fixture));
}

Task<void> refuses_to_start(Fixture* fixture, AgentProgram program, std::string* problem) {
  std::vector<AgentProgram> programs;
  programs.push_back(std::move(program));
  *problem = co_await fixture->start(std::move(programs));
  co_await fixture->supervisor.stop(seconds(1));
}

TEST_CASE("An agent that can't start is reported with its last words") {
  const auto [before, why] = GENERATE(table<const char*, const char*>({
      {"print('no certificate'); sys.exit(78)", "one ended with exit code 78: no certificate"},
      {"os.kill(os.getpid(), 9)", "one was ended by signal 9"},
  }));
  Fixture fixture;
  std::string problem;
  async::run(refuses_to_start(&fixture, fixture.site.agent("one", before), &problem));
  CHECK(problem == why);
}

TEST_CASE("A program that is not there, or can't tell its listeners, ends the start") {
  Fixture fixture;
  AgentProgram program = fixture.site.agent("one");
  std::string expected;
  SECTION("not there") {
    program.argv = {fixture.site.path("none")};
    expected = "one: start " + program.argv.front() + ": No such file or directory";
  }
  SECTION("its own words") {
    fixture.site.write(
        "one", "#!/bin/sh\necho 'one: conf/one.toml:3: unknown key x' >&2\nexit 78\n", 0755);
    expected = "one: conf/one.toml:3: unknown key x";
  }
  std::string problem;
  async::run(refuses_to_start(&fixture, program, &problem));
  CHECK(problem == expected);
}

Task<void> stubborn(Fixture* fixture) {
  std::vector<AgentProgram> programs;
  programs.push_back(fixture->site.agent("one", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"));
  const std::string problem = co_await fixture->start(std::move(programs));
  REQUIRE(problem.empty());
  co_await fixture->supervisor.stop(milliseconds(300));
  CHECK(fixture->supervisor.agents().at(0)->pid() == 0);
}

TEST_CASE("An agent that ignores SIGTERM is killed after the grace") {
  Fixture fixture;
  async::run(stubborn(&fixture));
}

Task<void> twice(Fixture* fixture, Supervisor* second, std::string* problem) {
  const auto first = co_await fixture->supervisor.start({}, Deadline::in(seconds(60)));
  REQUIRE(first);
  const auto again = co_await second->start({}, Deadline::in(seconds(60)));
  if (!again) *problem = again.error();
  co_await second->stop();
  co_await fixture->supervisor.stop();
}

TEST_CASE("A site is run by one supervisor at a time") {
  Fixture fixture;
  Supervisor second(fixture.site.site(), Fixture::options(), fixture.log);
  std::string problem;
  async::run(twice(&fixture, &second, &problem));
  CHECK_THAT(problem, Catch::StartsWith("another posthorn runs this site"));
}

Task<void> report_pid(Fixture* fixture, int to) {
  std::vector<AgentProgram> programs;
  programs.push_back(fixture->site.agent("one"));
  const std::string problem = co_await fixture->start(std::move(programs));
  const pid_t pid = problem.empty() ? fixture->supervisor.agents().at(0)->pid() : -1;
  (void)!::write(to, &pid, sizeof pid);
  co_await async::sleep_until(Deadline::in(seconds(60)));
}

TEST_CASE("Agents end when their supervisor is killed") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  Fixture fixture;
  const pid_t child = ::fork();
  if (child == 0) {
    // A thread of its own has a loop of its own; it stays, for the parent-death signal follows the thread.
    std::thread([&] { async::run(report_pid(&fixture, ends[1])); }).join();
    ::_exit(0);
  }
  pid_t agent = -1;
  REQUIRE(::read(ends[0], &agent, sizeof agent) == sizeof agent);
  REQUIRE(agent > 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  bool gone = false;
  for (int i = 0; i < 6000 && !gone; ++i) {
    gone = ::kill(agent, 0) != 0;
    ::usleep(10000);
  }
  CHECK(gone);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace posthorn::operate
