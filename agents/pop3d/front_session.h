// One client of the front: gets it logged in, then passes octets.
#pragma once

#include <memory>
#include <string>

#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/pop3/server.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/sasl_server.h"
#include "libmail/tls/tls.h"

namespace posthorn::pop3d {

struct FrontCounters {
  service::Counter& logins;
  service::Counter& refused;
  service::Gauge& sessions;
  explicit FrontCounters(service::Metrics& metrics);
};

struct FrontSettings {
  async::Endpoint worker;
  std::shared_ptr<tls::ServerContext> tls;  // null: no STLS
  bool implicit_tls = false;
  bool plaintext_in_clear = false;
  bool delete_after_retr = false;  // the worker's business; CAPA tells of it before log-in too
  pop3::Limits limits;
  Duration login_time{};
  Duration idle_time{};

  FrontSettings() = default;
};

class FrontSession {
 public:
  // `log` and `counters` outlive it.
  FrontSession(std::unique_ptr<async::Stream> stream, std::unique_ptr<session::SaslServer> sasl,
               FrontSettings settings, service::Log& log, FrontCounters& counters);
  ~FrontSession();
  FrontSession(const FrontSession&) = delete;
  FrontSession& operator=(const FrontSession&) = delete;

  async::Task<void> serve();
  // We are stopping: a client that is not logged in yet goes now; one that is has its worker to say so.
  void end();

 private:
  async::Task<bool> shake_hands();
  async::Task<void> prepare();
  async::Task<void> greet_and_log_in();
  async::Task<bool> handle(pop3::Event event);
  async::Task<bool> start_tls();
  async::Task<bool> start_sasl(pop3::Event event);
  async::Task<bool> on_result(session::SaslResult result);
  async::Task<bool> hand_over(std::string user);
  async::Task<pop3::Reply> ask_worker(std::string user);
  async::Task<Result<std::string, std::string>> hear_worker(async::Deadline deadline);
  async::Task<void> pass_octets();
  async::Task<bool> flush();
  [[nodiscard]] pop3::Settings core_settings() const;

  std::unique_ptr<async::Stream> stream_;
  std::unique_ptr<session::SaslServer> sasl_;
  FrontSettings settings_;
  service::Log& log_;
  FrontCounters& counters_;
  session::SaslContext context_;
  std::unique_ptr<pop3::ServerCore> core_;
  std::unique_ptr<async::Stream> worker_;
  async::Buffer input_;
  async::Buffer worker_input_;
  async::Deadline login_deadline_ = async::Deadline::never();
  std::string mechanism_;  // of the exchange, for the log
  std::string user_;
  std::string client_;  // for the log
  std::string tls_version_;
  bool handed_over_ = false;
  bool over_ = false;
};

}  // namespace posthorn::pop3d
