// A front's connection to the mail worker: a short dialogue of lines, then octets both ways.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"

namespace posthorn::access {

class WorkerLink {
 public:
  // All errors are texts for the log.
  async::Task<Result<void, std::string>> connect(async::Endpoint worker, async::Deadline deadline);
  async::Task<Result<void, std::string>> say(std::string octets, async::Deadline deadline);
  // One line without its end.
  async::Task<Result<std::string, std::string>> hear(async::Deadline deadline);
  // Passes octets until both sides have ended. `said`: what the client said already. `client` outlives it.
  async::Task<async::Spliced> pass(async::Stream& client, std::string said, Duration idle);
  void close();
  [[nodiscard]] bool is_open() const { return stream_ != nullptr; }

 private:
  std::unique_ptr<async::Stream> stream_;
  async::Buffer input_;
};

}  // namespace posthorn::access
