#include "libmail/route/expansion.h"

#include "libmail/route/test_tables.h"

using namespace posthorn;
using namespace posthorn::route;
using smtp::Notify;

namespace {

smtp::Envelope envelope(std::initializer_list<std::string> recipients) {
  smtp::Envelope made;
  made.reverse_path = smtp::Mailbox("sender", "other.test");
  for (const std::string& address : recipients)
    made.recipients.emplace_back(TestSite::mailbox(address));
  return made;
}

// "0:ann@a.test" of each target, "0!carl@a.test 5.1.1" of each dead end, "0~" of each deferred.
std::string shown(const Expansion& expansion) {
  std::string out;
  for (const Target& target : expansion.targets) {
    out += std::to_string(target.original) + ":" + smtp::format_mailbox(target.recipient.mailbox);
    if (target.reverse_path) out += "(" + smtp::format_path(*target.reverse_path) + ")";
    out += " ";
  }
  for (const DeadEnd& end : expansion.dead_ends) {
    out += std::to_string(end.original) + "!" + smtp::format_mailbox(end.recipient.mailbox) + " " +
           end.status.enhanced.text() + " ";
  }
  for (const auto& deferred : expansion.deferred) out += std::to_string(deferred.original) + "~ ";
  return out;
}

}  // namespace

TEST_CASE("expand: recipients that stand for themselves stay as they are") {
  TestSite site;
  const auto message = envelope({"Ann+x@A.test", "carl@other.test", "nobody@a.test"});
  const Expansion expansion = async::run(expand(site.resolver, message));
  CHECK(shown(expansion) == "0:Ann+x@A.test 1:carl@other.test 2!nobody@a.test 5.1.1 ");
  CHECK(expansion.targets[0].user == "ann@a.test");
  CHECK(expansion.targets[0].transport.text() == "lmtp:unix:/local");
  CHECK(expansion.targets[1].transport.text() == "lmtp:unix:/relay");
  CHECK(expansion.dead_ends[0].is_unknown_user());
  CHECK_FALSE(expansion.targets[0].recipient.orcpt);
}

TEST_CASE("expand: <Postmaster> gets a domain") {
  TestSite site;
  site.users.names.insert("postmaster");
  auto message = envelope({});
  message.recipients.emplace_back(smtp::Mailbox("Postmaster", ""));
  CHECK(shown(async::run(expand(site.resolver, message))) == "0:Postmaster@a.test ");
}

TEST_CASE("expand: aliases keep the sender and are followed to their ends, each address once") {
  TestSite site;
  site.aliases.set("team leads, bob\nleads ann, bob@a.test, carl@other.test\n");
  const auto message = envelope({"team@a.test", "carl@OTHER.test"});
  CHECK(shown(async::run(expand(site.resolver, message))) ==
        "0:ann@a.test 0:bob@a.test 0:carl@other.test ");
}

TEST_CASE("expand: an alias that names its own user delivers to it") {
  TestSite site;
  site.aliases.set("ann ann, backup@other.test\nbob sys\nsys bob\n");
  CHECK(shown(async::run(expand(site.resolver, envelope({"ann+x@a.test"})))) ==
        "0:ann@a.test 0:backup@other.test ");
  CHECK(shown(async::run(expand(site.resolver, envelope({"bob@a.test"})))) == "0:bob@a.test ");
}

TEST_CASE("expand: a circle without a user is a loop") {
  TestSite site;
  site.aliases.set("x y\ny x\nz z2, ann\nz2 z\n");
  CHECK(shown(async::run(expand(site.resolver, envelope({"x@a.test"})))) == "0!x@a.test 5.4.6 ");
  CHECK(shown(async::run(expand(site.resolver, envelope({"z@a.test"})))) ==
        "0:ann@a.test 0!z@a.test 5.4.6 ");
  site.virtuals.set("@b.test nobody@b.test");
  CHECK(shown(async::run(expand(site.resolver, envelope({"any@b.test"})))) ==
        "0!nobody@b.test 5.4.6 ");
}

TEST_CASE("expand: depth and number have limits") {
  TestSite site;
  std::string chain;
  for (int i = 0; i < 30; ++i)
    chain += "c" + std::to_string(i) + " c" + std::to_string(i + 1) + "\n";
  site.aliases.set(chain + "c30 ann\n");
  CHECK(shown(async::run(expand(site.resolver, envelope({"c0@a.test"})))) == "0!c20@a.test 5.4.6 ");
  CHECK(shown(async::run(expand(site.resolver, envelope({"c15@a.test"})))) == "0:ann@a.test ");
  ExpansionLimits limits;
  limits.targets = 2;
  site.aliases.set("three 1@o.test, 2@o.test, 3@o.test\ntwo 1@o.test, 2@o.test\n");
  CHECK(shown(async::run(expand(site.resolver, envelope({"three@a.test"}), {}, limits))) ==
        "0!three@a.test 5.2.4 ");
  CHECK(shown(async::run(expand(site.resolver, envelope({"two@a.test"}), {}, limits))) ==
        "0:1@o.test 0:2@o.test ");
}

TEST_CASE("expand: aliases that multiply are followed once each") {
  TestSite site;
  std::string text;
  for (int i = 0; i < 15; ++i) {
    const std::string next = std::to_string(i + 1);
    text += "l" + std::to_string(i) + " l" + next + ", r" + next + "\n";
    text += "r" + std::to_string(i) + " l" + next + ", r" + next + "\n";
  }
  site.aliases.set(text + "l15 ann\nr15 bob\n");
  CHECK(shown(async::run(expand(site.resolver, envelope({"l0@a.test"})))) ==
        "0:ann@a.test 0:bob@a.test ");
  CHECK(site.aliases.asked < 1000);
}

TEST_CASE("expand: a list puts its owner in place of the sender, and null stays null") {
  TestSite site;
  site.lists.set("all ann, inner\ninner owner=boss@a.test bob, carl@other.test\n");
  auto message = envelope({"all@a.test"});
  CHECK(shown(async::run(expand(site.resolver, message))) ==
        "0:ann@a.test(<owner-all@a.test>) 0:bob@a.test(<boss@a.test>) "
        "0:carl@other.test(<boss@a.test>) ");
  message.reverse_path.reset();
  CHECK(shown(async::run(expand(site.resolver, message))) ==
        "0:ann@a.test(<>) 0:bob@a.test(<>) 0:carl@other.test(<>) ");
}

TEST_CASE("expand: DSN parameters follow RFC 3461 5.2.7") {
  TestSite site;
  site.aliases.set("one ann\nmany ann, bob\n");
  site.lists.set("all ann, bob\n");
  auto message = envelope({"one@a.test"});
  smtp::Recipient& recipient = message.recipients[0];
  recipient.notify = Notify(Notify::success | Notify::failure);

  SECTION("an alias with one address passes them on and reports nothing") {
    const Expansion expansion = async::run(expand(site.resolver, message));
    CHECK(expansion.reports.empty());
    CHECK(expansion.targets[0].recipient.notify == recipient.notify);
    CHECK(expansion.targets[0].recipient.orcpt == smtp::OriginalRecipient("rfc822", "one@a.test"));
  }
  SECTION("an alias with several passes them on without SUCCESS and reports expanded") {
    recipient.mailbox.local_part = "many";
    recipient.orcpt = smtp::OriginalRecipient("rfc822", "first@other.test");
    const Expansion expansion = async::run(expand(site.resolver, message));
    REQUIRE(expansion.reports.size() == 1);
    CHECK(expansion.reports[0].kind == ExpansionReport::Kind::expanded);
    CHECK(expansion.reports[0].recipient.orcpt == recipient.orcpt);
    REQUIRE(expansion.targets.size() == 2);
    CHECK(expansion.targets[1].recipient.notify == Notify(Notify::failure));
    CHECK(expansion.targets[1].recipient.orcpt == recipient.orcpt);
  }
  SECTION("SUCCESS alone becomes NEVER, for an absent NOTIFY would ask for failures") {
    recipient.mailbox.local_part = "many";
    recipient.notify = Notify(Notify::success);
    CHECK(async::run(expand(site.resolver, message)).targets[0].recipient.notify ==
          Notify(Notify::never));
  }
  SECTION("a list takes delivery, and its members know nothing") {
    recipient.mailbox.local_part = "all";
    const Expansion expansion = async::run(expand(site.resolver, message));
    REQUIRE(expansion.reports.size() == 1);
    CHECK(expansion.reports[0].kind == ExpansionReport::Kind::delivered);
    CHECK(expansion.targets[0].recipient.notify.unspecified());
    CHECK_FALSE(expansion.targets[0].recipient.orcpt);
  }
  SECTION("nobody who didn't ask is told") {
    recipient.mailbox.local_part = "many";
    recipient.notify = {};
    CHECK(async::run(expand(site.resolver, message)).reports.empty());
  }
}

TEST_CASE("expand: of two for one address both get what either wanted") {
  TestSite site;
  site.aliases.set("x ann\n");
  auto message = envelope({"ann@a.test", "x@a.test"});
  message.recipients[0].notify = Notify(Notify::never);
  message.recipients[1].notify = Notify(Notify::success);
  const Expansion first = async::run(expand(site.resolver, message));
  CHECK(shown(first) == "0:ann@a.test ");
  CHECK(first.targets[0].recipient.notify == Notify(Notify::success));
  message.recipients[1].notify = {};
  CHECK(async::run(expand(site.resolver, message)).targets[0].recipient.notify ==
        Notify(Notify::failure | Notify::delay));
}

TEST_CASE("expand: a table that fails in the middle leaves nothing half done") {
  TestSite site;
  site.aliases.set("x ann, y, bob\ny carl@other.test\n");
  site.aliases.fails_for = "y@a.test";
  const auto message = envelope({"bob@a.test", "x@a.test", "carl@other.test"});
  CHECK(shown(async::run(expand(site.resolver, message))) == "0:bob@a.test 2:carl@other.test 1~ ");
  site.aliases.fails_for.clear();
  CHECK(shown(async::run(expand(site.resolver, message, {1}))) ==
        "1:ann@a.test 1:carl@other.test 1:bob@a.test ");
  site.users.fails = true;
  CHECK(shown(async::run(expand(site.resolver, message))) == "2:carl@other.test 0~ 1~ ");
}

TEST_CASE("expand: the transports table can refuse and discard") {
  TestSite site;
  site.transports.set(
      "gone.test error:5.1.6 moved\nslow.test error:4.3.2 later\nbin.test discard:\n");
  const auto message = envelope({"a@gone.test", "b@slow.test", "c@bin.test"});
  const Expansion expansion = async::run(expand(site.resolver, message));
  CHECK(shown(expansion) == "2:c@bin.test 0!a@gone.test 5.1.6 1!b@slow.test 4.3.2 ");
  CHECK(expansion.targets[0].transport.kind == Transport::Kind::discard);
  CHECK(expansion.dead_ends[1].status.is_transient());
}
