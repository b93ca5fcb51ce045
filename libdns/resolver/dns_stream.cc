#include "libdns/resolver/dns_stream.h"

#include <cerrno>

#include "libdns/wire/message.h"

namespace posthorn::dns {

async::Task<Result<DnsStream, IoError>> DnsStream::connect(async::Endpoint to,
                                                           async::Deadline deadline) {
  auto stream = co_await async::connect(std::move(to), deadline);
  if (!stream) co_return fail(std::move(stream.error()));
  co_return DnsStream(std::move(*stream));
}

async::Task<Result<void, IoError>> DnsStream::send(std::string message, async::Deadline deadline) {
  check(message.size() <= max_message_octets, "a DNS message has at most 65535 octets");
  std::string framed;
  framed.reserve(message.size() + 2);
  framed += static_cast<char>(message.size() >> 8);
  framed += static_cast<char>(message.size() & 0xff);
  framed += message;
  auto sent = co_await stream_->write(framed, deadline);
  co_return sent;
}

async::Task<Result<std::string, IoError>> DnsStream::receive(async::Deadline deadline) {
  for (;;) {
    const std::string_view have = buffer_.view();
    if (have.size() >= 2) {
      const std::size_t length = static_cast<std::size_t>(static_cast<unsigned char>(have[0]))
                                     << 8 |
                                 static_cast<unsigned char>(have[1]);
      if (length < header_octets)
        co_return fail(IoError(EBADMSG, "read a DNS message from", stream_->peer().text()));
      if (have.size() >= 2 + length) {
        std::string message(have.substr(2, length));
        buffer_.consume(2 + length);
        buffer_.shrink();
        co_return message;
      }
    }
    auto got = co_await stream_->read(buffer_, deadline);
    if (!got) co_return fail(std::move(got.error()));
    if (*got == 0)
      co_return fail(IoError(IoError::end_of_stream, "read from", stream_->peer().text()));
  }
}

}  // namespace posthorn::dns
