#include "libdns/resolver/exchange.h"

#include "libdns/resolver/match.h"
#include "libdns/resolver/tcp.h"
#include "libdns/resolver/udp.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

struct NetworkExchange::State {
  UdpAsker udp;
  TcpAsker tcp;
  explicit State(const NetworkSettings& settings) : udp(settings), tcp(settings) {}
};

NetworkExchange::NetworkExchange(NetworkSettings settings)
    : state_(std::make_unique<State>(settings)) {}
NetworkExchange::~NetworkExchange() = default;

async::Task<Result<std::string, ExchangeError>> NetworkExchange::ask(async::Endpoint to,
                                                                     std::string query,
                                                                     Transport transport,
                                                                     async::Deadline deadline) {
  if (transport == Transport::tcp || to.kind == async::Endpoint::Kind::unix_socket) {
    auto reply = co_await state_->tcp.ask(std::move(to), std::move(query), deadline);
    co_return reply;
  }
  set_message_id(query, static_cast<std::uint16_t>(random_u64()));
  auto reply = co_await state_->udp.ask(std::move(to), std::move(query), deadline);
  co_return reply;
}

async::Task<void> NetworkExchange::close() {
  co_await state_->udp.close();
  co_await state_->tcp.close();
}

}  // namespace posthorn::dns
