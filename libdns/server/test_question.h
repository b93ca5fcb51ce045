// Questions for the tests of this room.
#pragma once

#include <arpa/inet.h>

#include <catch2/catch.hpp>

#include "libdns/server/responder.h"
#include "libdns/wire/builder.h"
#include "libdns/zone/test_zone.h"

namespace posthorn::dns {

inline Name name_of(std::string_view text) {
  return *Name::parse(text);
}

struct TestQuestion {
  std::string name = "example.test";
  Type type = Type::a;
  Class klass = Class::in;
  bool recursion_desired = false;
  bool edns = false;
  bool dnssec_ok = false;
  bool authentic_data = false;
  std::uint16_t udp_octets = 1232;
  std::uint8_t version = 0;
  std::vector<std::pair<std::uint16_t, std::string>> options;

  TestQuestion() = default;
  TestQuestion(std::string n, Type t) : name(std::move(n)), type(t) {}
  [[nodiscard]] std::string packet(std::uint16_t id = 4711) const {
    Header header;
    header.id = id;
    header.recursion_desired = recursion_desired;
    header.authentic_data = authentic_data;
    MessageBuilder builder(header);
    if (edns || dnssec_ok) {
      EdnsSettings settings;
      settings.udp_octets = udp_octets;
      settings.dnssec_ok = dnssec_ok;
      settings.version = version;
      settings.options = options;
      REQUIRE(builder.edns(std::move(settings)));
    }
    REQUIRE(builder.question(Question(name_of(name), type, klass)));
    return builder.finish();
  }
};

inline Client client_at(const char* address, Client::Transport transport = Client::Transport::udp) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(5353);
  REQUIRE(::inet_pton(AF_INET, address, &v4.sin_addr) == 1);
  Client client = client_of(storage);
  client.transport = transport;
  return client;
}

}  // namespace posthorn::dns
