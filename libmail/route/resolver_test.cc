#include "libmail/route/resolver.h"

#include "libmail/route/test_tables.h"

using namespace posthorn;
using namespace posthorn::route;
using Kind = Verdict::Kind;

TEST_CASE("Resolver: knows users by address, by bare name, with extension, in any case") {
  TestSite site;
  CHECK(site.resolve("ann@a.test").kind == Kind::user);
  CHECK(site.resolve("ANN@A.Test").user == "ann@a.test");
  CHECK(site.resolve("ann+tag+more@a.test").user == "ann@a.test");
  CHECK(site.resolve("sys@a.test").user == "sys");
  CHECK(site.resolve("sys@b.test").user == "sys");
  CHECK(site.resolve("ann@b.test").kind == Kind::unknown_user);
  CHECK(site.resolve("+tag@a.test").kind == Kind::unknown_user);
  CHECK(site.resolve("ann-tag@a.test").kind == Kind::unknown_user);
}

TEST_CASE("Resolver: the forms of classic relaying are ours and unknown, or not ours") {
  TestSite site;
  const auto [address, kind, code] = GENERATE(table<std::string, Kind, int>({
      {"user%other.test@a.test", Kind::unknown_user, 550},
      {"\"user@other.test\"@a.test", Kind::unknown_user, 550},
      {"other.test!user@a.test", Kind::unknown_user, 550},
      {"user@other.test", Kind::remote, 554},
      {"user@[192.0.2.1]", Kind::remote, 554},
      {"user@[127.0.0.1]", Kind::remote, 554},
      {"ann@sub.a.test", Kind::remote, 554},
      {"ann@a.test.other.test", Kind::remote, 554},
      {"\"../../ann\"@a.test", Kind::unknown_user, 550},
  }));
  CAPTURE(address);
  CHECK(site.resolve(address).kind == kind);
  CHECK(site.resolve(address).reply().code == code);
}

TEST_CASE("Resolver: the first rule that matches counts") {
  TestSite site;
  site.virtuals.set("x@a.test ann@a.test\n@a.test bob@a.test\n");
  site.aliases.set("x bob@a.test\nsupport ann, bob\nann ann, backup@other.test\n");
  site.lists.set("x ann\nall ann, bob, carl@other.test\n");
  const auto members = [&](const std::string& address) {
    const auto step = async::run(site.resolver.step(TestSite::mailbox(address), false));
    std::string out;
    for (const auto& member : step.members) out += smtp::format_mailbox(member) + " ";
    return out;
  };
  CHECK(members("x@a.test") == "ann@a.test ");
  CHECK(members("x@b.test") == "bob@a.test ");
  CHECK(members("support@b.test") == "ann@b.test bob@b.test ");
  CHECK(members("Support+tag@a.test") == "ann@a.test bob@a.test ");
  CHECK(members("ann@a.test") == "ann@a.test backup@other.test ");
  CHECK(site.resolve("all@a.test").kind == Kind::list);
  CHECK(site.resolve("bob@a.test").kind == Kind::user);
  CHECK(members("nobody@a.test") == "bob@a.test ");
  CHECK(site.resolve("nobody@b.test").kind == Kind::unknown_user);
}

TEST_CASE("Resolver: a catch-all may keep the local-part") {
  TestSite site;
  site.virtuals.set("@b.test @a.test");
  const auto step = async::run(site.resolver.step(TestSite::mailbox("ann@b.test"), false));
  REQUIRE(step.members.size() == 1);
  CHECK(smtp::format_mailbox(step.members[0]) == "ann@a.test");
}

TEST_CASE("Resolver: a domain is compared in its canonical form") {
  TestSite site;
  site.settings.domains = {"m\xc3\xbcller.example"};
  site.resolver.set(site.settings);
  site.users.names = {"ann@xn--mller-kva.example"};
  CHECK(site.resolve("ann@XN--MLLER-KVA.example").kind == Kind::user);
  CHECK(site.resolve("ann@M\xc3\x9cLLER.example").kind == Kind::user);
  CHECK(site.resolver.is_ours("m\xc3\xbcller.EXAMPLE"));
}

TEST_CASE("Resolver: postmaster and the owners of lists exist if the site has a postmaster") {
  TestSite site;
  site.lists.set("all ann");
  CHECK(site.resolve("postmaster@a.test").kind == Kind::unknown_user);
  site.settings.postmaster = "ann@a.test";
  site.resolver.set(site.settings);
  CHECK(site.resolve("PostMaster@b.test").kind == Kind::alias);
  CHECK(site.resolve("owner-all@a.test").kind == Kind::alias);
  CHECK(site.resolve("owner-none@a.test").kind == Kind::unknown_user);
  CHECK(async::run(site.resolver.resolve(smtp::Mailbox("Postmaster", ""))).kind == Kind::alias);
  site.aliases.set("postmaster bob@a.test");
  const auto step = async::run(site.resolver.step(smtp::Mailbox("postmaster", "a.test"), false));
  CHECK(smtp::format_mailbox(step.members.at(0)) == "bob@a.test");
}

TEST_CASE("Resolver: what can't be asked is 451, never a bounce") {
  TestSite site;
  site.aliases.set("x ann");
  site.aliases.fails = true;
  Verdict verdict = site.resolve("ann@a.test");
  CHECK(verdict.kind == Kind::unavailable);
  CHECK(verdict.why == "the table is away");
  CHECK(verdict.reply().code == 451);
  site.aliases.fails = false;
  site.users.fails = true;
  CHECK(site.resolve("ann@a.test").kind == Kind::unavailable);
  CHECK(site.resolve("x@a.test").kind == Kind::alias);
  CHECK(site.resolve("ann@other.test").kind == Kind::remote);
  site.transports.set("other.test discard:");
  site.transports.fails = true;
  CHECK(site.resolve("ann@other.test").kind == Kind::unavailable);
}

TEST_CASE("Resolver: transports are found by address, domain, parent domain, star") {
  TestSite site;
  site.transports.set(
      "ann@a.test lmtp:unix:run/x.sock\na.test discard:\n.test lmtp:inet:127.0.0.1:24\n"
      "gone.test error:5.1.2 moved away\n");
  const auto where = [&](const std::string& address) {
    return async::run(site.resolver.transport(TestSite::mailbox(address)))->text();
  };
  CHECK(where("Ann@a.test") == "lmtp:unix:/nowhere/run/x.sock");
  CHECK(where("bob@a.test") == "discard:");
  CHECK(where("bob@deep.b.test") == "lmtp:inet:127.0.0.1:24");
  CHECK(where("bob@other.org") == "lmtp:unix:/relay");
  CHECK(where("bob@[192.0.2.1]") == "lmtp:unix:/relay");
  CHECK(where("bob@gone.test") == "error:5.1.2 moved away");
  const Verdict refused = site.resolve("bob@gone.test");
  CHECK(refused.kind == Kind::refused);
  CHECK(refused.reply().code == 550);
  CHECK(refused.reply().status == smtp::EnhancedStatus{5, 1, 2});
  site.transports.set("* discard:");
  CHECK(where("bob@[192.0.2.1]") == "discard:");
  site.transports.set("x.test discard:");
  CHECK(where("bob@a.test") == "lmtp:unix:/local");
}

TEST_CASE("Resolver: VRFY says who exists") {
  TestSite site;
  site.aliases.set("support ann");
  const auto vrfy = [&](std::string argument) {
    return async::run(site.resolver.vrfy(std::move(argument)));
  };
  CHECK(vrfy("ann").text == "<ann@a.test>");
  CHECK(vrfy("Ann Example <ann@a.test>").code == 250);
  CHECK(vrfy("support@b.test").code == 250);
  CHECK(vrfy("nobody").code == 550);
  CHECK(vrfy("ann@other.test").code == 252);
  CHECK(vrfy("not an address").code == 553);
  CHECK(vrfy("").code == 553);
  site.users.fails = true;
  CHECK(vrfy("ann").code == 451);
}

TEST_CASE("Resolver: EXPN lists the members") {
  TestSite site;
  site.lists.set("all owner=bob@a.test ann, carl@other.test");
  const auto expn = [&](std::string argument) {
    return async::run(site.resolver.expn(std::move(argument)));
  };
  CHECK(expn("all").text == "<ann@a.test>\n<carl@other.test>");
  CHECK(expn("<all@b.test>").text == "<ann@b.test>\n<carl@other.test>");
  CHECK(expn("ann").code == 550);
  CHECK(expn("all@other.test").code == 550);
  CHECK(expn("@").code == 553);
  site.lists.fails = true;
  CHECK(expn("all").code == 451);
}

TEST_CASE("Resolver: a user owns the login, its extensions, and what aliases turn into it") {
  TestSite site;
  site.aliases.set("support team\nteam ann, bob\nloop loop2\nloop2 loop\n");
  site.lists.set("all ann");
  site.virtuals.set("@b.test ann@a.test");
  const auto [user, sender, owner] = GENERATE(table<std::string, std::string, bool>({
      {"ann@a.test", "ann@a.test", true},
      {"ann@a.test", "ANN+x@A.test", true},
      {"Ann@A.TEST", "ann@a.test", true},
      {"ann@a.test", "support@a.test", true},
      {"bob@a.test", "support+x@a.test", true},
      {"ann@a.test", "whatever@b.test", true},
      {"bob@a.test", "whatever@b.test", false},
      {"ann@a.test", "bob@a.test", false},
      {"ann@a.test", "all@a.test", false},
      {"ann@a.test", "loop@a.test", false},
      {"ann@a.test", "ann@other.test", false},
      {"sys", "sys@a.test", true},
      {"sys", "sys@b.test", true},
      {"sys", "sys@other.test", false},
      {"ann", "ann@a.test", true},
      {"ann@other.test", "ann@other.test", true},
      {"", "ann@a.test", false},
  }));
  CAPTURE(user, sender);
  const auto owns = async::run(site.resolver.owns(user, TestSite::mailbox(sender)));
  CHECK((owns.kind == Ownership::Kind::owner) == owner);
  CHECK(owns.kind != Ownership::Kind::unavailable);
}

TEST_CASE("Resolver: ownership that can't be looked up is neither yes nor no") {
  TestSite site;
  site.aliases.fails = true;
  site.aliases.set("x ann");
  CHECK(async::run(site.resolver.owns("ann@a.test", smtp::Mailbox("ann", "a.test"))).kind ==
        Ownership::Kind::owner);
  CHECK(async::run(site.resolver.owns("ann@a.test", smtp::Mailbox("x", "a.test"))).kind ==
        Ownership::Kind::unavailable);
}
