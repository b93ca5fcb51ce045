#include "agents/relayd/destination.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "agents/relayd/fakes.h"
#include "libmail/async/loop.h"
#include "libmail/base/fd.h"

using namespace posthorn;
using namespace posthorn::relayd;
using namespace posthorn::relayd::test;
using Outcome = dns::MailRoute::Outcome;
using async::Deadline;

namespace {

struct World {
  FakeDns dns;
  MapTable routes;
  MapTable logins;
  Fd log_file{::memfd_create("log", MFD_CLOEXEC)};
  service::Log log{"test", service::Log::Format::kv, service::Level::info, log_file.get()};
  Destinations destinations{routes, logins, dns, log};

  World() {
    DestinationOptions options;
    options.hostname = "mx.us.example";
    options.default_port = 2525;
    options.socket_directory = "/site";
    destinations.configure(options);
  }
  Result<Destination, smtp::Status> find(const std::string& domain) {
    const auto route = async::run(destinations.route_for(domain));
    if (!route) return fail(route.error());
    return async::run(
        destinations.find(*route, domain, "T1", Deadline::in(std::chrono::seconds(5))));
  }
  std::vector<std::string> targets(const std::string& domain) {
    const auto found = find(domain);
    REQUIRE(found);
    std::vector<std::string> list;
    for (const Target& target : found->targets)
      list.push_back(target.name + " " + target.hop.text());
    return list;
  }
  std::string logged() {
    log.flush();
    std::string text(64 * 1024, '\0');
    const ssize_t count = ::pread(log_file.get(), text.data(), text.size(), 0);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  std::string failure(const std::string& domain) {
    const auto found = find(domain);
    REQUIRE_FALSE(found);
    return found.error().enhanced.text();
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "Destinations: MX hosts with all their addresses, in order; those without one are skipped") {
  World world;
  world.dns.routes["a.example"] = route_of(
      Outcome::hosts, {host("MX1.a.example", 10, {"2001:db8::1", "192.0.2.1"}),
                       host("mx2.a.example", 20, {}), host("mx3.a.example", 30, {"192.0.2.3"})});
  CHECK(world.targets("a.example") == Texts{"mx1.a.example smtp:inet:[2001:db8::1]:2525",
                                            "mx1.a.example smtp:inet:192.0.2.1:2525",
                                            "mx3.a.example smtp:inet:192.0.2.3:2525"});
  CHECK_THAT(world.logged(), Catch::Contains("T1 mx-skipped domain=a.example host=mx2.a.example"));
}

TEST_CASE("Destinations: an MX host that is an alias is used, and the zone's fault is logged") {
  World world;
  dns::MailHost alias = host("mx.a.example", 10, {"192.0.2.1"});
  alias.is_alias = true;
  world.dns.routes["a.example"] = route_of(Outcome::hosts, {alias});
  CHECK(world.targets("a.example") == Texts{"mx.a.example smtp:inet:192.0.2.1:2525"});
  CHECK_THAT(world.logged(),
             Catch::Contains("T1 mx-is-alias level=warning domain=a.example host=mx.a.example"));
}

TEST_CASE("Destinations: a better MX host without address is no loop") {
  World world;
  dns::MailHost silent = host("mx.a.example", 10, {});
  silent.state = dns::MailHost::State::unanswered;
  const dns::MailHost us = host("mx.us.example", 20, {"192.0.2.9"});
  world.dns.routes["mute.example"] = route_of(Outcome::hosts, {silent, us});
  CHECK(world.failure("mute.example") == "4.4.3");
  world.dns.routes["bare.example"] = route_of(Outcome::hosts, {host("mx.b.example", 10, {}), us});
  CHECK(world.failure("bare.example") == "5.4.4");
  world.dns.routes["both.example"] =
      route_of(Outcome::hosts, {host("mx.b.example", 5, {}), silent, us});
  CHECK(world.failure("both.example") == "4.4.3");
}

TEST_CASE("Destinations: what DNS says about a domain that gets no mail") {
  World world;
  world.dns.routes["null.example"] = route_of(Outcome::null_mx);
  world.dns.routes["none.example"] = route_of(Outcome::no_such_domain);
  world.dns.routes["bare.example"] = route_of(Outcome::no_addresses);
  world.dns.routes["mute.example"] = route_of(Outcome::try_later);
  CHECK(world.failure("null.example") == "5.1.10");
  CHECK(world.failure("none.example") == "5.1.2");
  CHECK(world.failure("bare.example") == "5.4.4");
  CHECK(world.failure("mute.example") == "4.4.3");
}

TEST_CASE(
    "Destinations: as one of several MX hosts we try only better ones; as the best it is a loop") {
  World world;
  world.dns.routes["backup.example"] =
      route_of(Outcome::hosts,
               {host("mx1.example", 10, {"192.0.2.1"}), host("mx.us.example", 20, {"192.0.2.9"}),
                host("mx2.example", 20, {"192.0.2.2"}), host("mx3.example", 30, {"192.0.2.3"})});
  CHECK(world.targets("backup.example") == Texts{"mx1.example smtp:inet:192.0.2.1:2525"});
  world.dns.routes["ours.example"] =
      route_of(Outcome::hosts,
               {host("MX.us.example", 10, {"192.0.2.9"}), host("mx2.example", 20, {"192.0.2.2"})});
  CHECK(world.failure("ours.example") == "5.4.6");
}

TEST_CASE("Destinations: a route beats MX; the nearest entry counts") {
  World world;
  world.dns.hosts["smart.example"] = host("smart.example", 0, {"192.0.2.5"});
  world.dns.routes["other.example"] =
      route_of(Outcome::hosts, {host("mx.other.example", 10, {"192.0.2.6"})});
  world.routes.entries = {{"a.example", "[192.0.2.1]:26"},
                          {".a.example", "unix:run/smtp.sock"},
                          {"b.example", "other.example:27"},
                          {"c.example", "mx"},
                          {"*", "[smart.example] tls=verified"}};
  world.dns.routes["c.example"] =
      route_of(Outcome::hosts, {host("mx.c.example", 10, {"192.0.2.7"})});
  CHECK(world.targets("a.example") == Texts{"192.0.2.1 smtp:inet:192.0.2.1:26"});
  CHECK(world.targets("x.y.a.example") == Texts{"localhost smtp:unix:/site/run/smtp.sock"});
  CHECK(world.targets("b.example") == Texts{"mx.other.example smtp:inet:192.0.2.6:27"});
  CHECK(world.targets("c.example") == Texts{"mx.c.example smtp:inet:192.0.2.7:2525"});
  CHECK(world.targets("elsewhere.test") == Texts{"smart.example smtp:inet:192.0.2.5:2525"});
  CHECK(world.find("elsewhere.test")->security == Security::verified);
}

TEST_CASE("Destinations: an address literal is its own host") {
  World world;
  CHECK(world.targets("[192.0.2.8]") == Texts{"192.0.2.8 smtp:inet:192.0.2.8:2525"});
  CHECK(world.targets("[ipv6:2001:db8::8]") == Texts{"2001:db8::8 smtp:inet:[2001:db8::8]:2525"});
}

TEST_CASE(
    "Destinations: two domains with one smart host are one destination, two MX domains are not") {
  const auto smart = parse_route("[smart.example]:587");
  CHECK(Destinations::key_of(*smart, "a.example") == Destinations::key_of(*smart, "b.example"));
  CHECK(Destinations::key_of(Route(), "a.example") != Destinations::key_of(Route(), "b.example"));
}

TEST_CASE("Destinations: the log-in belongs to the place") {
  World world;
  world.routes.entries = {{"*", "[192.0.2.1]:587 tls=required"}};
  world.logins.entries = {{"[192.0.2.1]:587", "ann:se:cret"}};
  const auto found = world.find("a.example");
  REQUIRE(found);
  REQUIRE(found->login);
  CHECK(found->login->user == "ann");
  CHECK(found->login->password == "se:cret");
}

TEST_CASE("Destinations: our own trouble is never permanent") {
  World world;
  world.routes.broken = true;
  CHECK(world.failure("a.example") == "4.3.0");
  World smart;
  smart.routes.entries = {{"*", "[gone.example]"}};
  smart.dns.hosts["gone.example"] = host("gone.example", 0, {});
  CHECK(smart.failure("a.example") == "4.4.4");
}
