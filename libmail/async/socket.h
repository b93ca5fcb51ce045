// Sockets: connect, listen, accept.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/base/fd.h"

namespace posthorn::async {

// Connects to an inet or Unix endpoint. A host name is resolved through the system's resolver in
// the pool and its addresses are tried in order; agents that trust DNS resolve first and pass
// literal addresses. TCP_NODELAY is set.
Task<Result<std::unique_ptr<Stream>, IoError>> connect(Endpoint to, Deadline deadline);

// The same from a given source address ("" = the kernel's choice); inet with a literal address
// only.
Task<Result<std::unique_ptr<Stream>, IoError>> connect_from(Endpoint to, std::string source,
                                                            Deadline deadline);

// A connected socket that somebody else opened (accepted, inherited, one end of socketpair). Takes
// it over.
Result<std::unique_ptr<Stream>, IoError> adopt(Fd socket);

// Standard input and output as one stream: one socket on both (inetd), two pipes, a terminal, or
// files.
Result<std::unique_ptr<Stream>, IoError> stdio_stream();

// A socket that listens. What an endpoint names it may already exist as a descriptor (fd:N,
// LISTEN_FDS).
class Listener {
 public:
  virtual ~Listener() = default;
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The next connection. Running out of descriptors or memory is waited out inside (100 ms), other
  // trouble with a single connection skips it. IoError::cancelled once close() was called.
  virtual Task<Result<std::unique_ptr<Stream>, IoError>> accept() = 0;
  virtual void close() = 0;
  // What it really listens on: the port the kernel chose filled in.
  [[nodiscard]] virtual const Endpoint& endpoint() const = 0;
};

// Opens a socket for `at` (inet or unix_socket) and listens, SO_REUSEADDR, backlog 1024,
// close-on-exec. A stale Unix socket that nobody answers is removed first; `mode` is its permission
// bits. Errors name the endpoint.
Result<Fd, IoError> open_listening_socket(const Endpoint& at, unsigned mode = 0666);
// So many UDP sockets bound to `at` (inet), non-blocking, close-on-exec, shared with nobody. Several
// share what comes among them (SO_REUSEPORT), by the client's address and port.
Result<std::vector<Fd>, IoError> open_datagram_sockets(const Endpoint& at, unsigned count);
// Listens on a socket that is open, bound and listening.
Result<std::unique_ptr<Listener>, IoError> listen_on(Fd socket);

// Datagram on a Unix socket, for the queue's nudge: content-free, never blocks, losing one is
// harmless.
class DatagramReceiver {
 public:
  virtual ~DatagramReceiver() = default;
  // Waits for at least one datagram and swallows all that are there. False when the deadline
  // passed.
  virtual Task<bool> wait(Deadline deadline) = 0;
  virtual void close() = 0;
};
Result<std::unique_ptr<DatagramReceiver>, IoError> open_datagram_receiver(const std::string& path,
                                                                          unsigned mode = 0622);
// Sends one octet to the Unix datagram socket at `path`; absence and a full buffer are no errors.
// Thread safe.
void nudge(const std::string& path);

}  // namespace posthorn::async
