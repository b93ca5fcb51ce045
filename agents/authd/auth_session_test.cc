#include "agents/authd/auth_session.h"

#include "agents/authd/test_site.h"
#include "libmail/base/base64.h"
#include "libmail/sasl/client.h"

using namespace posthorn;
using namespace posthorn::authd;
using async::Task;
using namespace std::string_literals;

namespace {

// A session over memory, its users in a file.
struct Scene {
  UsersFolder folder;
  VerifierOptions options;
  service::Metrics metrics;
  std::unique_ptr<Users> users;
  std::unique_ptr<Verifier> verifier;
  std::unique_ptr<AuthSession> session;
  std::vector<std::string> greeting;

  // Runs `body(client, scene)` against a session that has said hello.
  template <class Body>
  void run(Body body) {
    async::run(play(body));
  }
  template <class Body>
  Task<void> play(Body body) {
    Scene* scene = this;
    users = std::make_unique<Users>(folder.file(), silent_log(), [scene] {
      if (scene->session) scene->session->retire(AuthSession::Retire::when_idle);
    });
    const auto started = co_await users->start();
    CHECK(started);
    verifier = std::make_unique<Verifier>(*users, options, silent_log(), metrics);
    auto pair = async::make_memory_pair(async::Peer(), async::Peer());
    session = std::make_unique<AuthSession>(std::move(pair.right), *verifier, silent_log(), 1);
    LineClient client(std::move(pair.left));
    async::Scope scope;
    scope.spawn(session->serve());
    co_await client.say("VERSION\t1\t2\nCPID\t77\n");
    greeting = co_await client.hear_until("DONE");
    co_await body(client, *this);
    client.close();
    co_await scope.join();
    session.reset();
    co_await users->stop();
  }
  [[nodiscard]] bool offers(const std::string& mechanism) const {
    for (const auto& line : greeting) {
      if (line == "MECH\t" + mechanism || line.rfind("MECH\t" + mechanism + "\t", 0) == 0)
        return true;
    }
    return false;
  }
};

std::string plain(const std::string& id, const std::string& user, const std::string& password,
                  const std::string& fields = "\tsecured") {
  return "AUTH\t" + id + "\tPLAIN\tservice=smtp" + fields +
         "\tresp=" + encode_base64(sasl::plain_response(user, password)) + "\n";
}

std::string decoded(const std::string& line) {
  return decode_base64(line.substr(line.rfind('\t') + 1)).value_or("(no base64)");
}

}  // namespace

TEST_CASE("auth session: greets as Dovecot does") {
  Scene scene;
  scene.folder.write(user_line("ann@alpha.test", "secret"));
  scene.run([](LineClient&, Scene&) -> Task<void> { co_return; });
  REQUIRE(scene.greeting.size() == 8);
  CHECK(scene.greeting.front() == "VERSION\t1\t2");
  CHECK(scene.offers("PLAIN"));
  CHECK(scene.offers("LOGIN"));
  CHECK(scene.offers("SCRAM-SHA-256"));
  CHECK(scene.offers("SCRAM-SHA-256-PLUS"));
  CHECK(scene.greeting.back().rfind("COOKIE\t", 0) == 0);
}

TEST_CASE("auth session: SCRAM is advertised only while every user has keys") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret") + user_line("bob", "secret", sasl::Scheme::crypt));
  scene.run([](LineClient&, Scene&) -> Task<void> { co_return; });
  CHECK_FALSE(scene.offers("SCRAM-SHA-256"));
  CHECK(scene.offers("PLAIN"));
}

TEST_CASE("auth session: PLAIN with either scheme, wrong passwords, unknown users") {
  Scene scene;
  scene.folder.write(user_line("ann@alpha.test", "secret") +
                     user_line("bob", "hunter2", sasl::Scheme::crypt) +
                     "carl:{PLAIN}open\ndora:\n");
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    co_await client.say(plain("1", "Ann@Alpha.test", "secret"));
    std::string line = co_await client.hear();
    CHECK(line == "OK\t1\tuser=ann@alpha.test");
    co_await client.say(plain("2", "bob", "hunter2"));
    line = co_await client.hear();
    CHECK(line == "OK\t2\tuser=bob");
    co_await client.say(plain("3", "carl", "open"));
    line = co_await client.hear();
    CHECK(line == "OK\t3\tuser=carl");
    co_await client.say(plain("4", "ann@alpha.test", "wrong"));
    line = co_await client.hear();
    CHECK(line == "FAIL\t4\tuser=ann@alpha.test");
    co_await client.say(plain("5", "eve", "secret"));
    line = co_await client.hear();
    CHECK(line == "FAIL\t5\tuser=eve");
    co_await client.say(plain("6", "dora", ""));
    line = co_await client.hear();
    CHECK(line.rfind("FAIL\t6", 0) == 0);
  });
}

TEST_CASE("auth session: LOGIN asks, CANCEL forgets") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    co_await client.say("AUTH\t1\tLOGIN\tservice=smtp\tsecured\n");
    std::string line = co_await client.hear();
    CHECK(decoded(line) == "Username:");
    co_await client.say("CONT\t1\t" + encode_base64("ann") + "\n");
    line = co_await client.hear();
    CHECK(decoded(line) == "Password:");
    co_await client.say("CONT\t1\t" + encode_base64("secret") + "\n");
    line = co_await client.hear();
    CHECK(line == "OK\t1\tuser=ann");
    co_await client.say("AUTH\t2\tLOGIN\tservice=smtp\tsecured\n");
    line = co_await client.hear();
    co_await client.say("CANCEL\t2\n" + plain("3", "ann", "secret"));
    line = co_await client.hear();
    CHECK(line == "OK\t3\tuser=ann");
  });
}

TEST_CASE("auth session: passwords in clear are refused without `secured`, unless allowed") {
  for (const bool allowed : {false, true}) {
    Scene scene;
    scene.options.plaintext_in_clear = allowed;
    scene.folder.write(user_line("ann", "secret"));
    struct Body {
      bool allowed;
      explicit Body(bool a) : allowed(a) {}
      Task<void> operator()(LineClient& client, Scene&) const { return play(client, allowed); }
      static Task<void> play(LineClient& client, bool allowed) {
        co_await client.say(plain("1", "ann", "secret", "\trip=192.0.2.1"));
        const std::string line = co_await client.hear();
        CHECK((line == "OK\t1\tuser=ann") == allowed);
      }
    };
    scene.run(Body(allowed));
  }
}

TEST_CASE("auth session: SCRAM with and without room for the server's signature") {
  for (const bool final_ok : {false, true}) {
    Scene scene;
    scene.folder.write(user_line("ann", "secret"));
    struct Body {
      bool final_ok;
      explicit Body(bool f) : final_ok(f) {}
      Task<void> operator()(LineClient& client, Scene&) const { return play(client, final_ok); }
      static Task<void> play(LineClient& client, bool final_ok) {
        sasl::ScramClient::Options who;
        who.user = "ann";
        who.password = "secret";
        who.nonce = "client-nonce";
        who.channel_binding = std::string(32, 'b');
        who.server_offers_plus = true;
        sasl::ScramClient scram(who);
        std::string ask =
            "AUTH\t1\tSCRAM-SHA-256-PLUS\tservice=smtp\tsecured\tcbind=tls-exporter:" +
            encode_base64(std::string(32, 'b'));
        if (final_ok) ask += "\tfinal-resp-ok";
        ask += "\tresp=" + encode_base64(scram.first()) + "\n";
        co_await client.say(std::move(ask));
        std::string line = co_await client.hear();
        const auto answer = scram.final(decoded(line));
        CHECK(answer);
        co_await client.say("CONT\t1\t" + encode_base64(*answer) + "\n");
        line = co_await client.hear();
        if (final_ok) {
          CHECK(line.rfind("OK\t1\tuser=ann\tresp=", 0) == 0);
          const std::string data = line.substr(line.rfind("resp=") + 5);
          CHECK(scram.finish(*decode_base64(data)));
          co_return;
        }
        CHECK(scram.finish(decoded(line)));
        co_await client.say("CONT\t1\t\n");
        line = co_await client.hear();
        CHECK(line == "OK\t1\tuser=ann");
      }
    };
    scene.run(Body(final_ok));
  }
}

TEST_CASE("auth session: SCRAM for an unknown user goes on to the proof") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    std::vector<std::string> salts;
    for (const auto* id : {"1", "2"}) {
      sasl::ScramClient::Options who;
      who.user = "eve";
      who.password = "secret";
      who.nonce = "client-nonce";
      sasl::ScramClient scram(who);
      co_await client.say("AUTH\t"s + id + "\tSCRAM-SHA-256\tservice=smtp\tresp=" +
                          encode_base64(scram.first()) + "\n");
      std::string line = co_await client.hear();
      const std::string first = decoded(line);
      salts.push_back(first.substr(first.find(",s=")));
      const auto answer = scram.final(first);
      CHECK(answer);
      co_await client.say("CONT\t"s + id + "\t" + encode_base64(*answer) + "\n");
      line = co_await client.hear();
      CHECK(line == "FAIL\t"s + id + "\tuser=eve");
    }
    CHECK(salts[0] == salts[1]);
  });
}

TEST_CASE("auth session: a user with nologin is disabled, and only a good password learns it") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret", sasl::Scheme::scram_sha_256, "::::::nologin"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    co_await client.say(plain("1", "ann", "wrong"));
    std::string line = co_await client.hear();
    CHECK(line == "FAIL\t1\tuser=ann");
    co_await client.say(plain("2", "ann", "secret"));
    line = co_await client.hear();
    CHECK(line == "FAIL\t2\tuser=ann\tcode=user_disabled");
  });
}

TEST_CASE("auth session: a name without domain is completed by the realm") {
  Scene scene;
  scene.options.realm = "alpha.test";
  scene.folder.write(user_line("ann@alpha.test", "secret"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    co_await client.say(plain("1", "ann", "secret"));
    const std::string line = co_await client.hear();
    CHECK(line == "OK\t1\tuser=ann@alpha.test");
  });
}

TEST_CASE("auth session: guessing waits, others do not") {
  Scene scene;
  scene.options.throttle.free = 1;
  scene.options.throttle.first = std::chrono::milliseconds(300);
  scene.options.throttle.most_wait = std::chrono::milliseconds(400);
  scene.folder.write(user_line("ann", "secret") + user_line("bob", "secret"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    const std::string evil = "\tsecured\trip=192.0.2.66";
    for (const auto* id : {"1", "2"}) {
      co_await client.say(plain(id, "ann", "wrong", evil));
      co_await client.hear();
    }
    // Two failures: the next of that client or at that user waits, and the one behind it is refused for now.
    co_await client.say(plain("3", "ann", "secret", evil) + plain("4", "ann", "secret", evil) +
                        plain("5", "bob", "secret", "\tsecured\trip=192.0.2.1"));
    std::string line = co_await client.hear();
    CHECK(line == "FAIL\t4\treason=too many attempts\ttemp\tcode=temp_fail");
    line = co_await client.hear();
    CHECK(line == "OK\t5\tuser=bob");
    line = co_await client.hear();
    CHECK(line == "OK\t3\tuser=ann");
  });
}

TEST_CASE(
    "auth session: what a stranger says through a server that does not look is his failure alone") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret"));
  scene.run([](LineClient& client, Scene&) -> Task<void> {
    co_await client.say("AUTH\t1\tPLAIN\tservice=smtp\tsecured\tresp=no base64!\n");
    std::string line = co_await client.hear();
    CHECK(line == "FAIL\t1");
    co_await client.say("AUTH\t2\tLOGIN\tservice=smtp\tsecured\n");
    line = co_await client.hear();
    CHECK(decoded(line) == "Username:");
    co_await client.say("CONT\t2\t!!!\n");
    line = co_await client.hear();
    CHECK(line == "FAIL\t2");
    co_await client.say(plain("3", "ann", "secret"));
    line = co_await client.hear();
    CHECK(line == "OK\t3\tuser=ann");
  });
}

TEST_CASE("auth session: what breaks the protocol ends the connection") {
  const std::string line = GENERATE(as<std::string>(), "NONSENSE\t1\n", "AUTH\t1\n",
                                    "AUTH\t1\tPLAIN\tresp=AAAA\tx\n", std::string(16385, 'x'));
  Scene scene;
  scene.folder.write(user_line("ann", "secret"));
  struct Body {
    std::string line;
    explicit Body(std::string l) : line(std::move(l)) {}
    Task<void> operator()(LineClient& client, Scene&) const { return play(client, line); }
    static Task<void> play(LineClient& client, std::string line) {
      co_await client.say(std::move(line));
      const std::string heard = co_await client.hear();
      CHECK(heard.empty());
    }
  };
  scene.run(Body(line));
}

TEST_CASE(
    "auth session: a replaced file counts within a second, and retires sessions that were told "
    "otherwise") {
  Scene scene;
  scene.folder.write(user_line("ann", "secret"));
  scene.run([](LineClient& client, Scene& s) -> Task<void> {
    s.folder.write(user_line("ann", "secret") + user_line("bob", "x", sasl::Scheme::crypt));
    // retire() waits for nobody here: the session is idle, so the stream ends.
    const std::string line = co_await client.hear(std::chrono::seconds(10));
    CHECK(line.empty());
    CHECK_FALSE(s.users->all_have_scram());
    CHECK(s.users->now()->find("bob", "") != nullptr);
  });
}
