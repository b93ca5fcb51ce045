// Who asks, and by what.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/async/stream.h"

namespace posthorn::dns {

struct Client {
  enum class Transport : std::uint8_t { udp, tcp, unix_stream };
  Transport transport = Transport::udp;
  bool is_v6 = false;  // an IPv4 address that came by IPv6 counts as IPv4
  std::uint16_t port = 0;
  std::array<std::uint8_t, 16> address{};  // the first 4 or all 16 octets
  uid_t uid = static_cast<uid_t>(-1);      // of a Unix client

  [[nodiscard]] std::string_view octets() const {
    return {reinterpret_cast<const char*>(address.data()), is_v6 ? std::size_t{16} : 4};
  }
  // "192.0.2.1", "2001:db8::1", "unix:uid=1000".
  [[nodiscard]] std::string text() const;
};

// An AF_INET or AF_INET6 address; others give a client at 0.0.0.0, who is nobody's.
[[nodiscard]] Client client_of(const sockaddr_storage& address);
[[nodiscard]] Client client_of(const async::Peer& peer);

}  // namespace posthorn::dns
