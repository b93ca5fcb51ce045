#include "libdns/server/client.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "libdns/wire/address.h"

namespace posthorn::dns {

namespace {

void take_v6(Client& client, const std::uint8_t* octets) {
  constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  client.is_v6 = !std::equal(std::begin(mapped), std::end(mapped), octets);
  if (client.is_v6) std::copy_n(octets, 16, client.address.begin());
  if (!client.is_v6) std::copy_n(octets + 12, 4, client.address.begin());
}

}  // namespace

Client client_of(const sockaddr_storage& address) {
  Client client;
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    std::memcpy(client.address.data(), &v4.sin_addr, 4);
    client.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    take_v6(client, v6.sin6_addr.s6_addr);
    client.port = ntohs(v6.sin6_port);
  }
  return client;
}

Client client_of(const async::Peer& peer) {
  Client client;
  client.transport = peer.is_local() ? Client::Transport::unix_stream : Client::Transport::tcp;
  client.port = peer.port;
  client.uid = peer.uid;
  if (const auto v4 = parse_a(peer.address)) {
    std::copy(v4->address.begin(), v4->address.end(), client.address.begin());
  } else if (const auto v6 = parse_aaaa(peer.address)) {
    take_v6(client, v6->address.data());
  }
  return client;
}

std::string Client::text() const {
  if (transport == Transport::unix_stream) return "unix:uid=" + std::to_string(uid);
  if (is_v6) return Aaaa{address}.text();
  A v4;
  std::copy_n(address.begin(), 4, v4.address.begin());
  return v4.text();
}

}  // namespace posthorn::dns
