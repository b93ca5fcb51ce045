#include "agents/posthorn/dns_update_script.h"

#include <catch2/catch.hpp>

#include "libdns/wire/message.h"

namespace posthorn::operate {
namespace {

using Next = UpdateScript::Next;

Next take(UpdateScript& script, std::string_view line) {
  const auto next = script.take(line);
  INFO(std::string(line));
  REQUIRE(next);
  return *next;
}

std::string error_of(std::string_view line) {
  UpdateScript script;
  const auto next = script.take(line);
  REQUIRE_FALSE(next);
  return next.error();
}

}  // namespace

TEST_CASE("A script becomes prerequisites and updates as RFC 2136 has them") {
  UpdateScript script;
  take(script, "zone example.org");
  take(script, "prereq nxdomain new.example.org");
  take(script, "prereq yxdomain old.example.org");
  take(script, "prereq yxrrset old.example.org A");
  take(script, "prereq yxrrset old.example.org A 192.0.2.1");
  take(script, "prereq nxrrset old.example.org IN MX");
  take(script, "update add new.example.org 300 IN TXT \"a b\" c");
  take(script, "delete old.example.org");
  take(script, "update delete old.example.org AAAA");
  take(script, "del old.example.org 0 IN A 192.0.2.1");
  CHECK(show_update(script.request()) ==
        "zone example.org\n"
        "prereq nxdomain new.example.org\n"
        "prereq yxdomain old.example.org\n"
        "prereq yxrrset old.example.org A\n"
        "prereq yxrrset old.example.org A 192.0.2.1\n"
        "prereq nxrrset old.example.org MX\n"
        "add new.example.org 300 TXT \"a b\" \"c\"\n"
        "delete old.example.org\n"
        "delete old.example.org AAAA\n"
        "delete old.example.org A 192.0.2.1\n");
  const std::string octets = build_update(script.request());
  const auto view = dns::MessageView::parse(octets);
  REQUIRE(view);
  CHECK(view->header().opcode == dns::Opcode::update);
  CHECK(view->questions()[0].type == dns::Type::soa);
  REQUIRE(view->answer().size() == 5);
  CHECK(view->answer()[0].klass == dns::Class::none);
  CHECK(view->answer()[1].klass == dns::Class::any);
  CHECK(view->answer()[1].rdata().empty());
  CHECK(view->answer()[3].klass == dns::Class::in);
  REQUIRE(view->authority().size() == 4);
  CHECK(view->authority()[0].ttl == 300);
  CHECK(view->authority()[1].type == dns::Type::any);
  CHECK(view->authority()[3].klass == dns::Class::none);
}

TEST_CASE("An empty line sends what there is, and nothing if there is nothing") {
  UpdateScript script;
  CHECK(take(script, "") == Next::more);
  take(script, "add a.example.org 60 A 192.0.2.1");
  CHECK(take(script, "") == Next::send);
  script.clear();
  CHECK(take(script, "") == Next::more);
  CHECK(take(script, "; comment") == Next::more);
  CHECK(take(script, "send") == Next::send);
  CHECK(take(script, "quit") == Next::quit);
}

TEST_CASE("ttl holds for what is added below it") {
  UpdateScript script;
  take(script, "ttl 1h");
  take(script, "add a.example.org A 192.0.2.1");
  CHECK(script.request().updates[0].ttl == 3600);
}

TEST_CASE("server and key are told by the script") {
  UpdateScript script;
  take(script, "server 192.0.2.1 5353");
  take(script, "key hmac-sha256:k1 c2VjcmV0");
  CHECK(script.server == "192.0.2.1:5353");
  CHECK(script.key == "hmac-sha256:k1:c2VjcmV0");
}

TEST_CASE("What can't be done is said") {
  CHECK(error_of("add a.example.org A 192.0.2.1").find("lacks a TTL") != std::string::npos);
  CHECK(error_of("add a.example.org 60 A 192.0.2.999").find("no IPv4 address") !=
        std::string::npos);
  CHECK(error_of("add a..b 60 A 192.0.2.1").find("is no name") != std::string::npos);
  CHECK(error_of("add a.b 60 MXX 1 a").find("unknown type") != std::string::npos);
  CHECK(error_of("delete") == "a name is missing");
  CHECK(error_of("prereq maybe a.b").find("prereq takes") != std::string::npos);
  CHECK(error_of("prereq yxdomain a.b A").find("takes a name only") != std::string::npos);
  CHECK(error_of("colour red").find("unknown command \"colour\"") != std::string::npos);
  CHECK(error_of("class CH").find("only class IN") != std::string::npos);
}

TEST_CASE("Words of a command line are lines, and blanks in a word are kept") {
  CHECK(script_of_words(
            {"prereq", "nxdomain", "a.b", ",", "add", "a.b", "60", "TXT", "v=spf1 -all"}) ==
        std::vector<std::string>{"prereq nxdomain a.b", "add a.b 60 TXT \"v=spf1 -all\""});
  CHECK(script_of_words({"add", "a.b", "60", "TXT", "\"x y\""}).front() ==
        "add a.b 60 TXT \"x y\"");
}

}  // namespace posthorn::operate
