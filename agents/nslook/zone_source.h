// A whole zone from its server: AXFR (RFC 5936).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/nslook/asker.h"
#include "libmail/async/stream.h"

namespace posthorn::nslook {

// Records as they come, in the server's order; the SOA that ends the transfer isn't given again.
using TakeRecord = std::function<void(const dns::Record&)>;

class ZoneSource {
 public:
  virtual ~ZoneSource() = default;
  ZoneSource() = default;
  ZoneSource(const ZoneSource&) = delete;
  ZoneSource& operator=(const ZoneSource&) = delete;
  // With manner.key all of it is signed (RFC 8945 5.3.1). The error is one sentence; records given
  // before it are not to be believed.
  virtual async::Task<Result<void, std::string>> transfer(Place place, dns::Name zone,
                                                          Manner manner, TakeRecord take) = 0;
};

// Opens a stream to a place; a test has another one.
using Connect = std::function<async::Task<Result<std::unique_ptr<async::Stream>, IoError>>(
    async::Endpoint to, async::Deadline deadline)>;

class StreamZoneSource final : public ZoneSource {
 public:
  explicit StreamZoneSource(Connect connect, Asker::Clock clock)
      : connect_(std::move(connect)), clock_(std::move(clock)) {}
  async::Task<Result<void, std::string>> transfer(Place place, dns::Name zone, Manner manner,
                                                  TakeRecord take) override;

 private:
  Connect connect_;
  Asker::Clock clock_;
};

// The answer to one AXFR, message by message. Sans I/O.
class TransferAnswer {
 public:
  TransferAnswer(dns::Question question, std::uint16_t id)
      : question_(std::move(question)), id_(id) {}
  // True when the last record has come.
  [[nodiscard]] Result<bool, std::string> take(std::string_view message, const TakeRecord& take);

 private:
  [[nodiscard]] Result<void, std::string> check(const dns::MessageView& view) const;
  dns::Question question_;
  std::uint16_t id_;
  std::optional<dns::Rdata> soa_;
  bool done_ = false;
};

}  // namespace posthorn::nslook
