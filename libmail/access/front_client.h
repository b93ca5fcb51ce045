// One client of a front: TLS, a log-in that the auth server judges, the worker that takes the client over, and octets. What is
// said on the way is the protocol's (front_dialogue.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libmail/access/worker_link.h"
#include "libmail/async/endpoint.h"
#include "libmail/async/stream.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/sasl_server.h"
#include "libmail/tls/tls.h"

namespace posthorn::access {

struct FrontCounters {
  service::Counter& logins;
  service::Counter& refused;
  service::Gauge& sessions;
  FrontCounters(service::Metrics& metrics, std::string_view agent);
};

struct FrontSettings {
  async::Endpoint worker;
  std::shared_ptr<tls::ServerContext> tls;  // null: no TLS
  bool implicit_tls = false;
  bool plaintext_in_clear = false;
  Duration login_time{};
  Duration idle_time{};

  FrontSettings() = default;
};

// What a worker answered to the user's name.
struct WorkerAnswer {
  bool ok = false;
  std::string code;  // the response code without its brackets; "" = none
  std::string text;
};

class FrontClient {
 public:
  // `log` and `counters` outlive it. `service`: "imap", for the auth server.
  FrontClient(std::unique_ptr<async::Stream> stream, std::unique_ptr<session::SaslServer> sasl,
              FrontSettings settings, std::string_view service, service::Log& log,
              FrontCounters& counters);
  virtual ~FrontClient();
  FrontClient(const FrontClient&) = delete;
  FrontClient& operator=(const FrontClient&) = delete;

  async::Task<void> serve();
  // We are stopping: a client that is not logged in yet goes now; one that is has its worker to say so.
  void end();

 protected:
  enum class Refusal { credentials, unavailable };

  // ---- the protocol's part ----
  // From the greeting to the end of the connection or until is_handed_over().
  virtual async::Task<void> greet_and_log_in() = 0;
  // Asks link() for the user's mail; nothing, and a line in the log, if the worker makes no sense.
  virtual async::Task<std::optional<WorkerAnswer>> ask_worker(std::string user,
                                                              async::Deadline deadline) = 0;
  virtual void say_challenge(std::string_view octets) = 0;
  virtual void say_refused(Refusal why) = 0;
  // The worker's own words: it refuses, or it has the client now.
  virtual void say_answer(const WorkerAnswer& answer) = 0;
  // What the client has said and nobody has read; buffers are given up. At the hand-over.
  virtual std::string take_rest() = 0;
  // For a protocol whose sessions may end while their client stays; null: they don't.
  virtual std::unique_ptr<ReturnWatch> make_watch() { return nullptr; }
  // As greet_and_log_in() for a client that has returned and has said `rest` already: it is not greeted again.
  virtual async::Task<void> log_in_again(std::string rest) = 0;

  // ---- for it ----
  // The stream is behind TLS afterwards. False: it is over.
  async::Task<bool> shake_hands();
  async::Task<std::vector<std::string>> mechanisms();
  // Both give false when the time before log-in is over, because the client was handed over.
  async::Task<bool> start_sasl(std::string mechanism, std::optional<std::string> initial);
  async::Task<bool> step_sasl(std::string response);
  // A plain name and password; `word` for the log: "LOGIN".
  async::Task<bool> log_in(std::string word, std::string user, std::string password);
  void cancel_sasl() { sasl_->cancel(); }
  async::Task<bool> write(std::string octets);
  // Until the time for log-in is over.
  async::Task<Result<std::size_t, IoError>> read(async::Buffer& into);

  [[nodiscard]] bool is_secured() const { return context_.secured; }
  [[nodiscard]] bool takes_plaintext() const {
    return context_.secured || settings_.plaintext_in_clear;
  }
  [[nodiscard]] bool can_start_tls() const { return settings_.tls != nullptr && !context_.secured; }
  [[nodiscard]] WorkerLink& link() { return link_; }
  [[nodiscard]] service::Log& log() { return log_; }

 private:
  async::Task<bool> on_result(session::SaslResult result);
  async::Task<bool> hand_over(std::string user);
  async::Task<std::optional<WorkerAnswer>> reach_worker(std::string user);
  // What a client has said that returned; nothing: it is gone.
  async::Task<std::optional<std::string>> pass_octets();

  std::unique_ptr<async::Stream> stream_;
  std::unique_ptr<session::SaslServer> sasl_;
  FrontSettings settings_;
  service::Log& log_;
  FrontCounters& counters_;
  session::SaslContext context_;
  WorkerLink link_;
  async::Deadline login_deadline_ = async::Deadline::never();
  std::string mechanism_;  // of the exchange, for the log
  std::string user_;
  std::string client_;  // for the log
  std::string tls_version_;
  bool handed_over_ = false;
  bool over_ = false;
};

}  // namespace posthorn::access
