#include "libmail/session/auth_client.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "libmail/async/loop.h"
#include "libmail/async/socket.h"
#include "libmail/session/userdb_client.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::session;
using async::Deadline;
using async::Endpoint;
using async::Task;
using namespace std::string_literals;

namespace {

// An auth server whose every line is a test's: `on_line` gives what to say, "-" = close the connection.
struct FakeServer {
  posthorn::TestFolder folder;
  std::string greeting;
  std::function<std::string(const std::string&)> on_line;
  std::unique_ptr<async::Listener> listener;
  std::vector<async::Stream*> streams;
  std::vector<std::string> heard;
  int connections = 0;
  async::Scope scope;

  explicit FakeServer(std::string first_words) : greeting(std::move(first_words)) {}

  [[nodiscard]] Endpoint endpoint() const { return Endpoint::unix_path(folder.path("s")); }
  void start() {
    auto fd = async::open_listening_socket(endpoint());
    REQUIRE(fd);
    auto opened = async::listen_on(std::move(*fd));
    REQUIRE(opened);
    listener = std::move(*opened);
    scope.spawn(accept_all());
  }
  Task<void> accept_all() {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      ++connections;
      scope.spawn(serve(std::move(*stream)));
    }
  }
  Task<void> serve(std::unique_ptr<async::Stream> stream) {
    streams.push_back(stream.get());
    auto greeted = co_await stream->write(greeting, Deadline::in(std::chrono::seconds(5)));
    sasl::dovecot::LineReader lines;
    async::Buffer buffer;
    while (greeted) {
      auto count = co_await stream->read(buffer, Deadline::in(std::chrono::seconds(20)));
      if (!count || *count == 0) break;
      lines.feed(buffer.view());
      buffer.clear();
      std::string answers;
      bool over = false;
      while (const auto line = lines.next()) {
        heard.push_back(*line);
        const std::string answer = on_line ? on_line(*line) : "";
        over = over || answer == "-";
        if (!over) answers += answer;
      }
      if (over) break;
      auto written = co_await stream->write(answers, Deadline::in(std::chrono::seconds(5)));
      if (!written) break;
    }
    std::erase(streams, stream.get());
    stream->close();
  }
  Task<void> stop() {
    if (listener) listener->close();
    for (auto* stream : std::vector<async::Stream*>(streams)) stream->close();
    co_await scope.join();
    listener.reset();
  }
};

const std::string auth_greeting =
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\n"
    "MECH\tSCRAM-SHA-256-PLUS\tprivate\tmutual-auth\tchannel-binding\tcbind=tls-"
    "exporter\nMECH\tHIDDEN\tprivate\n"
    "SPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n";

std::string id_of(const std::string& line) {
  const std::size_t begin = line.find('\t') + 1;
  return line.substr(begin, line.find('\t', begin) - begin);
}

SaslContext context(bool secured = true) {
  SaslContext with;
  with.service = "smtp";
  with.secured = secured;
  with.remote_address = "192.0.2.1";
  return with;
}

service::Log& silent() {
  static service::Log log("test", service::Log::Format::kv, service::Level::error, -1);
  return log;
}

// Starts the server, runs `body` with a client, stops both.
template <class Body>
void with_client(FakeServer& server, Body body) {
  struct Run {
    static Task<void> all(FakeServer* server, Body body) {
      server->start();
      AuthClient client(server->endpoint(), AuthClientOptions(), silent());
      co_await body(client, *server);
      co_await client.stop();
      co_await server->stop();
    }
  };
  async::run(Run::all(&server, body));
}

}  // namespace

TEST_CASE("auth client: offers what the server announced, as far as it may be used") {
  FakeServer server(auth_greeting);
  with_client(server, [](AuthClient& client, FakeServer&) -> Task<void> {
    const auto session = client.make_server();
    SaslContext secure = context();
    auto names = co_await session->mechanisms(secure);
    CHECK(names == std::vector<std::string>({"SCRAM-SHA-256", "PLAIN"}));
    secure.channel_binding = std::string(32, 'b');
    names = co_await session->mechanisms(secure);
    CHECK(names == std::vector<std::string>({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"}));
    const SaslContext clear = context(false);
    names = co_await session->mechanisms(clear);
    CHECK(names == std::vector<std::string>({"SCRAM-SHA-256"}));
  });
  CHECK(server.connections == 1);
}

TEST_CASE("auth client: an exchange, with what the session knows") {
  FakeServer server(auth_greeting);
  server.on_line = [](const std::string& line) -> std::string {
    if (line.rfind("AUTH\t", 0) == 0) return "CONT\t" + id_of(line) + "\tcj1hYmM=\n";
    if (line.rfind("CONT\t", 0) == 0)
      return "OK\t" + id_of(line) + "\tuser=ann@alpha.test\tresp=dj14\n";
    return "";
  };
  with_client(server, [](AuthClient& client, FakeServer&) -> Task<void> {
    const auto session = client.make_server();
    SaslContext with = context();
    with.channel_binding = "bind";
    SaslResult result = co_await session->start("scram-sha-256", "n,,n=ann,r=abc", with);
    CHECK(result.kind == SaslResult::Kind::challenge);
    CHECK(result.data == "r=abc");
    result = co_await session->step("c=biws");
    // The server's signature comes as one more challenge, answered empty.
    CHECK(result.kind == SaslResult::Kind::challenge);
    CHECK(result.data == "v=x");
    result = co_await session->step("");
    CHECK(result.kind == SaslResult::Kind::ok);
    CHECK(result.user == "ann@alpha.test");
  });
  REQUIRE(server.heard.size() == 4);
  CHECK(server.heard[0] == "VERSION\t1\t2");
  CHECK(server.heard[2] ==
        "AUTH\t1\tSCRAM-SHA-256\tservice=smtp\tsecured\trip=192.0.2.1\tcbind=tls-exporter:YmluZA=="
        "\tresp=biwsbj1hbm4scj1hYmM=");
  CHECK(server.heard[3] == "CONT\t1\tYz1iaXdz");
}

TEST_CASE("auth client: refused and unavailable are told apart") {
  FakeServer server(auth_greeting);
  server.on_line = [](const std::string& line) -> std::string {
    if (line.rfind("AUTH\t1\t", 0) == 0) return "FAIL\t1\tuser=ann\n";
    if (line.rfind("AUTH\t2\t", 0) == 0) return "FAIL\t2\tuser=ann\tcode=temp_fail\treason=disk\n";
    return "";
  };
  with_client(server, [](AuthClient& client, FakeServer&) -> Task<void> {
    const auto session = client.make_server();
    const SaslContext with = context();
    SaslResult result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::refused);
    result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::unavailable);
    CHECK(result.reason == "disk");
  });
}

TEST_CASE("auth client: many sessions share the connection, answers find their way in any order") {
  FakeServer server(auth_greeting);
  std::string held;
  server.on_line = [&held](const std::string& line) -> std::string {
    if (line.rfind("AUTH\t", 0) != 0) return "";
    held = "OK\t" + id_of(line) + "\tuser=u" + id_of(line) + "\n" + held;  // last first
    return line.rfind("AUTH\t3\t", 0) == 0 ? held : "";
  };
  with_client(server, [](AuthClient& client, FakeServer&) -> Task<void> {
    std::vector<std::string> users(4);
    async::Scope scope;
    struct One {
      static Task<void> ask(AuthClient* c, std::string* user) {
        const auto session = c->make_server();
        const SaslContext with = context();
        auto result = co_await session->start("PLAIN", "x", with);
        *user = result.user;
      }
    };
    for (int i = 1; i <= 3; ++i)
      scope.spawn(One::ask(&client, &users[static_cast<std::size_t>(i)]));
    co_await scope.join();
    CHECK(users == std::vector<std::string>({"", "u1", "u2", "u3"}));
  });
  CHECK(server.connections == 1);
}

TEST_CASE("auth client: a server that restarted is asked again, one that is gone is unavailable") {
  FakeServer server(auth_greeting);
  int asked = 0;
  server.on_line = [&asked](const std::string& line) -> std::string {
    if (line.rfind("AUTH\t", 0) != 0) return "";
    return ++asked == 1 ? "-" : "OK\t" + id_of(line) + "\tuser=ann\n";
  };
  with_client(server, [](AuthClient& client, FakeServer& fake) -> Task<void> {
    const auto session = client.make_server();
    const SaslContext with = context();
    SaslResult result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::ok);
    CHECK(fake.connections == 2);
    co_await fake.stop();
    result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::unavailable);
    const auto names = co_await session->mechanisms(with);
    CHECK(names.empty());
    // It is back: no restart of ours is needed.
    fake.start();
    co_await async::sleep_until(Deadline::in(LineConnection::retry_after * 2));
    result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::ok);
  });
}

TEST_CASE("auth client: a connection lost between two steps fails that exchange only") {
  FakeServer server(auth_greeting);
  server.on_line = [](const std::string& line) -> std::string {
    if (line.rfind("CONT\t", 0) == 0) return "-";
    return line.rfind("AUTH\t", 0) == 0 ? "CONT\t" + id_of(line) + "\t\n" : "";
  };
  with_client(server, [](AuthClient& client, FakeServer& fake) -> Task<void> {
    const auto session = client.make_server();
    const SaslContext with = context();
    SaslResult result = co_await session->start("LOGIN", std::nullopt, with);
    CHECK(result.kind == SaslResult::Kind::challenge);
    result = co_await session->step("ann");
    CHECK(result.kind == SaslResult::Kind::unavailable);
    result = co_await session->step("secret");
    CHECK(result.kind == SaslResult::Kind::unavailable);
    result = co_await session->start("LOGIN", std::nullopt, with);
    CHECK(result.kind == SaslResult::Kind::challenge);
    session->cancel();
    const Deadline minute = Deadline::in(std::chrono::minutes(1));
    while (fake.heard.back().rfind("CANCEL\t", 0) != 0 && !minute.passed()) {
      co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(10)));
    }
  });
  CHECK(server.heard.back().rfind("CANCEL\t", 0) == 0);
}

TEST_CASE("auth client: a server that speaks nonsense is unavailable, not believed") {
  const std::string greeting = GENERATE(as<std::string>(), "HELLO\n", "VERSION\t2\t0\nDONE\n",
                                        std::string(20000, 'x'), "VERSION\t1\t2\nMECH\n");
  FakeServer server(greeting);
  with_client(server, [](AuthClient& client, FakeServer&) -> Task<void> {
    const auto session = client.make_server();
    const SaslContext with = context();
    const SaslResult result = co_await session->start("PLAIN", "x", with);
    CHECK(result.kind == SaslResult::Kind::unavailable);
  });
}

namespace {

template <class Body>
void with_userdb(FakeServer& server, UserdbOptions options, Body body) {
  struct Run {
    static Task<void> all(FakeServer* server, UserdbOptions options, Body body) {
      server->start();
      UserdbClient client(server->endpoint(), std::move(options), silent());
      co_await body(client, *server);
      co_await client.stop();
      co_await server->stop();
    }
  };
  async::run(Run::all(&server, std::move(options), body));
}

std::string userdb_answer(const std::string& line) {
  if (line.rfind("USER\t", 0) == 0) {
    if (line.find("\tann") != std::string::npos)
      return "USER\t" + id_of(line) + "\tann@alpha.test\thome=/srv/ann\tuid=1000\n";
    if (line.find("\ttrouble") != std::string::npos)
      return "FAIL\t" + id_of(line) + "\treason=disk\n";
    return "NOTFOUND\t" + id_of(line) + "\n";
  }
  if (line.rfind("LIST\t", 0) == 0)
    return "LIST\t" + id_of(line) + "\tann\nLIST\t" + id_of(line) + "\tbob\nDONE\t" + id_of(line) +
           "\n";
  return "";
}

}  // namespace

TEST_CASE("userdb client: finds, does not find, can't ask, lists") {
  FakeServer server("VERSION\t1\t2\nSPID\t7\n");
  server.on_line = userdb_answer;
  with_userdb(server, UserdbOptions(), [](UserdbClient& client, FakeServer&) -> Task<void> {
    auto answer = co_await client.find("ann@alpha.test");
    CHECK(answer.kind == UserdbAnswer::Kind::found);
    CHECK(answer.user == "ann@alpha.test");
    CHECK(answer.field("home") == "/srv/ann");
    answer = co_await client.find("eve");
    CHECK(answer.kind == UserdbAnswer::Kind::unknown);
    answer = co_await client.find("trouble");
    CHECK(answer.kind == UserdbAnswer::Kind::unavailable);
    CHECK(answer.why == "disk");
    const auto users = co_await client.list("", Deadline::in(std::chrono::seconds(60)));
    REQUIRE(users);
    CHECK(*users == std::vector<std::string>({"ann", "bob"}));
  });
}

TEST_CASE(
    "userdb client: keeps answers for a while, asks once for all who wait, never keeps trouble") {
  FakeServer server("VERSION\t1\t2\nSPID\t7\n");
  server.on_line = userdb_answer;
  UserdbOptions options;
  options.keep_found = std::chrono::milliseconds(80);
  with_userdb(server, options, [](UserdbClient& client, FakeServer&) -> Task<void> {
    async::Scope scope;
    struct One {
      static Task<void> ask(UserdbClient* c, int* found) {
        auto answer = co_await c->find("ann");
        if (answer.kind == UserdbAnswer::Kind::found) ++*found;
      }
    };
    int found = 0;
    for (int i = 0; i < 10; ++i) scope.spawn(One::ask(&client, &found));
    co_await scope.join();
    CHECK(found == 10);
    co_await client.find("trouble");
    co_await client.find("trouble");
    co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(120)));
    co_await client.find("ann");
  });
  const auto asked = [&server](std::string_view what) {
    return std::count_if(server.heard.begin(), server.heard.end(), [what](const std::string& line) {
      return line.find(what) != std::string::npos;
    });
  };
  CHECK(asked("ann\tservice=lmtp") == 2);  // once for the ten, once after it expired
  CHECK(asked("trouble") == 2);
}

TEST_CASE("userdb client: no server is unavailable") {
  FakeServer server("");
  with_userdb(server, UserdbOptions(), [](UserdbClient& client, FakeServer& fake) -> Task<void> {
    co_await fake.stop();
    const auto answer = co_await client.find("ann");
    CHECK(answer.kind == UserdbAnswer::Kind::unavailable);
    const auto users = co_await client.list("", Deadline::in(std::chrono::seconds(1)));
    CHECK_FALSE(users);
  });
}
