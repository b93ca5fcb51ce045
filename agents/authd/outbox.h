// What a session has to say, written by one task in order, while other tasks add to it.
#pragma once

#include <string>
#include <string_view>

#include "libmail/async/event.h"
#include "libmail/async/stream.h"

namespace posthorn::authd {

class Outbox {
 public:
  static constexpr std::size_t full = 1 << 20;  // octets; then no more is read from the peer
  static constexpr Duration write_time =
      std::chrono::seconds(60);  // a peer that reads nothing for this long is gone

  explicit Outbox(async::Stream& stream) : stream_(stream) {}

  void add(std::string_view octets);
  // Writes until close(); a failure closes the stream.
  async::Task<void> run();
  // What was added is still written; then the task ends, with `hang_up` the stream too.
  void close(bool hang_up = false);
  // Waits while too much waits to be written. False if the peer is gone.
  async::Task<bool> wait_for_room();

 private:
  async::Stream& stream_;
  std::string waiting_;
  async::Event wake_;
  async::Event room_;
  bool closed_ = false;
  bool hang_up_ = false;
  bool broken_ = false;
};

}  // namespace posthorn::authd
