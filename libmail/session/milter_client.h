// A connection to a filter (libmail/milter) over a socket, for one SMTP session.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/milter/dialogue.h"

namespace posthorn::session {

struct MilterTimes {
  Duration connect = std::chrono::seconds(30);  // to the end of the negotiation
  Duration command = std::chrono::seconds(30);  // for the answer to a step of the envelope
  Duration content = std::chrono::minutes(5);   // to a field, or a piece of the body
  Duration end_of_message =
      std::chrono::minutes(5);  // to the end; begins anew when it shows progress
  Duration longest =
      std::chrono::minutes(9);  // to the end, whatever it shows: RFC 5321's clients wait 10

  MilterTimes() = default;
};

class MilterClient {
 public:
  MilterClient(async::Endpoint filter, std::uint32_t version, MilterTimes times,
               milter::Limits limits);

  // Connects and negotiates, unless it is connected. False: problem() says why.
  async::Task<bool> open();
  [[nodiscard]] bool is_open() const { return stream_ != nullptr; }
  // Of an open connection: put a step into it, then ask().
  [[nodiscard]] milter::Dialogue& dialogue() { return *dialogue_; }
  // Sends what the dialogue has to say and waits until it is answered. False: the connection is closed, problem() says
  // why. `time`: for the whole of it.
  async::Task<bool> ask(Duration time);
  async::Task<bool> ask_command() { return ask(times_.command); }
  async::Task<bool> ask_content() { return ask(times_.content); }
  // The same behind end_of_message(). A new body goes to `sink` piece by piece; an error of it ends the connection.
  class BodySink {
   public:
    virtual ~BodySink() = default;
    virtual async::Task<Result<void, std::string>> take(std::string octets) = 0;
  };
  async::Task<bool> ask_end(BodySink& sink);
  // Says goodbye and closes.
  async::Task<void> leave();
  // From outside: a call that waits ends with a problem.
  void cut();

  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  async::Task<bool> read_some(async::Deadline deadline);
  async::Task<bool> flush(async::Deadline deadline);
  void close();
  bool give_up(std::string why);

  async::Endpoint filter_;
  std::uint32_t version_;
  MilterTimes times_;
  milter::Limits limits_;
  std::unique_ptr<async::Stream> stream_;
  std::unique_ptr<milter::Dialogue> dialogue_;
  async::Buffer input_;
  std::string problem_;
};

}  // namespace posthorn::session
