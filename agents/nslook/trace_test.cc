#include "agents/nslook/trace.h"

#include "agents/nslook/test_dns.h"

namespace posthorn::nslook {
namespace {

constexpr std::string_view soa = " SOA ns. mail. 1 3600 600 86400 300\n";

// Root, org and example.org, each with a server of its own.
struct Internet {
  FakeDns dns;
  Asker asker{dns, [] { return test_time; }};
  TraceSettings settings;

  Internet() {
    settings.roots = {place("192.0.2.1")};
    settings.manner.retries = 0;
    dns.at("192.0.2.1#53")
        .add("." + std::string(soa) +
             "org. NS a.org.\norg. NS b.org.\na.org. A 192.0.2.2\nb.org. A 192.0.2.3\n"
             "org. DS 1 13 2 "
             "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    for (const std::string server : {"192.0.2.2#53", "192.0.2.3#53"}) {
      dns.at(server).add("org." + std::string(soa) +
                         "example.org. NS ns.example.org.\nns.example.org. A 192.0.2.4\n"
                         "far.org. NS ns.example.org.\n");
    }
    dns.at("192.0.2.4#53")
        .add("example.org." + std::string(soa) +
             "www.example.org. A 192.0.2.80\nalias.example.org. CNAME www.far.org.\n"
             "ns.example.org. A 192.0.2.4\nfar.org." +
             std::string(soa) + "www.far.org. A 192.0.2.81\n");
  }
  Trace operator()(std::string_view asked, dns::Type type = dns::Type::a) {
    Trace result;
    async::run([](Asker& a, dns::Question q, TraceSettings s, Trace& into) -> async::Task<void> {
      auto done = co_await trace(a, std::move(q), std::move(s));
      into = std::move(done);
    }(asker, dns::Question(name(asked), type), settings, result));
    return result;
  }
};

std::vector<std::string> told(const Trace& trace) {
  std::vector<std::string> lines;
  for (const Step& step : trace.steps) {
    lines.push_back(std::string(static_cast<std::size_t>(step.depth), '>') + shown(step.zone) +
                    " " + step.server.at.host + " " + step.text);
  }
  return lines;
}

}  // namespace

TEST_CASE("The way leads from the root to the answer, one server a step") {
  Internet net;
  const Trace trace = net("www.example.org");
  CHECK(trace.is_found);
  CHECK(told(trace) ==
        std::vector<std::string>{". 192.0.2.1 referral to org, 2 name servers",
                                 "org 192.0.2.2 referral to example.org, 1 name servers",
                                 "example.org 192.0.2.4 answer"});
  CHECK(show(trace).find("    www.example.org. 300 IN A 192.0.2.80\n") != std::string::npos);
  CHECK(to_json(trace)["outcome"] == "answer");
}

TEST_CASE("Nobody is asked to recurse") {
  Internet net;
  const Trace trace = net("www.example.org");
  REQUIRE(trace.steps.back().reply);
  CHECK_FALSE(trace.steps.back().reply->view().header().recursion_desired);
}

TEST_CASE("A server that is silent or lame is shown, and the next one asked") {
  Internet net;
  net.dns.at("192.0.2.2#53").silent = true;
  CHECK(told(net("www.example.org"))[1] == "org 192.0.2.2 no answer from 192.0.2.2#53");
  net.dns.at("192.0.2.2#53").silent = false;
  net.dns.at("192.0.2.2#53").rcode = dns::Rcode::refused;
  const Trace trace = net("www.example.org");
  CHECK(told(trace)[1] == "org 192.0.2.2 REFUSED");
  CHECK(told(trace)[2] == "org 192.0.2.3 referral to example.org, 1 name servers");
  CHECK(trace.is_found);
}

TEST_CASE("A name server without glue is looked up on a way of its own, and an alias begins anew") {
  Internet net;
  const Trace trace = net("alias.example.org");
  CHECK(trace.is_found);
  const auto lines = told(trace);
  const auto has = [&](const std::string& line) {
    return std::ranges::find(lines, line) != lines.end();
  };
  CHECK(has("example.org 192.0.2.4 alias"));
  CHECK(has("org 192.0.2.2 referral to far.org, 1 name servers"));
  CHECK(trace.question.name == name("alias.example.org"));
}

TEST_CASE("Glue from outside of the zone that refers isn't taken") {
  Internet net;
  auto& tld = net.dns.at("192.0.2.2#53");
  tld.add("evil.org. NS ns.victim.net.\nns.victim.net. A 192.0.2.66\n");
  const Trace trace = net("www.evil.org");
  CHECK_FALSE(trace.is_answered);
  for (const Step& step : trace.steps) CHECK(step.server.at.host != "192.0.2.66");
}

TEST_CASE("What isn't there ends the way, too") {
  Internet net;
  const Trace none = net("nobody.example.org");
  CHECK(none.outcome == "nxdomain");
  CHECK(none.is_answered);
  CHECK_FALSE(none.is_found);
  CHECK(net("www.example.org", dns::Type::mx).outcome == "nodata");
}

TEST_CASE("A way where nobody answers ends with words") {
  Internet net;
  net.dns.at("192.0.2.4#53").silent = true;
  const Trace trace = net("www.example.org");
  CHECK_FALSE(trace.is_answered);
  CHECK(show(trace).ends_with("** nobody who should know answers\n"));
}

TEST_CASE("Name servers that need each other don't keep us for ever") {
  Internet net;
  for (const std::string server : {"192.0.2.2#53", "192.0.2.3#53"}) {
    net.dns.at(server).add("a1.org. NS ns.b1.org.\nb1.org. NS ns.a1.org.\n");
  }
  CHECK_FALSE(net("www.a1.org").is_answered);
  CHECK(net.dns.log.size() < 200);
}

}  // namespace posthorn::nslook
