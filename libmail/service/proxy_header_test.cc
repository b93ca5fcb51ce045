// PROXY headers at every split, and what is no header; through a stream: who the client is then.
#include "libmail/service/proxy_header.h"

#include <catch2/catch.hpp>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/service/proxied.h"

namespace posthorn::service {

namespace {

using async::Deadline;
using async::Task;

ProxyHeader header(std::string source, std::uint16_t from, std::string destination,
                   std::uint16_t to) {
  ProxyHeader made;
  made.has_addresses = true;
  made.source = std::move(source);
  made.source_port = from;
  made.destination = std::move(destination);
  made.destination_port = to;
  return made;
}

// A version 2 header of these fixed octets and this rest.
std::string v2(std::string_view command_and_family, std::string_view rest) {
  std::string octets("\r\n\r\n\0\r\nQUIT\n", 12);
  octets.append(command_and_family);
  octets += static_cast<char>(rest.size() >> 8);
  octets += static_cast<char>(rest.size() & 0xff);
  return octets.append(rest);
}

// "more", "ok" or the error.
std::string outcome(std::string_view octets) {
  const auto taken = take_proxy_header(octets);
  if (!taken) return "more";
  return *taken ? "ok" : taken->error();
}

const ProxyHeader v4_client = header("192.0.2.7", 4711, "198.51.100.25", 25);
const ProxyHeader v6_client = header("2001:db8::7", 65535, "2001:db8::25", 993);

struct Case {
  std::string wire;
  ProxyHeader says;
};

std::vector<Case> good_headers() {
  const std::string v4_ends("\xc0\0\2\7\xc6\x33\x64\x19\x12\x67\0\x19", 12);
  return {
      {"PROXY TCP4 192.0.2.7 198.51.100.25 4711 25\r\n", v4_client},
      {"PROXY TCP6 2001:db8::7 2001:db8::25 65535 993\r\n", v6_client},
      {"PROXY UNKNOWN\r\n", {}},
      {"PROXY UNKNOWN ff:ff::1 whatever 1 2\r\n", {}},
      {format_proxy_v1(v4_client), v4_client},
      {format_proxy_v1({}), {}},
      {format_proxy_v2(v4_client), v4_client},
      {format_proxy_v2(v6_client), v6_client},
      {format_proxy_v2({}), {}},
      {v2("\x21\x11", v4_ends), v4_client},
      {v2("\x21\x11", v4_ends + std::string("\x04\0\x03"
                                            "abc\x20\0\0",
                                            9)),
       v4_client},
      {v2(std::string_view("\x20\0", 2), "a LOCAL one may say anything"), {}},
      {v2(std::string_view("\x21\0", 2), "as may an unspecified one"), {}},
      {v2("\x21\x31", std::string(216, 'x')), {}},
  };
}

}  // namespace

TEST_CASE("a PROXY header of ours names a client in one family, and nobody where there is none") {
  CHECK(make_proxy_header("192.0.2.7", 4711, "198.51.100.25", 25) == v4_client);
  CHECK(format_proxy(ProxyVersion::v1, make_proxy_header("2001:db8::7", 1, "192.0.2.1", 25)) ==
        "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 25\r\n");
  CHECK(format_proxy(ProxyVersion::v1, make_proxy_header("192.0.2.7", 1, "", 0)) ==
        "PROXY TCP4 192.0.2.7 0.0.0.0 1 0\r\n");
  CHECK(format_proxy(ProxyVersion::v1, make_proxy_header("", 0, "192.0.2.1", 25)) ==
        "PROXY UNKNOWN\r\n");
  const std::string mapped =
      format_proxy(ProxyVersion::v2, make_proxy_header("192.0.2.7", 1, "2001:db8::25", 25));
  CHECK(outcome(mapped) == "ok");
  CHECK(format_proxy(ProxyVersion::none, v4_client).empty());
  CHECK_FALSE(parse_proxy_version("3"));
}

TEST_CASE("a PROXY header is read at every split, and nothing behind it") {
  for (const Case& each : good_headers()) {
    INFO(each.wire);
    const std::string wire = each.wire + "EHLO x\r\n";
    for (std::size_t size = 0; size < each.wire.size(); ++size) {
      REQUIRE(outcome(std::string_view(wire).substr(0, size)) == "more");
    }
    for (std::size_t size = each.wire.size(); size <= wire.size(); ++size) {
      std::string_view octets = std::string_view(wire).substr(0, size);
      const auto taken = take_proxy_header(octets);
      REQUIRE(taken);
      REQUIRE(*taken);
      REQUIRE(**taken == each.says);
      REQUIRE(octets.size() == size - each.wire.size());
    }
  }
}

TEST_CASE("what is no PROXY header is told at once, and never waited for") {
  const std::string wire = GENERATE(
      "EHLO client.example\r\n", "\r\n\r\nQ", "proxy TCP4 ",
      "PROXY  TCP4 192.0.2.7 192.0.2.8 1 2\r\n", "PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", "PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n", "PROXY TCP4 192.0.2.7 192.0.2.8 -1 2\r\n",
      "PROXY TCP4 192.0.2.7 2001:db8::1 1 2\r\n", "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n",
      "PROXY TCP4 192.0.2.777 192.0.2.8 1 2\r\n", "PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", "PROXY \r\n");
  INFO(wire);
  const std::string said = outcome(wire);
  CHECK(said != "more");
  CHECK(said != "ok");
}

TEST_CASE("a PROXY line of version 1 has 107 octets at most") {
  CHECK(outcome("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") == "ok");
  CHECK(outcome("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") ==
        "a PROXY line that is too long");
  CHECK(outcome("PROXY UNKNOWN " + std::string(92, 'x')) == "more");
  CHECK(outcome("PROXY UNKNOWN " + std::string(93, 'x')) == "a PROXY line that is too long");
}

TEST_CASE("a version 2 header that can't be is refused") {
  CHECK(outcome(v2("\x31\x11", std::string(12, 'x'))) ==
        "a PROXY header of version and command 0x31");
  CHECK(outcome(v2("\x22\x11", std::string(12, 'x'))) ==
        "a PROXY header of version and command 0x22");
  CHECK(outcome(v2("\x21\x12", std::string(12, 'x'))) ==
        "a PROXY header of family and protocol 0x12");
  CHECK(outcome(v2("\x21\x11", std::string(11, 'x'))) ==
        "a PROXY header that is too short for its addresses");
  CHECK(outcome(v2("\x21\x21", std::string(35, 'x'))) ==
        "a PROXY header that is too short for its addresses");
  CHECK(outcome(v2("\x21\x31", std::string(215, 'x'))) ==
        "a PROXY header that is too short for its addresses");
  CHECK(outcome(v2("\x21\x11", std::string(14, 'x'))) == "a PROXY header with a broken TLV");
  CHECK(outcome(v2("\x21\x11", std::string(12, 'x') + std::string("\4\0\5abcd", 7))) ==
        "a PROXY header with a broken TLV");
  CHECK(outcome(v2("\x21\x11", std::string(9000, 'x')).substr(0, 16)) ==
        "a PROXY header that is too long");
}

namespace {

// What meet_proxy makes of `wire`, sent in two pieces: "192.0.2.7:4711 at 198.51.100.25:25 said EHLO", or the error.
Task<std::string> met(std::string wire, std::size_t first) {
  async::Peer balancer;
  balancer.kind = async::Peer::Kind::inet;
  balancer.address = "192.0.2.200";
  balancer.port = 99;
  async::StreamPair pair = async::make_memory_pair(async::Peer(), balancer);
  async::Scope scope;
  struct Sender {
    static Task<void> send(std::unique_ptr<async::Stream> stream, std::string octets,
                           std::size_t cut) {
      const Deadline deadline = Deadline::in(std::chrono::seconds(5));
      (void)co_await stream->write(std::string_view(octets).substr(0, cut), deadline);
      (void)co_await stream->write(std::string_view(octets).substr(cut), deadline);
      co_await stream->shutdown(deadline);
    }
  };
  scope.spawn(Sender::send(std::move(pair.left), std::move(wire), first));
  auto client = co_await meet_proxy(std::move(pair.right), Deadline::in(std::chrono::seconds(5)));
  std::string text;
  if (client) {
    const async::Peer& peer = (*client)->peer();
    text = peer.text() + " at " + peer.local_address + ":" + std::to_string(peer.local_port) +
           " said ";
    async::Buffer input;
    while (true) {
      auto count = co_await (*client)->read(input, Deadline::in(std::chrono::seconds(5)));
      if (!count || *count == 0) break;
    }
    text += input.view();
  } else {
    text = client.error();
  }
  co_await scope.join();
  co_return text;
}

std::string meeting(std::string wire, std::size_t first) {
  std::string text;
  struct Run {
    static Task<void> run(std::string octets, std::size_t cut, std::string& into) {
      into = co_await met(std::move(octets), cut);
    }
  };
  async::run(Run::run(std::move(wire), first, text));
  return text;
}

}  // namespace

TEST_CASE(
    "behind its header a proxy's connection is the client's, with the octets that came along") {
  const std::string wire = format_proxy_v2(v4_client) + "EHLO";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    REQUIRE(meeting(wire, cut) == "192.0.2.7:4711 at 198.51.100.25:25 said EHLO");
  }
  CHECK(meeting(format_proxy_v1({}) + "EHLO", 3) == "192.0.2.200:99 at :0 said EHLO");
}

TEST_CASE("a proxy that says no header, or half of one, is no client") {
  CHECK(meeting("EHLO client.example\r\n", 1).starts_with("no PROXY header, but E"));
  CHECK(meeting("PROXY TCP4 192.0", 5) == "it closed inside its PROXY header");
  CHECK(meeting("", 0).empty());
}

TEST_CASE("who is a proxy is told by network, and \"unix\" is a word for Unix sockets") {
  async::Peer peer;
  peer.kind = async::Peer::Kind::inet;
  peer.address = "192.0.2.200";
  async::Peer local;
  local.kind = async::Peer::Kind::unix_socket;
  CHECK_FALSE(is_proxy({}, peer));
  CHECK(is_proxy({"unix", "192.0.2.0/24"}, peer));
  CHECK_FALSE(is_proxy({"unix", "192.0.3.0/24"}, peer));
  CHECK(is_proxy({"unix"}, local));
  CHECK_FALSE(is_proxy({"0.0.0.0/0", "::/0"}, local));
  CHECK_FALSE(is_proxy({"unix"}, async::Peer()));
}

}  // namespace posthorn::service
