#include "libdns/stub/resolver.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>

#include "libdns/resolver/dns_stream.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/test_names.h"
#include "libmail/async/event.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "test/support/fake_dns.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::chrono_literals;
using test::FakeDns;

namespace {

ResolverOptions towards(std::initializer_list<const FakeDns*> servers) {
  ResolverOptions options;
  for (const FakeDns* server : servers)
    options.servers.emplace_back(server->address(), server->port());
  options.try_time = 150ms;
  return options;
}

async::Task<Answer> ask_once(ResolverOptions options, Name of, Type type, Duration within) {
  Resolver resolver(std::move(options));
  Answer answer = co_await resolver.ask(std::move(of), type, async::Deadline::in(within));
  co_return answer;
}

Answer ask(const ResolverOptions& options, std::string_view of, Type type, Duration within = 5s) {
  return async::run(ask_once(options, name(of), type, within));
}

Answer ask(const FakeDns& server, std::string_view of, Type type = Type::a) {
  return ask(towards({&server}), of, type);
}

}  // namespace

TEST_CASE("Resolver: an answer with its records") {
  FakeDns server;
  server.add_a("www.example.org", "192.0.2.1");
  server.add_a("www.example.org", "192.0.2.2");
  const Answer answer = ask(server, "WWW.example.org");
  CHECK(answer.presence == Presence::found);
  CHECK(answer.security == Security::insecure);
  CHECK(answer.records.size() == 2);
  CHECK(answer.rcode == Rcode::noerror);
  CHECK(answer.reason == "WWW.example.org A: found");
}

TEST_CASE("Resolver: no data, no name") {
  FakeDns server;
  server.add_a("www.example.org", "192.0.2.1");
  CHECK(ask(server, "www.example.org", Type::aaaa).presence == Presence::nodata);
  const Answer absent = ask(server, "nowhere.example.org");
  CHECK(absent.presence == Presence::nxdomain);
  CHECK(absent.rcode == Rcode::nxdomain);
  CHECK(absent.ttl == 60);
}

TEST_CASE("Resolver: AD counts from a loopback address") {
  FakeDns server;
  server.add_a("www.example.org", "192.0.2.1");
  server.set_authentic(true);
  CHECK(ask(server, "www.example.org").security == Security::secure);
  CHECK(ask(server, "nowhere.example.org").security == Security::secure);
}

TEST_CASE("Resolver: the query asks for AD, has an OPT of 11 octets at its end and a fresh id") {
  FakeDns server;
  std::set<std::uint16_t> ids;
  std::string seen;
  server.handle([&](const FakeDns::Query& query) {
    ids.insert(query.message.header().id);
    seen = query.octets;
    return std::vector<std::string>{FakeDns::failure(query, Rcode::nxdomain)};
  });
  for (int i = 0; i < 8; ++i) static_cast<void>(ask(server, "www.example.org"));
  CHECK(ids.size() > 6);  // random: two may be alike
  const auto query = MessageView::parse(seen);
  REQUIRE(query);
  CHECK(query->header().authentic_data);
  CHECK(query->header().recursion_desired);
  REQUIRE(query->edns());
  CHECK(query->edns()->udp_octets == 1232);
  CHECK(seen.size() == header_octets + 17 + 4 + 11);
}

TEST_CASE("Resolver: a truncated reply is asked for by TCP") {
  FakeDns server;
  for (int i = 0; i < 200; ++i) {
    server.add_a("many.example.org", "192.0.2." + std::to_string(i));
  }
  const Answer answer = ask(server, "many.example.org");
  CHECK(answer.records.size() == 200);
  CHECK(server.tcp_queries() == 1);
}

TEST_CASE("Resolver: a UDP reply of more than 512 octets is taken as it is") {
  FakeDns server;
  for (int i = 0; i < 60; ++i) server.add_a("many.example.org", "192.0.2." + std::to_string(i));
  CHECK(ask(server, "many.example.org").records.size() == 60);
  CHECK(server.tcp_queries() == 0);
}

TEST_CASE("Resolver: silence ends at the deadline, with every round tried before") {
  FakeDns server;
  server.handle([](const FakeDns::Query&) { return std::vector<std::string>{}; });
  const auto start = std::chrono::steady_clock::now();
  const Answer answer = ask(towards({&server}), "www.example.org", Type::a, 10s);
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(answer.security == Security::unavailable);
  CHECK(answer.presence == Presence::unknown);
  CHECK(answer.reason ==
        "www.example.org A: no reply in time from 127.0.0.1:" + std::to_string(server.port()));
  CHECK(server.queries() == 2);
  CHECK(took > 400ms);  // 150 + 300
  CHECK(took < 5s);

  const Answer cut = ask(towards({&server}), "www.example.org", Type::a, 20ms);
  CHECK(cut.security == Security::unavailable);
}

TEST_CASE("Resolver: garbage, a wrong id and another question are not answers") {
  FakeDns server;
  server.add_a("www.example.org", "192.0.2.1");
  server.handle([&server](const FakeDns::Query& query) {
    std::string wrong_id = server.answer(query);
    wrong_id[0] = static_cast<char>(wrong_id[0] ^ 1);
    std::string wrong_name = server.answer(query);
    wrong_name[13] = 'x';  // xww.example.org
    return std::vector<std::string>{"", "x", wrong_id, wrong_name, server.answer(query)};
  });
  const Answer answer = ask(server, "www.example.org");
  CHECK(answer.presence == Presence::found);
  CHECK(server.queries() == 1);
}

TEST_CASE("Resolver: a malformed reply sends us to the next server") {
  FakeDns broken("127.0.0.2");
  broken.handle([&broken](const FakeDns::Query& query) {
    return std::vector<std::string>{broken.answer(query) + "trailing"};
  });
  FakeDns good;
  good.add_a("www.example.org", "192.0.2.1");
  CHECK(ask(towards({&broken, &good}), "www.example.org", Type::a).presence == Presence::found);
  const Answer alone = ask(broken, "www.example.org");
  CHECK(alone.security == Security::unavailable);
  CHECK(alone.reason.find("malformed packet: octets behind the last record") != std::string::npos);
}

TEST_CASE("Resolver: SERVFAIL, REFUSED and silence send us to the next server") {
  FakeDns good;
  good.add_a("www.example.org", "192.0.2.1");
  for (const Rcode rcode : {Rcode::servfail, Rcode::refused, Rcode::notimp}) {
    FakeDns bad("127.0.0.2");
    bad.handle([rcode](const FakeDns::Query& query) {
      return std::vector<std::string>{FakeDns::failure(query, rcode)};
    });
    CHECK(ask(towards({&bad, &good}), "www.example.org", Type::a).presence == Presence::found);
    // It said so itself: no second round for it.
    CHECK(bad.queries() == 1);
  }
  FakeDns silent("127.0.0.2");
  silent.handle([](const FakeDns::Query&) { return std::vector<std::string>{}; });
  CHECK(ask(towards({&silent, &good}), "www.example.org", Type::a).presence == Presence::found);
}

TEST_CASE("Resolver: the reason of a failure names each server and its extended error") {
  FakeDns server;
  server.handle([](const FakeDns::Query& query) {
    const ExtendedError error(22, "all timed out");
    return std::vector<std::string>{FakeDns::failure(query, Rcode::servfail, &error)};
  });
  const Answer answer = ask(server, "www.example.org", Type::mx);
  CHECK(answer.rcode == Rcode::servfail);
  CHECK(answer.reason ==
        "www.example.org MX: SERVFAIL, No Reachable Authority (22): all timed out "
        "from 127.0.0.1:" +
            std::to_string(server.port()));
}

TEST_CASE("Resolver: bogus data is known as such and no second opinion is sought") {
  FakeDns validating;
  validating.handle([](const FakeDns::Query& query) {
    const ExtendedError error(6, "");
    return std::vector<std::string>{FakeDns::failure(query, Rcode::servfail, &error)};
  });
  FakeDns careless("127.0.0.2");
  careless.add_a("www.example.org", "192.0.2.66");
  const Answer answer = ask(towards({&validating, &careless}), "www.example.org", Type::a);
  CHECK(answer.security == Security::bogus);
  CHECK(answer.records.empty());
  CHECK(careless.queries() == 0);
}

TEST_CASE("Resolver: a server that doesn't know EDNS is understood, again and again") {
  FakeDns server;
  server.add_a("www.example.org", "192.0.2.1");
  server.handle([&server](const FakeDns::Query& query) {
    if (!query.message.edns()) return std::vector<std::string>{server.answer(query)};
    Header header = FakeDns::reply_header(query);
    header.rcode = Rcode::formerr;
    MessageBuilder builder(header);
    REQUIRE(builder.question(query.question()));
    return std::vector<std::string>{builder.finish()};
  });
  async::run([](FakeDns* old) -> async::Task<void> {
    Resolver resolver(towards({old}));
    for (int i = 0; i < 3; ++i) {
      Name of = name("www.example.org");
      const Answer answer = co_await resolver.ask(std::move(of), Type::a, async::Deadline::in(5s));
      CHECK(answer.presence == Presence::found);
    }
  }(&server));
  CHECK(server.queries() == 6);
  CHECK(server.tcp_queries() == 0);
}

TEST_CASE("Resolver: aliases are followed over several replies, loops are found") {
  FakeDns server;
  server.handle([](const FakeDns::Query& query) {
    // Each reply holds one alias and nothing else: n1 -> n2 -> n3 -> address, loop -> loop2 -> loop.
    MessageBuilder builder(FakeDns::reply_header(query));
    REQUIRE(builder.edns(EdnsSettings()));
    REQUIRE(builder.question(query.question()));
    const std::string at = query.question().name.text();
    if (at == "n3.example") {
      REQUIRE(builder.answer(Record(name(at), 60, *parse_a("192.0.2.1"))));
    } else {
      const char* next = at == "n1.example"     ? "n2.example"
                         : at == "n2.example"   ? "n3.example"
                         : at == "loop.example" ? "loop2.example"
                                                : "loop.example";
      REQUIRE(builder.answer(Record(name(at), 60, Cname{name(next)})));
    }
    return std::vector<std::string>{builder.finish()};
  });
  const Answer answer = ask(server, "n1.example");
  CHECK(answer.presence == Presence::found);
  CHECK(answer.owner == name("n3.example"));
  CHECK(answer.aliases == std::vector<Name>{name("n1.example"), name("n2.example")});
  const Answer loop = ask(server, "loop.example");
  CHECK(loop.security == Security::unavailable);
  CHECK(loop.reason.find("loop") != std::string::npos);
}

TEST_CASE("Resolver: a port where nobody listens is unavailable at once") {
  std::uint16_t port = 0;
  {
    const FakeDns gone;
    port = gone.port();
  }
  ResolverOptions options;
  options.servers.emplace_back("127.0.0.1", port);
  const auto start = std::chrono::steady_clock::now();
  const Answer answer = ask(options, "www.example.org", Type::a, 10s);
  CHECK(answer.security == Security::unavailable);
  CHECK(std::chrono::steady_clock::now() - start < 5s);
}

TEST_CASE("Resolver: no server at all is an answer too") {
  const Answer answer = ask(ResolverOptions(), "www.example.org", Type::a);
  CHECK(answer.security == Security::unavailable);
  CHECK(answer.reason == "www.example.org A: no server is configured");
}

TEST_CASE("Resolver: hundreds of questions at once get each its own answer") {
  FakeDns server;
  for (int i = 0; i < 256; ++i) {
    server.add_a("h" + std::to_string(i) + ".example", "192.0.2." + std::to_string(i));
  }
  async::run([](FakeDns* to) -> async::Task<void> {
    ResolverOptions options = towards({to});
    options.try_time = 5s;
    Resolver resolver(options);
    async::Scope scope;
    int right = 0;
    for (int i = 0; i < 256; ++i) {
      scope.spawn([](Resolver* ask, int number, int* count) -> async::Task<void> {
        Name of = name("h" + std::to_string(number) + ".example");
        const Answer answer = co_await ask->ask(std::move(of), Type::a, async::Deadline::in(20s));
        if (answer.records.size() != 1) co_return;
        if (to_text(answer.records[0].data) == "192.0.2." + std::to_string(number)) ++*count;
      }(&resolver, i, &right));
    }
    co_await scope.join();
    CHECK(right == 256);
  }(&server));
}

TEST_CASE("Resolver: destroyed while a question waits, it answers first") {
  FakeDns server;
  server.handle([](const FakeDns::Query&) { return std::vector<std::string>{}; });
  async::run([](FakeDns* silent) -> async::Task<void> {
    ResolverOptions options = towards({silent});
    options.try_time = 10s;
    auto resolver = std::make_unique<Resolver>(options);
    async::Scope scope;
    bool answered = false;
    scope.spawn([](Resolver* ask, bool* done) -> async::Task<void> {
      Name of = name("www.example.org");
      const Answer answer = co_await ask->ask(std::move(of), Type::a, async::Deadline::in(20s));
      CHECK(answer.security == Security::unavailable);
      *done = true;
    }(resolver.get(), &answered));
    resolver.reset();
    co_await scope.join();
    CHECK(answered);
  }(&server));
}

namespace {

// One connection, one question, answered with an address and AD; the id as `id_change` says.
async::Task<void> answer_once(std::string path, char id_change) {
  auto socket = async::open_listening_socket(async::Endpoint::unix_path(path));
  REQUIRE(socket);
  auto listener = async::listen_on(std::move(*socket));
  REQUIRE(listener);
  auto stream = co_await (*listener)->accept();
  REQUIRE(stream);
  DnsStream client(std::move(*stream));
  const auto query = co_await client.receive(async::Deadline::in(5s));
  REQUIRE(query);
  const auto view = MessageView::parse(*query);
  REQUIRE(view);
  Header header = view->header();
  header.response = header.authentic_data = true;
  MessageBuilder builder(header);
  EdnsSettings edns;
  const Question question = view->questions()[0].question();
  REQUIRE(builder.edns(std::move(edns)));
  REQUIRE(builder.question(question));
  REQUIRE(builder.answer(Record(question.name, 60, A{{192, 0, 2, 1}})));
  std::string reply = builder.finish();
  reply[0] = static_cast<char>(reply[0] ^ id_change);
  const auto sent = co_await client.send(std::move(reply), async::Deadline::in(5s));
  REQUIRE(sent);
}

async::Task<Answer> ask_by_unix(std::string path, char id_change) {
  async::Scope scope;
  scope.spawn(answer_once(path, id_change));
  ResolverOptions options({*parse_server("unix:" + path)});
  options.rounds = 1;
  Answer answer = co_await ask_once(std::move(options), name("example.org"), Type::a, 5s);
  co_await scope.join();
  co_return answer;
}

}  // namespace

TEST_CASE("Resolver: over a Unix socket AD is believed") {
  const std::string path = "/tmp/posthorn-stub-" + std::to_string(::getpid()) + ".sock";
  const Answer good = async::run(ask_by_unix(path, 0));
  CHECK(good.presence == Presence::found);
  CHECK(good.security == Security::secure);
  const Answer other = async::run(ask_by_unix(path, 1));
  CHECK(other.security == Security::unavailable);
  ::unlink(path.c_str());
}

TEST_CASE("Resolver: a Unix socket where nobody listens is unavailable at once") {
  const Answer answer =
      ask(ResolverOptions({*parse_server("unix:/nowhere/dns.sock")}), "a.test", Type::a);
  CHECK(answer.security == Security::unavailable);
  CHECK_THAT(answer.reason, Catch::Contains("unix:/nowhere/dns.sock"));
}

TEST_CASE("parse_server: addresses of both families, with and without a port") {
  CHECK(parse_server("192.0.2.1") == Server("192.0.2.1", 53));
  CHECK(parse_server("192.0.2.1:5353") == Server("192.0.2.1", 5353));
  CHECK(parse_server("2001:db8::1") == Server("2001:db8::1", 53));
  CHECK(parse_server("[2001:db8::1]:5353") == Server("2001:db8::1", 5353));
  CHECK(parse_server("[::1]")->text() == "[::1]:53");
  for (const char* text : {"", "example.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
                           "[::1", "[::1]5", "[192.0.2.1]:53", "192.0.2.1:53:53"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_server(text));
  }
}

TEST_CASE(
    "parse_resolv_conf: name servers in order, three at most, comments and nonsense left out") {
  const auto servers = parse_resolv_conf(
      "# comment\nsearch example.org\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 \r\n"
      "nameserver nonsense\n;nameserver 192.0.2.9\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n");
  CHECK(servers ==
        std::vector<Server>{Server("192.0.2.1"), Server("fe80::1"), Server("192.0.2.3")});
  CHECK(parse_resolv_conf("") == std::vector<Server>{Server("127.0.0.1")});
}
