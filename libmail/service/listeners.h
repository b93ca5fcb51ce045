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

// What option `name` listens on, open. stdio: is no socket but one session that is there already.
struct OpenListeners {
  std::string name;
  std::vector<Fd> sockets;
  bool stdio = false;
};

// Opens the endpoints of one option. Sockets passed under this name take the place of all its
// endpoints; a passed socket whose name is no listener option's goes to the first option
// (`takes_unnamed`). Unix sockets get `mode` and, when we are root, owner `user`.
struct ListenerRequest {
  std::string name;
  std::vector<async::Endpoint> endpoints;
  unsigned mode = 0666;
  bool takes_unnamed = false;
};
Result<std::vector<OpenListeners>, std::string> open_listeners(
    const std::vector<ListenerRequest>& requests, std::vector<PassedSocket> passed);

// Accepts on the sockets of one option and runs a session for each client.
class Acceptor {
 public:
  Acceptor(OpenListeners open, Session session, const ServeLimits& limits, Log& log,
           Metrics& metrics);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  Result<void, IoError> start();
  void stop_accepting();
  // Sessions that run now.
  [[nodiscard]] std::size_t sessions() const;
  // True when all have ended, false when the deadline passed first.
  async::Task<bool> join(async::Deadline deadline);
  [[nodiscard]] std::vector<std::string> endpoints() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace posthorn::service
