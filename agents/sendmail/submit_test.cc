#include "agents/sendmail/submit.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/service/exit_code.h"
#include "libmail/session/scripted_server.h"

using namespace posthorn;
using namespace posthorn::sendmail;
using namespace posthorn::session::test;

namespace {

const Step greeting("", "220 mail\r\n");
const Step hello("EHLO mail.us.example\r\n",
                 "250-mail\r\n250-PIPELINING\r\n250-DSN\r\n250 CHUNKING\r\n");

Letter letter(const std::vector<std::string>& names) {
  Letter one;
  one.envelope.reverse_path = smtp::Mailbox("ann", "us.example");
  for (const std::string& name : names)
    one.envelope.recipients.emplace_back(smtp::Mailbox(name, "us.example"));
  one.message = "From: ann@us.example\r\n\r\n.hi\r\n";
  return one;
}

Caller caller() {
  Caller one;
  one.hostname = "mail.us.example";
  return one;
}

async::Task<Verdict> talk(Server& server, Letter one) {
  async::Scope playing;
  playing.spawn(server.play_all());
  Places places;
  places.socket = server.path;
  places.patience = 2s;
  const Caller who = caller();
  Verdict verdict = co_await submit(one, places, who);
  server.listener->close();
  co_await playing.join();
  co_return verdict;
}

Verdict submitted(const Script& script, const std::vector<std::string>& names) {
  Server server({script});
  return async::run(talk(server, letter(names)));
}

}  // namespace

TEST_CASE("submit: 250 is taken, a refusal of the message names it") {
  const Step accepted("RCPT", "250 ok\r\n250 ok\r\n");
  CHECK(submitted({greeting, hello, accepted, Step(" LAST\r\n", "250 2.0.0 queued\r\n")}, {"bob"})
            .kind == Verdict::Kind::taken);
  const Verdict refused = submitted(
      {greeting, hello, accepted, Step(" LAST\r\n", "554 5.6.0 line 3 is no field\r\n")}, {"bob"});
  CHECK(refused.kind == Verdict::Kind::refused);
  CHECK(refused.failure.exit_code == service::exit_code::data);
  CHECK(refused.failure.text == "message refused: 5.6.0 line 3 is no field");
}

TEST_CASE("submit: one refused recipient and nobody gets it") {
  Server server({{greeting, hello,
                  Step("eve@us.example>\r\n", "250 ok\r\n250 ok\r\n550 5.1.1 User unknown\r\n")}});
  const Verdict verdict = async::run(talk(server, letter({"bob", "eve"})));
  CHECK(verdict.kind == Verdict::Kind::refused);
  CHECK(verdict.failure.exit_code == service::exit_code::unknown_user);
  CHECK(verdict.failure.text == "eve@us.example: 5.1.1 User unknown");
  CHECK(server.heard[0].find("BDAT") == std::string::npos);
}

TEST_CASE("submit: a sender that is not ours is a matter of permission") {
  const Verdict verdict = submitted(
      {greeting, hello, Step("RCPT", "553 5.7.1 not your address\r\n503 5.5.1 MAIL first\r\n")},
      {"bob"});
  CHECK(verdict.failure.exit_code == service::exit_code::refused);
}

TEST_CASE("submit: nobody there, busy, or gone in the middle: the drop directory takes it") {
  for (const Script& script :
       {Script{Step("", "421 4.3.2 busy\r\n", Step::Then::hang_up)},
        Script{Step("", "", Step::Then::hang_up)},
        Script{greeting, hello, Step("RCPT", "250 ok\r\n451 4.3.0 no userdb\r\n")},
        Script{greeting, hello, Step("RCPT", "452 4.3.1 full\r\n503 x\r\n")},
        Script{greeting, hello, Step("RCPT", "250 ok\r\n250 ok\r\n"),
               Step("LAST", "452 4.3.1 disk full\r\n")},
        Script{greeting, hello, Step("RCPT", "250 ok\r\n250 ok\r\n"),
               Step("LAST", "", Step::Then::hang_up)}}) {
    CHECK(submitted(script, {"bob"}).kind == Verdict::Kind::unavailable);
  }
}

TEST_CASE("drop: a batch file that is whole; without the directory both reasons are told") {
  const Directory directory;
  Places places;
  places.queue = directory.path;
  const auto nowhere = drop(letter({"bob"}), places, caller(), "nobody there");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().exit_code == service::exit_code::try_again);
  CHECK(nowhere.error().text.find("nobody there") != std::string::npos);
  CHECK(nowhere.error().text.find(directory.path) != std::string::npos);

  std::filesystem::create_directory(directory.path + "/drop");
  REQUIRE(drop(letter({"bob"}), places, caller(), ""));
  const auto entry = *std::filesystem::directory_iterator(directory.path + "/drop");
  std::ifstream in(entry.path(), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  CHECK(text ==
        "MAIL FROM:<ann@us.example>\r\nRCPT TO:<bob@us.example>\r\nDATA\r\nFrom: "
        "ann@us.example\r\n\r\n..hi\r\n.\r\n");
}
