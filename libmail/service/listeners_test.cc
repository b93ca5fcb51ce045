#include "libmail/service/listeners.h"

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

ListenerRequest request(bool datagrams) {
  ListenerRequest made;
  made.name = "listen";
  made.endpoints = {async::Endpoint::inet("127.0.0.1", 0)};
  made.access.datagrams = datagrams;
  return made;
}

TEST_CASE("A UDP socket stands beside the TCP one on the port that the kernel chose") {
  const auto open = open_listeners({request(true)}, {});
  REQUIRE(open);
  REQUIRE(open->front().sockets.size() == 1);
  REQUIRE(open->front().datagrams.size() == 1);
  CHECK(type_of(open->front().datagrams.front()) == SOCK_DGRAM);
  CHECK(bound_endpoint(open->front().sockets.front().get()) ==
        bound_endpoint(open->front().datagrams.front().get()));
}

TEST_CASE("An option that asks for no datagrams gets none") {
  const auto open = open_listeners({request(false)}, {});
  REQUIRE(open);
  CHECK(open->front().sockets.size() == 1);
  CHECK(open->front().datagrams.empty());
}

TEST_CASE("Sockets that were passed are told apart by their kind") {
  auto pair = open_listener(async::Endpoint::inet("127.0.0.1", 0), request(true).access);
  REQUIRE(pair);
  std::vector<PassedSocket> passed;
  for (Fd& each : *pair) {
    PassedSocket& socket = passed.emplace_back();
    socket.name = "listen";
    socket.fd = std::move(each);
  }
  const auto open = open_listeners({request(true)}, std::move(passed));
  REQUIRE(open);
  CHECK(open->front().sockets.size() == 1);
  CHECK(open->front().datagrams.size() == 1);
}

}  // namespace
}  // namespace posthorn::service
