// Policy servers that behave, and those that don't: what the one who asks hears of it.
#include "libmail/session/policy_client.h"

#include <catch2/catch.hpp>
#include <vector>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/policy_wire.h"
#include "libmail/session/scripted_server.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using test::Script;
using test::Server;
using test::Step;

namespace {

const std::string question = "request=smtpd_access_policy\n\n";
const std::string dunno = "action=DUNNO\n\n";

// What `client` is answered: the action, or "! why".
Task<std::string> ask(PolicyClient& client) {
  std::string request = question;
  auto answer = co_await client.ask(std::move(request));
  co_return answer ? *answer : "! " + answer.error();
}

PolicyLimits brief() {
  PolicyLimits limits;
  limits.answer_time = std::chrono::seconds(5);
  return limits;
}

// Asks `times` times, one after the other, a server that plays these scripts.
std::vector<std::string> asked(std::vector<Script> scripts, int times,
                               PolicyLimits limits = brief()) {
  std::vector<std::string> answers;
  struct Run {
    static Task<void> run(Server* server, PolicyLimits within, int count,
                          std::vector<std::string>* into) {
      async::Scope scope;
      scope.spawn(server->play_all());
      PolicyClient client(async::Endpoint::unix_path(server->path), within);
      for (int i = 0; i < count; ++i) {
        std::string answer = co_await ask(client);
        into->push_back(std::move(answer));
      }
      client.close();
      server->listener->close();
      co_await scope.join();
    }
  };
  Server server(std::move(scripts));
  async::run(Run::run(&server, limits, times, &answers));
  return answers;
}

}  // namespace

TEST_CASE("PolicyClient: one connection serves many questions") {
  const Step answer(question, dunno);
  CHECK(asked({{answer, answer, answer}}, 3) ==
        std::vector<std::string>{"DUNNO", "DUNNO", "DUNNO"});
}

TEST_CASE("PolicyClient: an answer may come in pieces") {
  const Script script = {Step(question, "acti"), Step("", "on=OK\n"), Step("", "\n")};
  CHECK(asked({script}, 1) == std::vector<std::string>{"OK"});
}

TEST_CASE("PolicyClient: a server that closed the connection since is asked on a new one") {
  const Step and_goes(question, dunno, Step::Then::hang_up);
  CHECK(asked({{and_goes}, {and_goes}}, 2) == std::vector<std::string>{"DUNNO", "DUNNO"});
}

TEST_CASE("PolicyClient: a server that closes, says half, or says nonsense, has not answered") {
  const auto [says, why] = GENERATE(table<std::string, std::string>({
      {"", "! it closed the connection"},
      {"action=DU", "! it closed the connection"},
      {"action=DUNNO\n", "! it closed the connection"},
      {"\n\n", "! the server answers without an action"},
      {"HTTP/1.1 400 Bad Request\r\n\r\n",
       "! the server answers in no known way: HTTP/1.1 400 Bad Request"},
      {"action=OK\n\naction=OK\n\n", "! it answers more than was asked"},
  }));
  CHECK(asked({{Step(question, says, Step::Then::hang_up)}}, 1) == std::vector<std::string>{why});
}

TEST_CASE("PolicyClient: a line without an end is not waited for") {
  const Script script = {Step(question, std::string(2 * max_policy_answer, 'x'))};
  CHECK(asked({script}, 1) ==
        std::vector<std::string>{"! the server sends an answer that is too long"});
}

TEST_CASE("PolicyClient: a silent server is waited for as long as it may take, and no longer") {
  PolicyLimits limits;
  limits.answer_time = std::chrono::milliseconds(50);
  const std::vector<std::string> answers = asked({{Step(question, "")}}, 1, limits);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].starts_with("! "));
}

TEST_CASE("PolicyClient: nobody is there") {
  struct Run {
    static Task<void> run(std::string path, std::string* into) {
      PolicyClient client(async::Endpoint::unix_path(std::move(path)), PolicyLimits());
      *into = co_await ask(client);
    }
  };
  const test::Directory directory;
  std::string answer;
  async::run(Run::run(directory.path + "/none", &answer));
  CHECK(answer.starts_with("! "));
}

TEST_CASE("PolicyClient: close() ends the question that is being asked") {
  struct Run {
    static Task<void> wait(PolicyClient* client, std::string* into) {
      *into = co_await ask(*client);
    }
    static Task<void> run(Server* server, std::string* into) {
      async::Scope scope;
      scope.spawn(server->play_all());
      PolicyClient client(async::Endpoint::unix_path(server->path), PolicyLimits());
      async::Scope asking;
      asking.spawn(wait(&client, into));
      while (server->heard.empty() || server->heard.back().empty()) {
        co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
      }
      client.close();
      co_await asking.join();
      const std::string later = co_await ask(client);
      CHECK(later == "! this agent is stopping");
      server->listener->close();
      co_await scope.join();
    }
  };
  std::string answer;
  Server server({{Step(question, "")}});
  async::run(Run::run(&server, &answer));
  CHECK(answer.starts_with("! "));
}

}  // namespace posthorn::session
