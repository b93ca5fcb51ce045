#include "libdns/server/responder.h"

#include <catch2/catch.hpp>

#include "libdns/server/test_question.h"
#include "libmail/async/loop.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

constexpr std::string_view example =
    R"($TTL 300
@ IN SOA ns.example.test. admin.example.test. 1 3600 600 86400 60
@ IN NS ns
@ IN MX 10 mail
ns IN A 192.0.2.53
mail IN A 192.0.2.25
www IN CNAME mail
away IN CNAME www.other.test.
lost IN CNAME www.elsewhere.test.
big IN TXT ")"
    "0123456789012345678901234567890123456789012345678901234567890123456789"
    R"("
big IN TXT "a0123456789012345678901234567890123456789012345678901234567890123456789"
big IN TXT "b0123456789012345678901234567890123456789012345678901234567890123456789"
big IN TXT "c0123456789012345678901234567890123456789012345678901234567890123456789"
big IN TXT "d0123456789012345678901234567890123456789012345678901234567890123456789"
big IN TXT "e0123456789012345678901234567890123456789012345678901234567890123456789"
)";
constexpr std::string_view other = R"($TTL 300
@ IN SOA ns.example.test. admin.example.test. 1 3600 600 86400 60
@ IN NS ns.example.test.
www IN A 192.0.2.80
)";

struct Server {
  Zones zones;
  ResponderSettings settings;
  std::unique_ptr<Responder> responder;

  Server() {
    zones.put(zone_of("example.test", example));
    zones.put(zone_of("other.test", other));
    settings.rate.answers = 0;
  }
  std::optional<std::string> ask(const std::string& packet, const Client& client) {
    std::optional<std::string> answer;
    if (!responder) responder = std::make_unique<Responder>(zones, nullptr, settings);
    std::string out;
    if (responder->answer(packet, client, out) == Responder::Outcome::answered) answer = out;
    return answer;
  }
};

// A Responder looks at the loop's clock.
async::Task<void> on_loop(std::function<void()> test) {
  test();
  co_return;
}
void in_loop(std::function<void()> test) {
  async::run(on_loop(std::move(test)));
}

MessageView view_of(const std::optional<std::string>& octets) {
  REQUIRE(octets.has_value());
  const auto view = MessageView::parse(*octets);
  REQUIRE(view.has_value());
  return *view;
}

// Somebody without any rights.
std::optional<std::string> ask(Server& server, const std::string& packet) {
  return server.ask(packet, client_at("203.0.113.9"));
}

}  // namespace

TEST_CASE("Responder: an own zone answers with AA, the client's id and spelling") {
  in_loop([] {
    Server server;
    for (int round = 0; round < 2; ++round) {  // the second time by a copy
      const auto answer = ask(server, TestQuestion("eXample.TEST", Type::mx).packet(77));
      const MessageView view = view_of(answer);
      CHECK(view.header().id == 77);
      CHECK(view.header().authoritative);
      CHECK_FALSE(view.header().recursion_available);
      CHECK(view.questions()[0].name.text() == "eXample.TEST");
      REQUIRE(view.answer().size() == 1);
      CHECK(view.answer()[0].record().text() == "eXample.TEST. 300 IN MX 10 mail.eXample.TEST.");
      REQUIRE(view.additional().size() == 1);
      CHECK_FALSE(view.edns().has_value());
    }
    CHECK(server.responder->counters().ready == 1);
    CHECK(server.responder->counters().authoritative == 1);
  });
}

TEST_CASE("Responder: a chain goes on in another zone of ours and ends where nobody knows more") {
  in_loop([] {
    Server server;
    const auto away = ask(server, TestQuestion("away.example.test", Type::a).packet());
    REQUIRE(view_of(away).answer().size() == 2);
    CHECK(view_of(away).answer()[1].record().text() == "www.other.test. 300 IN A 192.0.2.80");
    const auto lost = ask(server, TestQuestion("lost.example.test", Type::a).packet());
    CHECK(view_of(lost).answer().size() == 1);
    CHECK(view_of(lost).rcode() == Rcode::noerror);
  });
}

TEST_CASE("Responder: strangers are refused what isn't ours, with no more octets than they sent") {
  in_loop([] {
    Server server;
    TestQuestion question("www.elsewhere.test", Type::a);
    question.edns = true;
    question.recursion_desired = true;
    const auto answer = ask(server, question.packet());
    CHECK(view_of(answer).rcode() == Rcode::refused);
    CHECK(answer->size() <= question.packet().size());
  });
}

TEST_CASE("Responder: a zone that has never been read is SERVFAIL, not somebody else's") {
  in_loop([] {
    Server server;
    server.zones.put_empty(name_of("later.test"));
    const auto answer = ask(server, TestQuestion("www.later.test", Type::a).packet());
    CHECK(view_of(answer).rcode() == Rcode::servfail);
  });
}

TEST_CASE("Responder: what is too long for UDP is truncated to its question, by TCP it is whole") {
  in_loop([] {
    Server server;
    TestQuestion question("big.example.test", Type::txt);
    const auto cut = ask(server, question.packet());
    CHECK(view_of(cut).header().truncated);
    CHECK(view_of(cut).answer().empty());
    CHECK(cut->size() <= 512);
    const Client tcp = client_at("203.0.113.9", Client::Transport::tcp);
    CHECK(view_of(server.ask(question.packet(), tcp)).answer().size() == 6);
    question.edns = true;
    CHECK(view_of(ask(server, question.packet())).answer().size() == 6);
  });
}

TEST_CASE("Responder: an EDNS version that doesn't exist gets BADVERS") {
  in_loop([] {
    Server server;
    TestQuestion question("www.example.test", Type::a);
    question.edns = true;
    question.version = 1;
    const MessageView view = view_of(ask(server, question.packet()));
    CHECK(view.rcode() == Rcode::badvers);
    CHECK(view.answer().empty());
  });
}

TEST_CASE("Responder: a client cookie is given a server cookie that is known again") {
  in_loop([] {
    Server server;
    server.settings.cookie_secrets = {Secret(std::string(16, 's'))};
    server.settings.rate.answers = 1;
    TestQuestion question("www.example.test", Type::a);
    question.edns = true;
    question.options = {{edns_cookie, "12345678"}};
    const auto first = ask(server, question.packet());
    const auto edns = view_of(first).edns();
    REQUIRE(edns.has_value());
    REQUIRE(edns->options.size() == 1);
    CHECK(edns->options[0].octets.size() == 24);
    // The second answer in this second would be over the limit; a known client has none.
    question.options = {{edns_cookie, std::string(edns->options[0].octets)}};
    for (int i = 0; i < 10; ++i)
      CHECK_FALSE(view_of(ask(server, question.packet())).answer().empty());
  });
}

TEST_CASE("Responder: a cookie of an impossible length is FORMERR") {
  in_loop([] {
    Server server;
    TestQuestion question("www.example.test", Type::a);
    question.edns = true;
    question.options = {{edns_cookie, "123"}};
    CHECK(view_of(ask(server, question.packet())).rcode() == Rcode::formerr);
  });
}

TEST_CASE("Responder: who asks for it in a stream is told how long it may idle, by UDP nobody") {
  in_loop([] {
    Server server;
    server.settings.stream_idle = std::chrono::seconds(30);
    TestQuestion question("www.example.test", Type::a);
    question.edns = true;
    question.options = {{edns_tcp_keepalive, ""}};
    const auto told =
        server.ask(question.packet(), client_at("203.0.113.9", Client::Transport::tcp));
    const auto edns = view_of(told).edns();
    REQUIRE(edns.has_value());
    REQUIRE(edns->options.size() == 1);
    CHECK(edns->options[0].code == edns_tcp_keepalive);
    CHECK(edns->options[0].octets == std::string_view("\x01\x2c", 2));  // 300 tenths of a second
    CHECK(view_of(ask(server, question.packet())).edns()->options.empty());
  });
}

TEST_CASE("Responder: what can't be read gets FORMERR, an answer nothing, STATUS NOTIMP") {
  in_loop([] {
    Server server;
    std::string packet = TestQuestion().packet();
    CHECK(view_of(ask(server, packet + "x")).rcode() == Rcode::formerr);
    std::string status = packet;
    status[2] = static_cast<char>(2 << 3);
    CHECK(view_of(ask(server, status)).rcode() == Rcode::notimp);
    packet[2] = static_cast<char>(packet[2] | 0x80);
    CHECK_FALSE(ask(server, packet).has_value());
  });
}

TEST_CASE("Responder: errors are limited by UDP, never in a stream") {
  in_loop([] {
    Server server;
    server.settings.rate.answers = 2;
    const std::string broken = TestQuestion().packet() + "x";
    for (int i = 0; i < 10; ++i) {
      CHECK(server.ask(broken, client_at("203.0.113.9", Client::Transport::tcp)).has_value());
    }
    int answers = 0;
    for (int i = 0; i < 10; ++i) answers += ask(server, broken).has_value() ? 1 : 0;
    CHECK(answers < 6);
  });
}

TEST_CASE("Responder: a delegation that a chain leads to is said once") {
  in_loop([] {
    Server server;
    server.zones.put(zone_of("cut.test",
                             "$TTL 300\n@ IN SOA ns admin 1 3600 600 86400 60\n"
                             "@ IN NS ns\nns IN A 192.0.2.1\nwww IN CNAME host.sub\n"
                             "sub IN NS ns.sub\nns.sub IN A 192.0.2.2\n"));
    const auto answer = ask(server, TestQuestion("www.cut.test", Type::a).packet());
    CHECK(view_of(answer).answer().size() == 1);
    CHECK(view_of(answer).authority().size() == 1);
  });
}

TEST_CASE("Responder: other classes are refused, and the server doesn't say what it is") {
  in_loop([] {
    Server server;
    TestQuestion question("version.bind", Type::txt);
    question.klass = Class::ch;
    CHECK(view_of(ask(server, question.packet())).rcode() == Rcode::refused);
  });
}

TEST_CASE("Responder: a new version of a zone is answered from at once") {
  in_loop([] {
    Server server;
    const std::string packet = TestQuestion("www.other.test", Type::a).packet();
    CHECK(view_of(ask(server, packet)).answer().size() == 1);
    server.zones.put(zone_of("other.test", std::string(other) + "www IN A 192.0.2.81\n"));
    CHECK(view_of(ask(server, packet)).answer().size() == 2);
  });
}
