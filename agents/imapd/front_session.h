// One client of the front, from the greeting to the log-in.
#pragma once

#include <memory>
#include <string>

#include "libmail/access/front_dialogue.h"
#include "libmail/imap/server/login_core.h"

namespace posthorn::imapd {

struct FrontSettings : access::FrontSettings {
  imap::LoginLimits limits;

  FrontSettings() = default;
};

class FrontSession final : public access::FrontDialogue<imap::LoginCore> {
 public:
  // `log` and `counters` outlive it.
  FrontSession(std::unique_ptr<async::Stream> stream, std::unique_ptr<session::SaslServer> sasl,
               FrontSettings settings, service::Log& log, access::FrontCounters& counters);
  ~FrontSession() override;

 private:
  async::Task<std::unique_ptr<imap::LoginCore>> make_core() override;
  async::Task<void> tell_secured() override;
  void say_too_slow() override { core().end("too slow, goodbye"); }
  [[nodiscard]] std::string plain_login() const override { return "LOGIN"; }
  void say_refused(Refusal why) override;
  void say_answer(const access::WorkerAnswer& answer) override;
  std::unique_ptr<access::ReturnWatch> make_watch() override;
  async::Task<std::optional<access::WorkerAnswer>> ask_worker(std::string user,
                                                              async::Deadline deadline) override;

  async::Task<imap::LoginSettings> core_settings();

  imap::LoginLimits limits_;
};

}  // namespace posthorn::imapd
