// For tests: an SMTP client by hand, at the other end of a stream in memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/stream.h"
#include "libmail/session/smtp_server.h"

namespace posthorn::session::test {

class SmtpTestClient {
 public:
  explicit SmtpTestClient(std::unique_ptr<async::Stream> stream) : stream_(std::move(stream)) {}

  async::Task<bool> send(std::string octets) {
    auto sent = co_await stream_->write(octets, async::Deadline::in(std::chrono::seconds(20)));
    co_return sent.has_value();
  }
  // The last line of the next reply without its CRLF; "" at the end of the stream or after 20 s.
  async::Task<std::string> reply() {
    while (true) {
      const std::size_t end = buffer_.view().find("\r\n");
      if (end != std::string_view::npos) {
        std::string line(buffer_.view().substr(0, end));
        buffer_.consume(end + 2);
        if (line.size() < 4 || line[3] != '-') co_return line;
        continue;
      }
      auto count = co_await stream_->read(buffer_, async::Deadline::in(std::chrono::seconds(20)));
      if (!count || *count == 0) co_return std::string();
    }
  }
  async::Task<std::string> ask(std::string command) {
    command += "\r\n";
    (void)co_await send(std::move(command));
    auto answer = co_await reply();
    co_return answer;
  }
  void close() { stream_->close(); }

 private:
  std::unique_ptr<async::Stream> stream_;
  async::Buffer buffer_;
};

inline async::Peer test_peer(async::Peer::Kind kind = async::Peer::Kind::inet) {
  async::Peer peer;
  peer.kind = kind;
  if (kind != async::Peer::Kind::inet) return peer;
  peer.address = "192.0.2.7";
  peer.port = 4711;
  return peer;
}

}  // namespace posthorn::session::test
