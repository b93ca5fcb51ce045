// Opening what an agent listens on: sockets of its own, sockets that systemd or `posthorn run`
// passed (LISTEN_FDS), inherited descriptors, standard input and output.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/async/socket.h"
#include "libmail/service/agent.h"

namespace posthorn::service {

// Sockets passed by LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, with their names. Reading them takes
// the variables out of the environment, so that children do not see them.
struct PassedSocket {
  std::string name;  // "" if it came without one
  Fd fd;
};
[[nodiscard]] std::vector<PassedSocket> take_passed_sockets();

// One listener option and what it says.
struct ListenerRequest {
  std::string name;
  std::vector<async::Endpoint> endpoints;
  bool is_preset = false;  // nobody asked for it: see open_listeners
  SocketAccess access;
};

// Opens one endpoint (inet or unix) with its mode and owner, as an agent or its supervisor does:
// the socket that listens, and behind it the UDP sockets of the same address and port if `access`
// has datagrams and the endpoint is inet.
Result<std::vector<Fd>, std::string> open_listener(const async::Endpoint& endpoint,
                                                   const SocketAccess& access);

// Opens what the options say. Sockets passed under an option's name take the place of its
// endpoints; a passed socket with another name goes to the first option. Options at their preset
// open nothing of their own when sockets were passed, or when another option speaks on standard
// input (inetd): what was meant is what was given.
Result<std::vector<OpenListeners>, std::string> open_listeners(
    const std::vector<ListenerRequest>& requests, std::vector<PassedSocket> passed);

// Accepts on the sockets of one option and runs a session for each client.
class Acceptor {
 public:
  // `limits` is read at each accept and outlives this. `stdio_ended` is called when the session on
  // standard input is over.
  Acceptor(OpenListeners open, Session session, const ServeLimits& limits, Log& log,
           Metrics& metrics, std::function<void()> stdio_ended);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  Result<void, IoError> start();
  void stop_accepting();
  // Sessions that run now.
  [[nodiscard]] std::size_t sessions() const;
  // True when all have ended, false when the deadline passed first: then it must not be destroyed.
  async::Task<bool> join(async::Deadline deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The text of the endpoint a listening socket is bound to.
[[nodiscard]] std::string bound_endpoint(int socket);

}  // namespace posthorn::service
