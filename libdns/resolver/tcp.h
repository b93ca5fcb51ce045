// Asking by TCP (RFC 7766): connections are kept, shared and answered in any order.
#pragma once

#include <list>
#include <memory>

#include "libdns/resolver/exchange.h"
#include "libmail/async/scope.h"

namespace posthorn::dns {

class TcpAsker {
 public:
  explicit TcpAsker(const NetworkSettings& settings) : settings_(settings) {}
  // `to` is inet with a literal address, or a Unix socket. The id of `query` is replaced by one that
  // is free on the connection.
  async::Task<Result<std::string, ExchangeError>> ask(async::Endpoint to, std::string query,
                                                      async::Deadline deadline);
  async::Task<void> close();
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  struct Connection;
  struct Waiting;
  using Shared = std::shared_ptr<Connection>;
  // One with room, or a new one.
  Shared connection_to(const async::Endpoint& to, async::Deadline deadline, bool fresh);
  void make_room();
  async::Task<Result<std::string, ExchangeError>> ask_on(Shared connection, std::string query,
                                                         async::Deadline deadline);
  async::Task<void> run(Shared connection, async::Deadline connect_deadline);
  async::Task<void> read_replies(Shared connection);
  async::Task<void> write_queries(Shared connection);
  void end(Connection& connection, const ExchangeError& why);

  NetworkSettings settings_;
  std::list<Shared> connections_;
  bool closed_ = false;
  async::Scope scope_;
};

}  // namespace posthorn::dns
