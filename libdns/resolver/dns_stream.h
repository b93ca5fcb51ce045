// Messages over a stream: two octets of length, then the message (RFC 1035 4.2.2). For transfers,
// which are many messages on one connection, and wherever pipelining isn't wanted.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/socket.h"

namespace posthorn::dns {

class DnsStream {
 public:
  explicit DnsStream(std::unique_ptr<async::Stream> stream) : stream_(std::move(stream)) {}
  // `to` as in async::connect().
  static async::Task<Result<DnsStream, IoError>> connect(async::Endpoint to,
                                                         async::Deadline deadline);

  // One writer and one reader at a time. At most 65535 octets.
  async::Task<Result<void, IoError>> send(std::string message, async::Deadline deadline);
  // The next message, at least a header long. IoError::end_of_stream also between messages.
  async::Task<Result<std::string, IoError>> receive(async::Deadline deadline);
  void close() { stream_->close(); }
  [[nodiscard]] const async::Peer& peer() const { return stream_->peer(); }

 private:
  std::unique_ptr<async::Stream> stream_;
  async::Buffer buffer_;
};

}  // namespace posthorn::dns
