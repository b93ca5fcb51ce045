// One question to one server, one reply.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libmail/async/endpoint.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

enum class Transport : std::uint8_t { udp, tcp };

struct ExchangeError {
  enum class Kind : std::uint8_t {
    timed_out,  // silence until the deadline
    mismatch,  // UDP: the right address sent a wrong id or question, or fragments, of which the second
               // may be another's; somebody guesses, so ask by TCP
    network,    // refused, unreachable, reset
    protocol,   // TCP: what came is no DNS, or answers nothing that was asked
    no_socket,  // descriptors or ports have run out here: the server isn't to blame
    cancelled,  // close() was called
  };
  Kind kind = Kind::timed_out;
  std::string text;  // "read 192.0.2.1: Connection refused"
  ExchangeError() = default;
  ExchangeError(Kind k, std::string t) : kind(k), text(std::move(t)) {}
};

// The seam between thinking about DNS and the network: NetworkExchange, or a test's fake Internet.
class Exchange {
 public:
  virtual ~Exchange() = default;
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // `query` is a whole message with one question; its id is replaced by a random one. The reply
  // that is given has QR, that id and that question, by UDP with the same case of every letter
  // (0x20). FORMERR and NOTIMP may lack the question. Nothing else of it has been looked at.
  // `to` is an inet endpoint with a literal address, or a Unix one, which always is a stream.
  virtual async::Task<Result<std::string, ExchangeError>> ask(async::Endpoint to, std::string query,
                                                              Transport transport,
                                                              async::Deadline deadline) = 0;
};

struct NetworkSettings {
  // UDP: a fresh socket for each question, its source port drawn from this one range.
  std::uint16_t first_port = 16384;
  std::uint16_t last_port = 65535;
  // TCP: connections are kept and shared, replies may come in any order (RFC 7766 6.2).
  Duration idle = std::chrono::seconds(10);
  std::size_t connections = 128;     // in all; the one longest idle makes room
  std::size_t questions_each = 100;  // waiting on one connection; over that another is opened
};

// Asks over real sockets. At most one of these a process is needed. close() and await it before it
// goes away.
class NetworkExchange final : public Exchange {
 public:
  explicit NetworkExchange(NetworkSettings settings = {});
  ~NetworkExchange() override;

  async::Task<Result<std::string, ExchangeError>> ask(async::Endpoint to, std::string query,
                                                      Transport transport,
                                                      async::Deadline deadline) override;
  // Ends every connection; questions that wait end as cancelled.
  async::Task<void> close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::dns
