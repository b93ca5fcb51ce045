// One c-ares channel towards one server, on this thread's loop. The only place that knows c-ares.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "libdns/stub/resolver.h"
#include "libmail/base/function.h"

namespace posthorn::dns {

inline constexpr std::size_t max_in_flight = 4096;  // questions to one server at a time
// A question that nobody waits for any more is forgotten after this time.
inline constexpr std::chrono::seconds forget_after{15};

class Channel {
 public:
  explicit Channel(const Server& server);
  ~Channel();  // close()
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // What became of a question: the reply's octets, or why there is none. The view lives as long as the call.
  using Done = Function<void(Result<std::string_view, std::string>)>;
  // Sends `query` under an id of its own (its first two octets are overwritten), by TCP if the reply says that it is
  // truncated. `done` is called once, perhaps before send() returns, and must not touch this channel: it runs
  // inside c-ares.
  void send(std::string query, Done done);
  // Everything that waits is done, without a reply.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace posthorn::dns
