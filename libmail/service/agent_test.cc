// The life of an agent, on an agent that echoes. It runs in a child of the test: forked, and on a thread of its own there, so
// that it has a loop of its own.
#include "libmail/service/agent.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "libmail/async/socket.h"
#include "libmail/async/starter.h"
#include "libmail/base/fd.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::service {
namespace {

using async::Deadline;
using async::Task;

class EchoAgent final : public Agent {
 public:
  [[nodiscard]] std::string_view name() const override { return "echod"; }
  [[nodiscard]] std::string_view purpose() const override { return "echoes what it is told"; }
  void describe(OptionTable& table) override {
    table.group("Echo");
    table.add_listeners("listen", listen_, "where it echoes");
    table.add("prefix", prefix_, "stands before each echo");
    table.add("max-clients", limits_.connections, "clients at once, more are sent away");
    table.add("max-per-client", limits_.connections_per_client, "clients at once from one address");
    table.add_path("secret", secret_, "a file outside of what it may read");
    table.add_path("directory", directory_, "the only place it may write").at_start();
  }
  std::vector<std::string> check(const Site&) override {
    if (prefix_ == "bad") return {"prefix is bad: choose another"};
    return {};
  }
  Confinement confinement(const Site& site) override {
    Confinement confinement;
    confinement.read = {site.path("conf")};
    confinement.write = {directory_};
    confinement.internet = false;
    return confinement;
  }
  Result<void, std::string> before_lockdown(const Site&, std::vector<OpenListeners>&) override {
    auto begun = async::Starter::begin();
    if (!begun) return fail(begun.error().text());
    starter_ = std::move(*begun);
    return {};
  }
  Task<Result<void, std::string>> start(Daemon& daemon) override {
    daemon_ = &daemon;
    limits_.refusal = "full\n";
    daemon.serve(
        "listen", [this](Connection connection) { return session(std::move(connection)); },
        limits_);
    daemon.ops().post("/prefix",
                      [this](OpsRequest request) { return set_prefix(std::move(request)); });
    daemon.ops().get("/touch", [this](OpsRequest request) { return touch(std::move(request)); });
    daemon.ops().get("/program",
                     [this](OpsRequest request) { return program(std::move(request)); });
    daemon.ops().get("/execute",
                     [this](OpsRequest request) { return execute(std::move(request)); });
    co_return Result<void, std::string>();
  }

 private:
  Task<void> session(Connection connection) {
    async::Buffer buffer;
    for (;;) {
      const auto got =
          co_await connection.stream->read(buffer, Deadline::in(std::chrono::seconds(60)));
      if (!got || *got == 0) co_return;
      const std::string line(trim(buffer.view()));
      buffer.clear();
      daemon_->log().info("", "echo", {{"text", line}});
      const std::string answer = prefix_ + line + "\n";
      const auto sent =
          co_await connection.stream->write(answer, Deadline::in(std::chrono::seconds(60)));
      if (!sent || line == "quit") co_return;
    }
  }
  Task<OpsReply> set_prefix(OpsRequest request) {
    prefix_ = request.body;
    co_return OpsReply("{\"ok\":true}");
  }
  // Which of the things it should not be able to do it can do.
  Task<OpsReply> touch(OpsRequest) {
    std::string done;
    if (Fd(::open(secret_.c_str(), O_RDONLY))) done += " read-secret";
    if (Fd(::open((directory_ + "/x").c_str(), O_RDWR | O_CREAT, 0600))) done += " write-directory";
    if (Fd(::open((directory_ + "/../y").c_str(), O_RDWR | O_CREAT, 0600)))
      done += " write-outside";
    if (Fd(::socket(AF_INET, SOCK_STREAM, 0))) done += " internet";
    if (Fd(::socket(AF_UNIX, SOCK_STREAM, 0))) done += " unix";
    std::thread([&done] {
      if (Fd(::socket(AF_INET, SOCK_STREAM, 0))) done += " internet-from-thread";
    }).join();
    co_return OpsReply(done);
  }
  // What a program finds that the starter begins.
  Task<OpsReply> program(OpsRequest) {
    const Fd output(::memfd_create("output", MFD_CLOEXEC));
    async::Command command;
    command.argv = {"/bin/grep", "-E",
                    "^(Seccomp|Seccomp_filters|NoNewPrivs):", "/proc/self/status"};
    command.descriptors[1] = output.get();
    auto process =
        co_await starter_->start(std::move(command), Deadline::in(std::chrono::seconds(60)));
    if (!process) co_return OpsReply(process.error().text());
    const auto ended = co_await (*process)->wait(Deadline::in(std::chrono::seconds(60)));
    std::string text(200, '\0');
    const ssize_t count = ::pread(output.get(), text.data(), text.size(), 0);
    text.resize(ended && ended->code == 0 && count > 0 ? static_cast<std::size_t>(count) : 0);
    co_return OpsReply(text);
  }
  Task<OpsReply> execute(OpsRequest) {
    ::execl("/bin/echo", "echo", "it left", nullptr);
    co_return OpsReply("it stayed");
  }

  Daemon* daemon_ = nullptr;
  std::vector<std::string> listen_ = {"unix:run/echo.sock"};
  std::string prefix_ = "> ";
  std::string secret_ = "secret";
  std::string directory_ = "data";
  ServeLimits limits_;
  std::unique_ptr<async::Starter> starter_;
};

// A site in a directory of its own, and an echod in it.
struct Echo {
  std::filesystem::path dir =
      std::filesystem::temp_directory_path() / ("posthorn-" + hex(random_octets(6)));
  pid_t child = 0;

  Echo() {
    for (const char* name : {"conf", "run", "data"})
      std::filesystem::create_directories(dir / name);
    write("secret", "x");
  }
  ~Echo() {
    if (child > 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(dir);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir / name) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(dir / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Runs echod with these flags behind --site; its output goes to the file "log". `passed` becomes descriptor 3.
  void start(std::vector<std::string> flags, int passed = -1, const std::string& passed_name = {}) {
    std::vector<std::string> words = {"echod", "--site", dir.string()};
    words.insert(words.end(), flags.begin(), flags.end());
    child = ::fork();
    if (child != 0) return;
    const int log = ::open((dir / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, 1);
    ::dup2(log, 2);
    if (passed >= 0) {
      ::dup2(passed, 3);
      ::setenv("LISTEN_FDS", "1", 1);
      ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
      ::setenv("LISTEN_FDNAMES", passed_name.c_str(), 1);
    }
    int code = 99;
    std::thread([&] {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      EchoAgent agent;
      code = run_agent(agent, static_cast<int>(words.size()), argv.data());
      ::fflush(stdout);
    }).join();
    ::_exit(code);
  }
  // The exit code, -1 if it was killed, -2 if it still runs after a minute.
  int wait() {
    for (int i = 0; i < 6000; ++i) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == child) {
        child = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      }
      ::usleep(10000);
    }
    return -2;
  }
  [[nodiscard]] bool wait_for(const std::string& text) const {
    for (int i = 0; i < 6000; ++i) {
      if (read("log").find(text) != std::string::npos) return true;
      ::usleep(10000);
    }
    return false;
  }
  [[nodiscard]] Fd connect(const std::string& name = "run/echo.sock") const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (dir / name).c_str(), sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
  }
  [[nodiscard]] OpsReply ask(const std::string& method, const std::string& target,
                             const std::string& body = {}) const {
    auto reply = async::run(ask_ops(dir / "run/echod.ops", method, target, body,
                                    Deadline::in(std::chrono::seconds(60))));
    REQUIRE(reply);
    return *reply;
  }
};

std::string say(const Fd& fd, const std::string& line) {
  const std::string octets = line + "\n";
  if (::write(fd.get(), octets.data(), octets.size()) < 0) return "write failed";
  char answer[200];
  const auto count = ::read(fd.get(), answer, sizeof answer);
  return count > 0 ? std::string(answer, static_cast<std::size_t>(count)) : "end";
}

TEST_CASE("An agent answers, and SIGTERM ends it with 0") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect();
  CHECK(say(client, "hello") == "> hello\n");
  CHECK(say(client, "quit") == "> quit\n");
  ::kill(echo.child, SIGTERM);
  CHECK(echo.wait() == 0);
  CHECK(echo.read("log").find("echo text=hello") != std::string::npos);
  CHECK(echo.read("log").find("stopped exit=0") != std::string::npos);
}

TEST_CASE("A session that does not end is given up after drain_time") {
  Echo echo;
  echo.start({"--drain-time", "1s"});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect();
  CHECK(say(client, "hello") == "> hello\n");
  ::kill(echo.child, SIGTERM);
  CHECK(echo.wait() == 0);
  CHECK(echo.read("log").find("gave-up level=warning sessions=1") != std::string::npos);
}

TEST_CASE("An operator who only holds a connection does not hold up the end") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect("run/echod.ops");
  REQUIRE(client);
  CHECK(echo.ask("GET", "/health").status == 200);  // the first one has been accepted by now
  ::kill(echo.child, SIGTERM);
  CHECK(echo.wait() == 0);
  CHECK(echo.read("log").find("gave-up") == std::string::npos);
}

TEST_CASE("A client over the limit gets the refusal and is closed") {
  Echo echo;
  echo.start({"--max-clients", "1"});
  REQUIRE(echo.wait_for(" ready "));
  const Fd first = echo.connect();
  CHECK(say(first, "one") == "> one\n");
  const Fd second = echo.connect();
  char answer[10] = {};
  CHECK(::read(second.get(), answer, sizeof answer) == 5);
  CHECK(std::string(answer) == "full\n");
  CHECK(::read(second.get(), answer, sizeof answer) == 0);
}

TEST_CASE("Clients of one address are counted, others are not kept out") {
  Echo echo;
  echo.start({"--listen", "inet:127.0.0.1:0", "--max-per-client", "1"});
  REQUIRE(echo.wait_for(" ready "));
  const std::string log = echo.read("log");
  const auto at = log.find("on=inet:");
  REQUIRE(at != std::string::npos);
  const auto endpoint = async::parse_endpoint(log.substr(at + 3, log.find('\n', at) - at - 3));
  REQUIRE(endpoint);
  const auto first_word = [&](const std::string& source) {
    auto stream =
        async::run(async::connect_from(*endpoint, source, Deadline::in(std::chrono::seconds(60))));
    REQUIRE(stream);
    return std::move(*stream);
  };
  const auto talk = [](async::Stream& stream) {
    async::Buffer buffer;
    const std::string line = "hi\n";
    (void)async::run(stream.write(line, Deadline::in(std::chrono::seconds(60))));
    (void)async::run(stream.read(buffer, Deadline::in(std::chrono::seconds(60))));
    return std::string(buffer.view());
  };
  const auto one = first_word("127.0.0.2");
  CHECK(talk(*one) == "> hi\n");
  const auto two = first_word("127.0.0.2");
  CHECK(talk(*two) == "full\n");
  const auto other = first_word("127.0.0.3");
  CHECK(talk(*other) == "> hi\n");
}

TEST_CASE("A socket that was passed is listened on, under its name") {
  Echo echo;
  const auto path = async::Endpoint::unix_path(echo.dir / "run/echo.sock");
  auto socket = async::open_listening_socket(path);
  REQUIRE(socket);
  echo.start({}, socket->get(), "listen");
  REQUIRE(echo.wait_for(" ready "));
  CHECK(say(echo.connect(), "hello") == "> hello\n");
  // Nothing that nobody asked for is opened beside it.
  CHECK_FALSE(std::filesystem::exists(echo.dir / "run/echod.ops"));
}

TEST_CASE("The ops socket shows metrics, health and options, and takes the agent's verbs") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect();
  CHECK(say(client, "hello") == "> hello\n");
  CHECK(echo.ask("GET", "/health").body == "{\"status\":\"ok\"}\n");
  CHECK(echo.ask("GET", "/metrics").body.find("posthorn_connections{listener=\"listen\"} 1\n") !=
        std::string::npos);
  CHECK(echo.ask("GET", "/options").body.find("#prefix = \"> \"\n") != std::string::npos);
  CHECK(echo.ask("POST", "/prefix", "* ").status == 200);
  CHECK(say(client, "hello") == "* hello\n");
  CHECK(echo.ask("GET", "/prefix").status == 405);
  CHECK(echo.ask("GET", "/nothing").status == 404);
}

TEST_CASE("SIGHUP takes new limits and keeps what is read at start, with a line that says so") {
  Echo echo;
  echo.write("conf/echod.toml", "prefix = \"a \"\n");
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect();
  CHECK(say(client, "x") == "a x\n");
  echo.write("conf/echod.toml",
             "prefix = \"b \"\nlisten = [\"unix:run/other.sock\"]\ndirectory = \"elsewhere\"\n");
  ::kill(echo.child, SIGHUP);
  REQUIRE(echo.wait_for(" reloaded "));
  CHECK(say(client, "x") == "b x\n");
  CHECK(echo.read("log").find("needs-restart level=warning key=listen") != std::string::npos);
  CHECK(echo.read("log").find("needs-restart level=warning key=directory") != std::string::npos);
}

TEST_CASE("A reload with an error changes nothing") {
  Echo echo;
  echo.write("conf/echod.toml", "prefix = \"a \"\n");
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const Fd client = echo.connect();
  const auto [text, why] = GENERATE(table<const char*, const char*>(
      {{"prefix = \"b \"\nprefx = 1\n", "echod.toml:2: unknown key prefx, did you mean prefix?"},
       {"prefix = \"bad\"\n", "prefix is bad: choose another"},
       {"prefix = \"b \"\nmax_clients = -1\n", "max_clients expects a number"}}));
  echo.write("conf/echod.toml", text);
  ::kill(echo.child, SIGHUP);
  REQUIRE(echo.wait_for("reload-refused"));
  CHECK(echo.read("log").find(why) != std::string::npos);
  CHECK(say(client, "x") == "a x\n");
}

TEST_CASE("A daemon can't leave what its confinement allows") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  const std::string log = echo.read("log");
  const std::string done = echo.ask("GET", "/touch").body;
  std::string expected;
  if (log.find("landlock=0") != std::string::npos) expected += " read-secret";
  expected += " write-directory";
  if (log.find("landlock=0") != std::string::npos) expected += " write-outside";
  if (log.find("seccomp=false") != std::string::npos) expected += " internet";
  expected += " unix";
  if (log.find("seccomp=false") != std::string::npos) expected += " internet-from-thread";
  CHECK(done == expected);
}

TEST_CASE("A program that a starter begins inherits nothing of the confinement") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  // As free as we are, who may be in a container.
  std::string ours;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp") || line.starts_with("NoNewPrivs")) ours += line + "\n";
  }
  CHECK(echo.ask("GET", "/program").body == ours);
}

TEST_CASE("A daemon that would become another program dies, or stays what it is") {
  Echo echo;
  echo.start({});
  REQUIRE(echo.wait_for(" ready "));
  if (echo.read("log").find("seccomp=false") != std::string::npos) return;
  const auto reply = async::run(ask_ops(echo.dir / "run/echod.ops", "GET", "/execute", "",
                                        Deadline::in(std::chrono::seconds(60))));
  if (reply) {
    CHECK(reply->body == "it stayed");  // with sanitizers, whose own calls the filter lets pass
  } else {
    CHECK(echo.wait() == -1);
  }
  CHECK(echo.read("log").find("it left") == std::string::npos);
}

TEST_CASE("lockdown = off lets it do all of that") {
  Echo echo;
  echo.start({"--lockdown", "off"});
  REQUIRE(echo.wait_for(" ready "));
  CHECK(echo.ask("GET", "/touch").body ==
        " read-secret write-directory write-outside internet unix internet-from-thread");
}

TEST_CASE("A start that can't be is refused with a reason and the right exit code") {
  const auto [flags, code, why] = GENERATE(table<std::vector<std::string>, int, const char*>({
      {{"--prefx", "x"}, 64, "echod: unknown option --prefx, did you mean --prefix?"},
      {{"word"}, 64, "echod: unexpected argument \"word\""},
      {{"--max-clients", "many"}, 78, "echod: --max-clients: expects a number, not \"many\""},
      {{"--prefix", "bad"}, 78, "echod: prefix is bad: choose another"},
      {{"--listen", "inet:nowhere"}, 78, "echod: --listen: "},
      {{"--listen", "unix:/nonexistent/x.sock"},
       69,
       "unix:/nonexistent/x.sock: No such file or directory; make the directory first"},
      {{"--listen", "inet:192.0.2.1:2525"},
       69,
       "Cannot assign requested address; this machine has no such address"},
      {{"--config", "/nonexistent.toml"}, 78, "/nonexistent.toml: no such file"},
  }));
  Echo echo;
  echo.start(flags);
  CHECK(echo.wait() == code);
  CHECK_THAT(echo.read("log"), Catch::Contains(why));
}

TEST_CASE("A place that is taken is refused with what to do about it") {
  const Fd taken(*async::open_listening_socket(async::Endpoint::inet("127.0.0.1", 0)));
  sockaddr_in address{};
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const std::string place = "inet:127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  Echo echo;
  echo.start({"--listen", place});
  CHECK(echo.wait() == 69);
  CHECK_THAT(echo.read("log"),
             Catch::Contains("echod: listen on " + place +
                             ": Address already in use; stop the program that listens there"));
}

TEST_CASE("--check-config says nothing and ends with 0 if all is well") {
  Echo echo;
  echo.write("conf/posthorn.toml", "hostname = \"mail.example.org\"\n[agents.echod]\nrun = true\n");
  echo.start({"--check-config"});
  CHECK(echo.wait() == 0);
  CHECK(echo.read("log").empty());
}

}  // namespace
}  // namespace posthorn::service
