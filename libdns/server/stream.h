// Questions over a stream, TCP or a Unix socket: two octets of length before each message, many
// questions at once, answers in the order in which they are ready (RFC 7766).
#pragma once

#include <memory>
#include <set>

#include "libdns/server/responder.h"
#include "libmail/async/stream.h"

namespace posthorn::dns {

struct StreamLimits {
  // Without a whole question, and with no answer on its way, for so long: the end (RFC 7766 6.2.3).
  // A question that comes an octet at a time has no more time than that, either.
  Duration idle = std::chrono::seconds(10);
  Duration write_time = std::chrono::seconds(10);  // for the client to take what was sent
  std::size_t waiting = 64;                   // questions being answered; then no more are read
  std::size_t unsent = std::size_t{1} << 18;  // octets that wait to be written; the same
  StreamLimits() = default;
};

class StreamServer {
 public:
  // `responder` outlives it, and it outlives its sessions.
  explicit StreamServer(Responder& responder, StreamLimits limits = {});
  ~StreamServer();
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  // Until the client ends it, is too slow, or stop() was called.
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  // Sessions read no more and end when the answers under way are sent.
  void stop();
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  Responder& responder_;
  StreamLimits limits_;
  std::set<Session*> sessions_;
  bool stopping_ = false;
};

}  // namespace posthorn::dns
