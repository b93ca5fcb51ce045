// What the client says, read ahead a little, so that a session can wait for its client and for its mailbox at once, and sees
// that the client is gone while it works.
#pragma once

#include <memory>

#include "libmail/async/event.h"
#include "libmail/async/stream.h"
#include "libmail/session/deflate.h"

namespace posthorn::imapd {

class Input {
 public:
  // `wake` is set when something came, and at the end. Both outlive it.
  Input(async::Stream& stream, async::Event& wake) : stream_(stream), wake_(wake) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Reads until the client or close() ends it; belongs into a scope.
  async::Task<void> run();
  // Valid until the next wait or release().
  [[nodiscard]] std::string_view view() const { return buffer_.view().substr(consumed_); }
  void consume(std::size_t count) { consumed_ += count; }
  // What was consumed leaves memory, and there is room again.
  void release();
  // In front of what is there: somebody read too far.
  void put_back(std::string_view octets);
  // From the next octet of the stream on everything is packed (RFC 4978); nothing was read ahead.
  void inflate() { inflater_ = std::make_unique<session::Inflater>(); }
  [[nodiscard]] bool has_ended() const { return ended_; }
  // It ended because what came could not be unpacked.
  [[nodiscard]] bool is_nonsense() const { return nonsense_; }

 private:
  static constexpr std::size_t most = 64 * 1024;
  void take_arrived();

  async::Stream& stream_;
  async::Event& wake_;
  async::Event room_;
  async::Buffer arrived_;  // as it came from the stream
  async::Buffer buffer_;
  std::size_t consumed_ = 0;  // of it, and not released yet
  std::unique_ptr<session::Inflater> inflater_;
  bool ended_ = false;
  bool nonsense_ = false;
};

}  // namespace posthorn::imapd
