// What filters make of a message on its way into mailboxes, and what an LMTP client hears of it.
#include <algorithm>
#include <catch2/catch.hpp>

#include "agents/deliverd/test_mda.h"
#include "test/support/scripted_filter.h"

using namespace posthorn;
using namespace posthorn::deliverd;
using namespace posthorn::deliverd::test;
using posthorn::test::said;
using posthorn::test::ScriptedFilter;
using std::string_literals::operator""s;

namespace {

const std::string bob_and_carol = transaction({"<bob@beta.test>", "<carol@beta.test>"},
                                              "Received: from a\r\nSubject: hi\r\n\r\nhello\r\n");
const std::string delivered = "250 2.0.0 Delivered";
const std::string discarded = "250 2.0.0 Discarded by a filter";

struct FilteredMda {
  Mda mda;
  ScriptedFilter filter;
  std::string without = "tempfail";
  // The last lines of the replies, from MAIL on.
  std::vector<std::string> replies;

  void say(const std::string& commands) { async::run(play(this, commands)); }
  [[nodiscard]] std::size_t stored() const {
    return mda.inbox("bob").size() + mda.inbox("carol").size();
  }

  static async::Task<void> play(FilteredMda* self, std::string commands) {
    self->filter.start();
    filter::FilterOptions options("deliverd");
    options.milters = {"unix:" + self->filter.path()};
    options.when_unavailable = self->without;
    self->mda.filters.load(options, "mx.beta.test");
    self->replies = co_await converse(self->mda, "LHLO queue\r\n" + commands + "QUIT\r\n");
    if (self->replies.size() > 2)
      self->replies.erase(self->replies.begin(), self->replies.begin() + 2);
    co_await self->mda.filters.stop();
    co_await self->filter.stop();
  }
};

}  // namespace

TEST_CASE("LMTP: a filter is told of each step, and of a Received that is not ours yet") {
  FilteredMda site;
  site.say(bob_and_carol);
  CHECK(site.replies[3] == delivered);
  CHECK(site.filter.told.starts_with("OCHMRRTLLNBE"));
  CHECK(site.stored() == 2);
}

TEST_CASE("LMTP: what a filter changes is what is stored, below the fields of the delivery") {
  FilteredMda site;
  site.filter.answers['E'] = said('h', "X-Last\0z"s + '\0') + said('i', "\0\0\0\1X-Top\0a\0"s) +
                             said('m', "\0\0\0\1Received\0from b\0"s) + said('b', "new\r\n") +
                             said('e', "<eve@alpha.test>\0"s) + said('c');
  site.say(bob_and_carol);
  CHECK(site.replies[3] == delivered);
  const std::string text = *site.mda.inbox("bob").begin();
  CHECK(text.starts_with("Return-Path: <eve@alpha.test>\n"));
  CHECK(text.ends_with("\nX-Top: a\nReceived: from b\nSubject: hi\nX-Last: z\n\nnew\n"));
}

TEST_CASE("LMTP: who is added gets the message, who is taken off hears 250 and gets nothing") {
  FilteredMda site;
  site.mda.users.known["dora@beta.test"];
  site.filter.answers['E'] =
      said('-', "<bob@beta.test>\0"s) + said('+', "<dora@beta.test>\0"s) + said('c');
  site.say(bob_and_carol);
  CHECK(site.replies[3] == discarded);
  CHECK(site.replies[4] == delivered);
  CHECK(site.mda.inbox("bob").empty());
  CHECK(site.mda.inbox("carol").size() == 1);
  REQUIRE(site.mda.inbox("dora").size() == 1);
  CHECK(site.mda.inbox("dora").begin()->find("Delivered-To: dora@beta.test\n") !=
        std::string::npos);
}

TEST_CASE("LMTP: where an added recipient can't be delivered to, nobody is") {
  FilteredMda unknown;
  unknown.filter.answers['E'] = said('+', "<nobody@beta.test>\0"s) + said('c');
  unknown.say(bob_and_carol);
  CHECK(unknown.replies[3] == "550 5.1.1 User unknown");
  CHECK(unknown.replies[4] == "550 5.1.1 User unknown");
  CHECK(unknown.stored() == 0);
  FilteredMda full;
  full.mda.users.known["dora@beta.test"].emplace_back("quota_rule", "*:bytes=1");
  full.filter.answers['E'] = said('+', "<dora@beta.test>\0"s) + said('c');
  full.say(bob_and_carol);
  CHECK(full.replies[3].starts_with("452 4.2.2"));
  CHECK(full.replies[4].starts_with("452 4.2.2"));
  CHECK(full.stored() == 0);
}

TEST_CASE("LMTP: a filter's last word is the answer for each recipient") {
  const std::map<std::string, std::string> answers{
      {said('y', "554 5.7.1 spam\0"s), "554 5.7.1 spam"},
      {said('r'), "550 5.7.1"},
      {said('t'), "451 4.7.1"},
      {said('d'), discarded},
      {said('q', "odd\0"s) + said('c'), "451 4.7.1"}};
  for (const auto& [answer, reply] : answers) {
    CAPTURE(reply);
    FilteredMda site;
    site.filter.answers['E'] = answer;
    site.say(bob_and_carol);
    REQUIRE(site.replies.size() == 6);
    CHECK(site.replies[3].starts_with(reply));
    CHECK(site.replies[4] == site.replies[3]);
    CHECK(site.stored() == 0);
  }
}

TEST_CASE("LMTP: a recipient whom a filter refuses is one less") {
  FilteredMda site;
  site.filter.answers['R'] = said('y', "550 5.7.1 not him\0"s);
  site.say(bob_and_carol);
  CHECK(site.replies[1] == "550 5.7.1 not him");
  CHECK(site.replies[2] == "550 5.7.1 not him");
  CHECK(site.stored() == 0);
}

TEST_CASE("LMTP: a large message passes a filter as it is") {
  FilteredMda site;
  std::string body = "Subject: large\r\n\r\n";
  std::string stored = "\n\n";
  for (int i = 0; i < 30000; ++i) {
    body += "line " + std::to_string(i) + "\r\n";
    stored += "line " + std::to_string(i) + "\n";
  }
  site.say(transaction({"<bob@beta.test>"}, body) + bob_and_carol);
  CHECK(site.replies[2] == delivered);
  CHECK(site.replies[6] == delivered);
  REQUIRE(site.mda.inbox("bob").size() == 2);
  const auto inbox = site.mda.inbox("bob");
  CHECK(std::count_if(inbox.begin(), inbox.end(),
                      [&](const std::string& text) { return text.ends_with(stored); }) == 1);
}

TEST_CASE("LMTP: a filter that has left between two messages is connected to again") {
  FilteredMda site;
  site.filter.leaves = true;
  site.say(bob_and_carol + bob_and_carol);
  REQUIRE(site.replies.size() == 11);
  CHECK(site.replies[8] == delivered);
  CHECK(site.replies[9] == delivered);
}

TEST_CASE("LMTP: a filter that goes at any step: as configured, and nothing is lost") {
  for (const char step : std::string("OCHMRTLNBE")) {
    for (const auto& [action, code] :
         {std::pair("tempfail", "451"), std::pair("reject", "550"), std::pair("accept", "250")}) {
      CAPTURE(step, action);
      FilteredMda site;
      site.without = action;
      site.filter.answers[step] = "";
      site.say(bob_and_carol);
      const bool taken = std::string(code) == "250";
      CHECK(site.replies[site.replies.size() - 2].starts_with(taken ? "250" : std::string()));
      CHECK(site.stored() == (taken ? 2 : 0));
      const auto refused =
          std::find_if(site.replies.begin(), site.replies.end(),
                       [code](const auto& each) { return each.starts_with(code); });
      CHECK(refused != site.replies.end());
    }
  }
}
