// Questions by UDP: read and answered by the batch, so that a packet costs less than a system call.
#pragma once

#include <cstdint>
#include <memory>

#include "libdns/server/datagram.h"
#include "libdns/server/responder.h"
#include "libmail/async/scope.h"

namespace posthorn::dns {

struct UdpLimits {
  // Packets read in one go before TCP and timers have their turn.
  std::size_t packets_a_turn = 256;
  // Questions that wait for others; what comes beyond is dropped, and the client asks again.
  std::size_t waiting = 2000;
  std::size_t waiting_each_client = 200;
};

struct UdpCounters {
  std::uint64_t batches = 0;
  std::uint64_t overflows = 0;  // questions dropped for a limit
  std::uint64_t unsent = 0;     // answers that the kernel did not take
};

class UdpServer {
 public:
  // `socket` is a bound, non-blocking UDP socket and stays its owner's, who closes it later than
  // this. `responder` outlives it.
  UdpServer(int socket, Responder& responder, UdpLimits limits = {});
  ~UdpServer();
  UdpServer(const UdpServer&) = delete;
  UdpServer& operator=(const UdpServer&) = delete;

  // A request as SpecialHandler has them that came by another socket of this one's address and port;
  // it is answered by this one. Anything else is dropped.
  void take(std::string packet, const DatagramWay& way);

  // Reads no more. Questions that wait are answered yet.
  void stop();
  async::Task<void> join();
  [[nodiscard]] const UdpCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::dns
