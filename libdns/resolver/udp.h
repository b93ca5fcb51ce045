// Asking by UDP: for each question a socket of its own, connected to the server, on a random port.
#pragma once

#include <optional>
#include <string_view>

#include "libdns/resolver/exchange.h"
#include "libmail/async/event.h"
#include "libmail/base/fd.h"

namespace posthorn::dns {

class UdpAsker {
 public:
  explicit UdpAsker(const NetworkSettings& settings) : settings_(settings) {}
  // `query` has its id. `to` is inet with a literal address.
  async::Task<Result<std::string, ExchangeError>> ask(async::Endpoint to, std::string query,
                                                      async::Deadline deadline);
  async::Task<void> close();

 private:
  struct Asking;
  [[nodiscard]] Result<Fd, IoError> open_socket(const async::Endpoint& to) const;
  // What has arrived, if it decides anything.
  std::optional<Result<std::string, ExchangeError>> receive(int socket, std::string_view query,
                                                            const std::string& from);
  NetworkSettings settings_;
  Asking* first_ = nullptr;  // those that wait
  bool closed_ = false;
  std::string landing_;  // one for all: nothing stays in it across a wait
  async::Event none_;    // set when the last one has ended
};

// A socket address of a literal one; nothing if it is none. `storage` receives it.
struct SocketAddress {
  alignas(8) char storage[32] = {};
  unsigned length = 0;
  int family = 0;
};
[[nodiscard]] std::optional<SocketAddress> socket_address(const std::string& literal,
                                                          std::uint16_t port);

}  // namespace posthorn::dns
