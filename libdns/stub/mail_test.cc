#include "libdns/stub/mail.h"

#include <catch2/catch.hpp>
#include <set>

#include "libdns/wire/test_names.h"
#include "libmail/async/loop.h"
#include "test/support/fake_dns.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::chrono_literals;
using test::FakeDns;
using Outcome = MailRoute::Outcome;

namespace {

MailRoute route_of(const FakeDns& server, std::string_view domain,
                   Families families = Families::both) {
  ResolverOptions options;
  options.servers.emplace_back(server.address(), server.port());
  options.try_time = 100ms;
  return async::run([](ResolverOptions with, Name of, Families wanted) -> async::Task<MailRoute> {
    Resolver resolver(std::move(with));
    MailRoute route =
        co_await find_mail_hosts(resolver, std::move(of), async::Deadline::in(5s), wanted);
    co_return route;
  }(options, name(domain), families));
}

std::vector<std::string> names_of(const MailRoute& route) {
  std::vector<std::string> names;
  for (const MailHost& host : route.hosts) names.push_back(host.name.text());
  return names;
}

// SERVFAIL for these questions ("mx2.example.org A"), the records for all others.
void fail_for(FakeDns& server, std::set<std::string> questions) {
  server.handle([&server, questions](const FakeDns::Query& query) {
    const Question question = query.question();
    const bool fails = questions.contains(question.name.text() + " " + to_string(question.type));
    return std::vector<std::string>{fails ? FakeDns::failure(query, Rcode::servfail)
                                          : server.answer(query)};
  });
}

}  // namespace

TEST_CASE("Mail hosts: MX records by preference, each with its addresses") {
  FakeDns server;
  server.add_mx("example.org", 20, "mx2.example.org");
  server.add_mx("example.org", 10, "mx1.example.org");
  server.add_a("mx1.example.org", "192.0.2.1");
  server.add_aaaa("mx1.example.org", "2001:db8::1");
  server.add_a("mx2.example.org", "192.0.2.2");
  const MailRoute route = route_of(server, "example.org");
  CHECK(route.outcome == Outcome::hosts);
  CHECK_FALSE(route.implicit);
  REQUIRE(names_of(route) == std::vector<std::string>{"mx1.example.org", "mx2.example.org"});
  CHECK(route.hosts[0].addresses == std::vector<std::string>{"2001:db8::1", "192.0.2.1"});
  CHECK(route.hosts[1].addresses == std::vector<std::string>{"192.0.2.2"});
  CHECK(route.hosts[0].preference == 10);
  CHECK(route.hosts[0].security == Security::insecure);
  CHECK(route.reason == "example.org: 2 mail hosts");
}

TEST_CASE("Mail hosts: equal preferences come in random order") {
  FakeDns server;
  for (const char* host : {"a", "b", "c", "d"}) {
    server.add_mx("example.org", 10, std::string(host) + ".example.org");
    server.add_a(std::string(host) + ".example.org", "192.0.2.1");
  }
  std::set<std::string> first;
  for (int i = 0; i < 60 && first.size() < 4; ++i) {
    first.insert(names_of(route_of(server, "example.org")).front());
  }
  CHECK(first.size() == 4);
}

TEST_CASE("Mail hosts: without MX the domain itself is the host") {
  FakeDns server;
  server.add_a("example.org", "192.0.2.7");
  const MailRoute route = route_of(server, "example.org");
  CHECK(route.outcome == Outcome::hosts);
  CHECK(route.implicit);
  REQUIRE(route.hosts.size() == 1);
  CHECK(route.hosts[0].addresses == std::vector<std::string>{"192.0.2.7"});
}

TEST_CASE("Mail hosts: null MX, and a dot among other hosts") {
  FakeDns server;
  server.add_mx("null.example", 0, ".");
  server.add_a("null.example", "192.0.2.1");
  server.add_mx("mixed.example", 0, ".");
  server.add_mx("mixed.example", 10, "mx.mixed.example");
  server.add_a("mx.mixed.example", "192.0.2.1");
  const MailRoute null = route_of(server, "null.example");
  CHECK(null.outcome == Outcome::null_mx);
  CHECK(null.hosts.empty());
  CHECK(null.reason == "the domain null.example takes no mail (null MX)");
  const MailRoute mixed = route_of(server, "mixed.example");
  CHECK(mixed.outcome == Outcome::hosts);
  REQUIRE(mixed.hosts.size() == 2);
  CHECK(mixed.hosts[0].state == MailHost::State::no_address);
  CHECK(mixed.hosts[1].state == MailHost::State::usable);
}

TEST_CASE("Mail hosts: a domain that doesn't exist, one that exists without any host") {
  FakeDns server;
  server.add("example.org", Txt{{"v=spf1 -all"}});
  const MailRoute none = route_of(server, "nowhere.example");
  CHECK(none.outcome == Outcome::no_such_domain);
  CHECK(none.reason == "the domain nowhere.example does not exist");
  const MailRoute bare = route_of(server, "example.org");
  CHECK(bare.outcome == Outcome::no_addresses);
  CHECK(bare.reason == "example.org has no MX record and no address");
}

TEST_CASE("Mail hosts: the domain may be an alias") {
  FakeDns server;
  server.add_cname("alias.example", "example.org");
  server.add_mx("example.org", 10, "mx.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  const MailRoute route = route_of(server, "alias.example");
  CHECK(route.outcome == Outcome::hosts);
  CHECK(route.domain == name("example.org"));
  CHECK(names_of(route) == std::vector<std::string>{"mx.example.org"});
  CHECK_FALSE(route.hosts[0].is_alias);
}

TEST_CASE("Mail hosts: an MX that is an alias is followed and flagged, its name stays") {
  FakeDns server;
  server.add_mx("example.org", 10, "mx.example.org");
  server.add_cname("mx.example.org", "host.provider.example");
  server.add_a("host.provider.example", "192.0.2.1");
  const MailRoute route = route_of(server, "example.org");
  REQUIRE(route.outcome == Outcome::hosts);
  CHECK(route.hosts[0].is_alias);
  CHECK(route.hosts[0].name == name("mx.example.org"));
  CHECK(route.hosts[0].addresses == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("Mail hosts: a host without address stands in the list, marked") {
  FakeDns server;
  server.add_mx("example.org", 10, "gone.example.org");
  server.add_mx("example.org", 20, "mx.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  const MailRoute route = route_of(server, "example.org");
  CHECK(route.outcome == Outcome::hosts);
  REQUIRE(route.hosts.size() == 2);
  CHECK(route.hosts[0].state == MailHost::State::no_address);
  CHECK(route.hosts[0].reason == "gone.example.org: no address");

  server.add_mx("all-gone.example", 10, "gone.example.org");
  const MailRoute all = route_of(server, "all-gone.example");
  CHECK(all.outcome == Outcome::no_addresses);
  CHECK(all.reason == "no mail host of all-gone.example has an address");
}

TEST_CASE("Mail hosts: trouble with DNS is never taken for absence") {
  FakeDns server;
  server.add_mx("example.org", 10, "mx1.example.org");
  server.add_mx("example.org", 20, "mx2.example.org");
  server.add_a("mx2.example.org", "192.0.2.2");
  server.add_a("bare.example", "192.0.2.3");
  fail_for(server, {"mx1.example.org A", "mx1.example.org AAAA", "bare.example MX"});

  const MailRoute one_left = route_of(server, "example.org");
  CHECK(one_left.outcome == Outcome::hosts);
  CHECK(one_left.hosts[0].state == MailHost::State::unanswered);

  // The address record is there, but whether there is an MX nobody can say.
  const MailRoute unknown = route_of(server, "bare.example");
  CHECK(unknown.outcome == Outcome::try_later);
  CHECK(unknown.reason.find("SERVFAIL") != std::string::npos);

  fail_for(server, {"mx1.example.org A", "mx2.example.org A"});
  const MailRoute none = route_of(server, "example.org");
  CHECK(none.outcome == Outcome::try_later);
  CHECK(none.reason.find("SERVFAIL") != std::string::npos);
}

TEST_CASE("Mail hosts: one family's trouble doesn't hide the other's address") {
  FakeDns server;
  server.add_mx("example.org", 10, "mx.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  fail_for(server, {"mx.example.org AAAA"});
  const MailRoute route = route_of(server, "example.org");
  CHECK(route.outcome == Outcome::hosts);
  CHECK(route.hosts[0].addresses == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("Mail hosts: only the families wanted are asked for") {
  FakeDns server;
  server.add_mx("example.org", 10, "mx.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  server.add_aaaa("mx.example.org", "2001:db8::1");
  CHECK(route_of(server, "example.org", Families::ipv4).hosts[0].addresses ==
        std::vector<std::string>{"192.0.2.1"});
  CHECK(route_of(server, "example.org", Families::ipv6).hosts[0].addresses ==
        std::vector<std::string>{"2001:db8::1"});
  CHECK(server.queries() == 4);
}

TEST_CASE(
    "Mail hosts: a host named twice is tried once, and a thousand hosts are not all asked for") {
  FakeDns server;
  server.add_mx("twice.example", 20, "mx.example.org");
  server.add_mx("twice.example", 10, "MX.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  for (int i = 0; i < 200; ++i) {
    server.add_mx("many.example", static_cast<std::uint16_t>(i),
                  "m" + std::to_string(i) + ".example");
  }
  const MailRoute twice = route_of(server, "twice.example");
  REQUIRE(twice.hosts.size() == 1);
  CHECK(twice.hosts[0].preference == 10);
  const MailRoute many = route_of(server, "many.example");
  CHECK(many.hosts.size() == max_mail_hosts);
  CHECK(many.hosts.back().preference == max_mail_hosts - 1);
}

TEST_CASE("Mail hosts: secure only if MX and addresses are") {
  FakeDns server;
  server.add_mx("example.org", 10, "mx.example.org");
  server.add_a("mx.example.org", "192.0.2.1");
  server.set_authentic(true);
  CHECK(route_of(server, "example.org").hosts[0].security == Security::secure);
  server.handle([&server](const FakeDns::Query& query) {
    server.set_authentic(query.question().type != Type::a);
    return std::vector<std::string>{server.answer(query)};
  });
  const MailRoute route = route_of(server, "example.org");
  CHECK(route.security == Security::secure);
  CHECK(route.hosts[0].security == Security::insecure);
}

TEST_CASE("find_host: a name's addresses, whatever its MX says") {
  FakeDns server;
  server.add_mx("smart.example", 0, ".");
  server.add_a("smart.example", "192.0.2.1");
  ResolverOptions options;
  options.servers.emplace_back(server.address(), server.port());
  const MailHost host = async::run([](ResolverOptions with) -> async::Task<MailHost> {
    Resolver resolver(std::move(with));
    Name of = name("smart.example");
    MailHost found = co_await find_host(resolver, std::move(of), async::Deadline::in(5s));
    co_return found;
  }(options));
  CHECK(host.state == MailHost::State::usable);
  CHECK(host.addresses == std::vector<std::string>{"192.0.2.1"});
}
