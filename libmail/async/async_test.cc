#include <fcntl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/async/process.h"
#include "libmail/async/scope.h"
#include "libmail/async/signals.h"
#include "libmail/async/socket.h"
#include "libmail/async/watch.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::async;
using namespace std::chrono_literals;

namespace {

Task<int> ready(int value) {
  co_return value;
}

Task<long> sum_of_ready_results(int count) {
  long sum = 0;
  for (int i = 0; i < count; ++i) {
    const int one = co_await ready(1);
    sum += one;
  }
  co_return sum;
}

Task<void> echo(std::unique_ptr<Stream> stream) {
  Buffer buffer;
  for (;;) {
    const auto got = co_await stream->read(buffer, Deadline::in(5s));
    if (!got || *got == 0) co_return;
    const auto written = co_await stream->write(buffer.view(), Deadline::in(5s));
    if (!written) co_return;
    buffer.clear();
  }
}

Task<void> accept_and_echo(Listener& listener, int count) {
  Scope sessions;
  for (int i = 0; i < count; ++i) {
    auto stream = co_await listener.accept();
    if (!stream) break;
    sessions.spawn(echo(std::move(*stream)));
  }
  co_await sessions.join();
}

Task<std::string> talk(Endpoint to, std::string line) {
  auto stream = co_await connect(std::move(to), Deadline::in(5s));
  if (!stream) co_return stream.error().text();
  const auto written = co_await (*stream)->write(line, Deadline::in(5s));
  if (!written) co_return written.error().text();
  Buffer buffer;
  while (buffer.size() < line.size()) {
    const auto got = co_await (*stream)->read(buffer, Deadline::in(5s));
    if (!got) co_return got.error().text();
    if (*got == 0) break;
  }
  co_return std::string(buffer.view());
}

Task<std::string> echo_over(const Endpoint& at, std::string line) {
  auto socket = open_listening_socket(at);
  if (!socket) co_return socket.error().text();
  auto listener = listen_on(std::move(*socket));
  if (!listener) co_return listener.error().text();
  Scope scope;
  scope.spawn(accept_and_echo(**listener, 1));
  auto answer = co_await talk((*listener)->endpoint(), std::move(line));
  co_await scope.join();
  (*listener)->close();
  co_return answer;
}

}  // namespace

TEST_CASE("Task: a million results that are already there need no stack") {
  CHECK(run(sum_of_ready_results(1'000'000)) == 1'000'000);
}

TEST_CASE("Stream: octets come back over TCP and over a Unix socket") {
  const posthorn::TestFolder folder;
  const std::string& directory = folder.path();
  const std::string line(300'000, 'x');  // more than a socket buffer, so writes wait
  CHECK(run(echo_over(Endpoint::inet("127.0.0.1", 0), line)) == line);
  CHECK(run(echo_over(Endpoint::unix_path(directory + "/s"), line)) == line);
}

namespace {
Task<IoError> read_silence(Duration patience, bool close_meanwhile) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
    co_return io_error("socketpair");
  const Fd other(fds[1]);
  auto stream = adopt(Fd(fds[0]));
  if (!stream) co_return stream.error();
  Scope scope;
  if (close_meanwhile) {
    scope.spawn([](Stream* victim) -> Task<void> {
      co_await sleep_until(Deadline::in(10ms));
      victim->close();
    }(stream->get()));
  }
  Buffer buffer;
  const auto got = co_await (*stream)->read(buffer, Deadline::in(patience));
  co_await scope.join();
  if (got) co_return IoError(0, "read");
  co_return got.error();
}
}  // namespace

TEST_CASE("Stream: a read ends at its deadline, or when the stream is closed under it") {
  CHECK(run(read_silence(20ms, false)).code == IoError::timed_out);
  CHECK(run(read_silence(60s, true)).code == IoError::cancelled);
}

namespace {
Task<IoError> write_into_a_full_socket() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
    co_return io_error("socketpair");
  const Fd other(fds[1]);
  auto stream = adopt(Fd(fds[0]));
  const std::string much(8 << 20, 'x');
  const auto written = co_await (*stream)->write(much, Deadline::in(30ms));
  if (written) co_return IoError(0, "write");
  co_return written.error();
}
}  // namespace

TEST_CASE("Stream: a write that nobody reads ends at its deadline") {
  CHECK(run(write_into_a_full_socket()).code == IoError::timed_out);
}

namespace {
Task<std::string> one_way(StreamPair& pair, std::size_t size) {
  Scope scope;
  const std::string octets(size, 'm');
  scope.spawn([](Stream* to, const std::string* what) -> Task<void> {
    (void)co_await to->write(*what, Deadline::in(5s));
    co_await to->shutdown(Deadline::in(5s));
  }(pair.left.get(), &octets));
  Buffer buffer;
  for (;;) {
    const auto got = co_await pair.right->read(buffer, Deadline::in(5s));
    if (!got || *got == 0) break;
  }
  co_await scope.join();
  co_return std::string(buffer.view());
}
}  // namespace

TEST_CASE("make_memory_pair: carries more than its capacity and then the end") {
  StreamPair pair = make_memory_pair(Peer(), Peer());
  CHECK(run(one_way(pair, 200'000)).size() == 200'000);
}

namespace {
Task<int> three_jobs() {
  auto first = [] { return 1; };
  auto second = [] { return std::this_thread::get_id() == std::thread::id() ? 0 : 2; };
  const int a = co_await blocking(first);
  const int b = co_await blocking(second);
  auto nothing = [] {};
  co_await blocking(nothing);
  co_return a + b;
}
}  // namespace

TEST_CASE("blocking: brings results back to the loop") {
  CHECK(run(three_jobs()) == 3);
}

TEST_CASE("Semaphore: waiters get places in order and a deadline ends the wait") {
  const auto test = []() -> Task<std::string> {
    Semaphore places(1);
    std::string order;
    (void)co_await places.acquire(Deadline::never());
    Scope scope;
    const auto taker = [](Semaphore* from, std::string* log, char name) -> Task<void> {
      const bool got = co_await from->acquire(Deadline::in(1s));
      if (got) log->push_back(name);
      from->release();
    };
    scope.spawn(taker(&places, &order, 'a'));
    scope.spawn(taker(&places, &order, 'b'));
    const bool late = co_await places.acquire(Deadline::in(5ms));
    order += late ? "?" : "-";
    places.release();
    co_await scope.join();
    co_return order;
  };
  CHECK(run(test()) == "-ab");
}

namespace {
Task<std::string> output_of(Command command, int* code) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) co_return "pipe2";
  Fd write_end(fds[1]);
  command.descriptors[1] = write_end.get();
  auto process = start(std::move(command));
  if (!process) {
    ::close(fds[0]);
    co_return process.error().text();
  }
  write_end.reset();
  std::string text;
  char octets[512];
  ssize_t count;
  while ((count = ::read(fds[0], octets, sizeof octets)) > 0)
    text.append(octets, static_cast<std::size_t>(count));
  ::close(fds[0]);
  const auto status = co_await (*process)->wait(Deadline::in(5s));
  *code = status ? status->code + 1000 * status->signal : -1;
  co_return text;
}
}  // namespace

TEST_CASE("start: runs exactly argv with exactly the environment, and no shell") {
  Command command;
  command.argv = {"sh", "-c", "echo \"$ONE;$HOME;$1\"; exit 7", "sh", "$(id) `id`"};
  command.environment["ONE"] = "1";
  int code = 0;
  CHECK(run(output_of(command, &code)) == "1;;$(id) `id`\n");
  CHECK(code == 7);
}

TEST_CASE("start: an absent program is an error, not an exit code") {
  Command command;
  command.argv = {"/nonexistent/program"};
  int code = 0;
  CHECK(run(output_of(command, &code)) == "start /nonexistent/program: No such file or directory");
}

TEST_CASE("FileWatch: sees a file renamed over the old one") {
  const posthorn::TestFolder folder;
  const std::string& directory = folder.path();
  const std::string path = directory + "/table";
  std::ofstream(path) << "old";
  const auto test = [](std::string watched, std::string fresh) -> Task<std::string> {
    Event changed;
    std::string which;
    auto note = [&changed, &which](const std::string& name) {
      which = name;
      changed.set();
    };
    FileWatch watch({watched}, 10ms, note);
    std::ofstream(fresh) << "new";
    std::filesystem::rename(fresh, watched);
    (void)co_await changed.wait_until(Deadline::in(5s));
    co_return which;
  };
  CHECK(run(test(path, directory + "/fresh")) == path);
}

TEST_CASE("SignalWatch: a signal becomes a call from the loop") {
  const auto test = []() -> Task<bool> {
    Event came;
    auto note = [&came] { came.set(); };
    SignalWatch watch(SIGHUP, note);
    ::raise(SIGHUP);
    const bool in_time = co_await came.wait_until(Deadline::in(5s));
    co_return in_time;
  };
  CHECK(run(test()));
}

TEST_CASE("parse_endpoint: takes the four forms and explains what it refuses") {
  for (const char* good :
       {"inet:mx.example.org:25", "inet:[2001:db8::1]:25", "unix:/run/x.sock", "fd:3", "stdio:"}) {
    const auto endpoint = parse_endpoint(good);
    REQUIRE(endpoint);
    CHECK(endpoint->text() == good);
  }
  for (const char* bad : {"", "tcp:25", "inet:host", "inet:host:99999", "inet:2001:db8::1:25",
                          "unix:", "fd:x", "stdio:1"}) {
    CAPTURE(bad);
    const auto endpoint = parse_endpoint(bad);
    REQUIRE_FALSE(endpoint);
    CHECK_FALSE(endpoint.error().empty());
  }
  CHECK_FALSE(parse_endpoint("unix:/" + std::string(107, 'x')));
}

TEST_CASE(
    "open_listening_socket: takes over the socket file of a dead server, not of a living one") {
  const posthorn::TestFolder folder;
  const std::string& directory = folder.path();
  const Endpoint at = Endpoint::unix_path(directory + "/s");
  auto first = open_listening_socket(at);
  REQUIRE(first);
  CHECK_FALSE(open_listening_socket(at));
  first->reset();
  CHECK(open_listening_socket(at));
}

// Last: it stops this process's clock for good.
TEST_CASE("virtual time: stands still until it is moved, then fires in order") {
  std::string order;
  bool was_early = true;
  // A thread has a loop of its own, and the others' time goes on.
  std::thread([&order, &was_early] {
    Loop::current().use_virtual_time();
    Timer late;
    Timer early;
    late.set(Deadline::in(2h), [&order] { order += 'b'; });
    early.set(Deadline::in(1h), [&order] { order += 'a'; });
    Loop::current().advance(59min);
    was_early = !order.empty();
    Loop::current().advance(2h);
  }).join();
  CHECK_FALSE(was_early);
  CHECK(order == "ab");
}
