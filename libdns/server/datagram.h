// The way of a datagram.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>

namespace posthorn::dns {

inline constexpr std::size_t datagram_control_octets = 64;

// Where a packet came from and to: the answer goes the same way back.
struct DatagramWay {
  int socket = -1;  // it came by this one
  sockaddr_storage peer{};
  socklen_t peer_octets = sizeof(sockaddr_storage);
  alignas(cmsghdr) std::array<char, datagram_control_octets> control{};
  std::size_t used = 0;  // of `control`: the address that was asked
};

}  // namespace posthorn::dns
