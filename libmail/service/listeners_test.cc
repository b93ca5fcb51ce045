#include "libmail/service/listeners.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

namespace posthorn::service {
namespace {

int type_of(const Fd& socket) {
  int type = 0;
  socklen_t length = sizeof type;
  REQUIRE(::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) == 0);
  return type;
}

ListenerRequest request(unsigned datagrams) {
  ListenerRequest made;
  made.name = "listen";
  made.endpoints = {async::Endpoint::inet("127.0.0.1", 0)};
  made.access.datagrams = datagrams;
  return made;
}

TEST_CASE("A UDP socket stands beside the TCP one on the port that the kernel chose") {
  const auto open = open_listeners({request(1)}, {});
  REQUIRE(open);
  REQUIRE(open->front().sockets.size() == 1);
  REQUIRE(open->front().datagrams.size() == 1);
  CHECK(type_of(open->front().datagrams.front()) == SOCK_DGRAM);
  CHECK(bound_endpoint(open->front().sockets.front().get()) ==
        bound_endpoint(open->front().datagrams.front().get()));
}

TEST_CASE("An option that asks for no datagrams gets none") {
  const auto open = open_listeners({request(0)}, {});
  REQUIRE(open);
  CHECK(open->front().sockets.size() == 1);
  CHECK(open->front().datagrams.empty());
}

TEST_CASE("Several UDP sockets of one port share what clients send, and nobody else may") {
  constexpr unsigned count = 3;
  const auto open = open_listeners({request(count)}, {});
  REQUIRE(open);
  const auto& sockets = open->front().datagrams;
  REQUIRE(sockets.size() == count);
  const auto place = async::parse_endpoint(bound_endpoint(sockets.front().get()));
  REQUIRE(place);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(place->port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int client = 0; client < 200; ++client) {
    const Fd from(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(::sendto(from.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address) == 1);
  }
  for (const Fd& socket : sockets) {
    CHECK(bound_endpoint(socket.get()) == place->text());
    char octet = 0;
    CHECK(::recv(socket.get(), &octet, 1, MSG_DONTWAIT) == 1);
  }
  CHECK_FALSE(async::open_datagram_sockets(*place, count));
}

TEST_CASE("Sockets that were passed are told apart by their kind") {
  auto pair = open_listener(async::Endpoint::inet("127.0.0.1", 0), request(1).access);
  REQUIRE(pair);
  std::vector<PassedSocket> passed;
  for (Fd& each : *pair) {
    PassedSocket& socket = passed.emplace_back();
    socket.name = "listen";
    socket.fd = std::move(each);
  }
  const auto open = open_listeners({request(1)}, std::move(passed));
  REQUIRE(open);
  CHECK(open->front().sockets.size() == 1);
  CHECK(open->front().datagrams.size() == 1);
}

}  // namespace
}  // namespace posthorn::service
