// One client of the front, from the greeting to the log-in.
#pragma once

#include <memory>
#include <string>

#include "libmail/access/front_client.h"
#include "libmail/imap/server/login_core.h"

namespace posthorn::imapd {

struct FrontSettings : access::FrontSettings {
  imap::LoginLimits limits;

  FrontSettings() = default;
};

class FrontSession final : public access::FrontClient {
 public:
  // `log` and `counters` outlive it.
  FrontSession(std::unique_ptr<async::Stream> stream, std::unique_ptr<session::SaslServer> sasl,
               FrontSettings settings, service::Log& log, access::FrontCounters& counters);
  ~FrontSession() override;

 private:
  async::Task<void> greet_and_log_in() override;
  async::Task<std::optional<access::WorkerAnswer>> ask_worker(std::string user,
                                                              async::Deadline deadline) override;
  void say_challenge(std::string_view octets) override { core_->challenge(octets); }
  void say_refused(Refusal why) override;
  void say_answer(const access::WorkerAnswer& answer) override;
  async::Task<bool> flush() override;
  std::string take_rest() override;

  async::Task<imap::LoginSettings> core_settings();
  async::Task<bool> handle(imap::LoginEvent event);
  async::Task<bool> start_tls();

  imap::LoginLimits limits_;
  std::unique_ptr<imap::LoginCore> core_;
  async::Buffer input_;
};

}  // namespace posthorn::imapd
