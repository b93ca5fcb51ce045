// A front's connection to the mail worker: a short dialogue of lines, then octets both ways.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libmail/access/passage.h"
#include "libmail/async/endpoint.h"

namespace posthorn::access {

class WorkerLink {
 public:
  // All errors are texts for the log.
  async::Task<Result<void, std::string>> connect(async::Endpoint worker, async::Deadline deadline);
  async::Task<Result<void, std::string>> say(std::string octets, async::Deadline deadline);
  // One line without its end.
  async::Task<Result<std::string, std::string>> hear(async::Deadline deadline);
  // Passes octets until both sides have ended, or the client has returned by the judgement of `watch` (null: it never does).
  // `said`: what the client said already. `client` and `watch` outlive it.
  async::Task<Passed> pass(async::Stream& client, std::string said, ReturnWatch* watch,
                           Duration idle);
  void close();
  [[nodiscard]] bool is_open() const { return stream_ != nullptr; }

 private:
  std::unique_ptr<async::Stream> stream_;
  async::Buffer input_;
};

}  // namespace posthorn::access
