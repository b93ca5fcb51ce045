// Octets between a client and the worker, watched for a session that ends while its client stays (IMAP's UNAUTHENTICATE): the
// protocol says by which octets that is known, and nothing is said between front and worker but the protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/async/event.h"
#include "libmail/async/stream.h"

namespace posthorn::access {

class ReturnWatch {
 public:
  virtual ~ReturnWatch() = default;
  // What the client says next. A number: so many octets pass, and what follows waits for the worker's end, since it may be
  // meant for whoever comes next.
  virtual std::optional<std::size_t> from_client(std::string_view octets) = 0;
  virtual void from_worker(std::string_view octets) = 0;
  // Asked when the worker has ended: is the client to log in again?
  [[nodiscard]] virtual bool has_returned() const = 0;
};

struct Passed {
  async::Spliced moved;
  std::optional<std::string> returned;  // the client stays, and has said this already

  Passed() = default;
};

// Until both sides have ended, or the client has returned. `said`: what the client said already. All outlive it.
async::Task<Passed> pass_watched(async::Stream& client, std::string said, async::Stream& worker,
                                 ReturnWatch& watch, Duration idle);

}  // namespace posthorn::access
