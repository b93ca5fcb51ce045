// One client of the front, from the greeting to the log-in.
#pragma once

#include <memory>
#include <string>

#include "libmail/access/front_dialogue.h"
#include "libmail/pop3/server.h"

namespace posthorn::pop3d {

struct FrontSettings : access::FrontSettings {
  bool delete_after_retr = false;  // the worker's business; CAPA tells of it before log-in too
  pop3::Limits limits;

  FrontSettings() = default;
};

class FrontSession final : public access::FrontDialogue<pop3::ServerCore> {
 public:
  // `log` and `counters` outlive it.
  FrontSession(std::unique_ptr<async::Stream> stream, std::unique_ptr<session::SaslServer> sasl,
               FrontSettings settings, service::Log& log, access::FrontCounters& counters);
  ~FrontSession() override;

 private:
  async::Task<std::unique_ptr<pop3::ServerCore>> make_core() override;
  async::Task<void> tell_secured() override;
  void say_too_slow() override { core().end("", "too slow, goodbye"); }
  [[nodiscard]] std::string plain_login() const override { return "USER"; }
  void say_refused(Refusal why) override;
  void say_answer(const access::WorkerAnswer& answer) override;
  async::Task<std::optional<access::WorkerAnswer>> ask_worker(std::string user,
                                                              async::Deadline deadline) override;

  FrontSettings settings_;
};

}  // namespace posthorn::pop3d
