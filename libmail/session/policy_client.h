// A policy server (policy_wire.h): connections that are kept, each for one question at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/async/event.h"
#include "libmail/async/stream.h"

namespace posthorn::session {

struct PolicyLimits {
  Duration answer_time =
      std::chrono::seconds(20);  // for one question, waiting and connecting included
  std::size_t connections = 20;  // at once; who comes later waits for his turn
  Duration idle_time = std::chrono::minutes(5);  // a connection unused this long is not used again

  PolicyLimits() = default;
};

class PolicyClient {
 public:
  PolicyClient(async::Endpoint server, PolicyLimits limits);
  ~PolicyClient();
  PolicyClient(const PolicyClient&) = delete;
  PolicyClient& operator=(const PolicyClient&) = delete;

  // The action's text, or why there is none, for the log. A server may close what was kept idle: then it is asked once
  // more, on a new connection.
  async::Task<Result<std::string, std::string>> ask(std::string request);
  // Ends the questions that are being asked; later ones get an error.
  void close();
  [[nodiscard]] std::string name() const { return server_.text(); }

 private:
  struct Kept {
    std::unique_ptr<async::Stream> stream;
    MonoTime since{};
  };
  async::Task<Result<std::string, std::string>> ask_in_turn(std::string request,
                                                            async::Deadline deadline);
  async::Task<Result<std::string, std::string>> ask_on(async::Stream& stream, std::string request,
                                                       async::Deadline deadline);
  std::unique_ptr<async::Stream> take_kept();
  void keep(std::unique_ptr<async::Stream> stream);

  async::Endpoint server_;
  PolicyLimits limits_;
  async::Semaphore turn_;
  std::vector<Kept> kept_;              // the one used last is last
  std::vector<async::Stream*> asking_;  // owned by their questions
  bool closed_ = false;
};

}  // namespace posthorn::session
