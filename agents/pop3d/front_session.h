// One client of the front, from the greeting to the log-in.
#pragma once

#include <memory>
#include <string>

#include "libmail/access/front_client.h"
#include "libmail/pop3/server.h"

namespace posthorn::pop3d {

struct FrontSettings : access::FrontSettings {
  bool delete_after_retr = false;  // the worker's business; CAPA tells of it before log-in too
  pop3::Limits limits;

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

  async::Task<void> prepare();
  async::Task<bool> handle(pop3::Event event);
  async::Task<bool> start_tls();

  FrontSettings settings_;
  std::unique_ptr<pop3::ServerCore> core_;
  async::Buffer input_;
};

}  // namespace posthorn::pop3d
