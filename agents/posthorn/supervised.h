// One agent under the supervisor: started, watched, started again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/posthorn/programs.h"
#include "libmail/async/event.h"
#include "libmail/async/process.h"
#include "libmail/base/fd.h"
#include "libmail/service/log.h"

namespace posthorn::operate {

// A socket that is kept open here and passed at each start, so that no client is turned away in between.
struct HeldSocket {
  std::string option;     // the name it is passed under
  async::Endpoint asked;  // as the agent's options say
  async::Endpoint bound;  // as it is, with the port the kernel chose
  Fd fd;
};

class Supervised {
 public:
  // Waits between a crash and the next start: doubled each time, from the first to the last; an agent that ran for `settled` starts
  // with the first again.
  struct Pauses {
    Duration first = std::chrono::milliseconds(100);
    Duration last = std::chrono::seconds(30);
    Duration settled = std::chrono::seconds(10);
    Pauses() = default;
  };
  enum class State { starting, ready, waiting, stopped };

  // `notify_socket`: where it says that it is ready. `log_file`: "" = our standard error. `stopping` and `log` outlive it.
  Supervised(AgentProgram program, std::vector<HeldSocket> sockets, std::string notify_socket,
             std::string log_file, Pauses pauses, async::Event& stopping, service::Log& log);

  // Until `stopping` is set and the agent has ended.
  async::Task<void> keep_running();
  void on_ready();  // it said READY=1
  void signal(int number);

  [[nodiscard]] const std::string& name() const { return program_.name; }
  [[nodiscard]] const std::vector<HeldSocket>& sockets() const { return sockets_; }
  [[nodiscard]] pid_t pid() const { return process_ ? process_->pid() : 0; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t starts() const { return starts_; }
  // Set when it is ready for the first time, or when its first start failed (`first_failure` says why).
  [[nodiscard]] async::Event& settled() { return settled_; }
  [[nodiscard]] const std::string& first_failure() const { return first_failure_; }

 private:
  Result<void, IoError> launch();
  void ended(const async::ExitStatus& status);
  [[nodiscard]] std::string last_words() const;

  AgentProgram program_;
  std::vector<HeldSocket> sockets_;
  std::string notify_socket_;
  std::string log_file_;
  Pauses pauses_;
  async::Event& stopping_;
  service::Log& log_;
  std::unique_ptr<async::Process> process_;
  State state_ = State::starting;
  std::uint64_t starts_ = 0;
  std::uint64_t log_size_before_ = 0;
  Duration pause_{};
  MonoTime started_{};
  async::Event settled_;
  std::string first_failure_;
};

[[nodiscard]] std::string_view text_of(Supervised::State state);

}  // namespace posthorn::operate
