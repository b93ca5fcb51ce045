// SASL by asking an auth server over the Dovecot auth protocol: authd's, or Dovecot's. One AuthClient for
// the whole process: all sessions' requests go over one kept connection; it is opened again when the server comes back, and
// what was asked meanwhile is answered `unavailable`.
//
//   auth_ = std::make_unique<session::AuthClient>(endpoint, options, daemon.log());       in start()
//   serve_smtp(std::move(stream), settings, std::move(handler), auth_->make_server());    a session
//   co_await auth_->stop();                                                               in drain()
//
// The channel binding travels as cbind=tls-exporter:BASE64 in AUTH. It is sent, and SCRAM-SHA-256-PLUS offered,
// only if the server announced the mechanism with the flag "cbind=tls-exporter" (authd does; Dovecot has another
// way that we do not speak).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libmail/sasl/dovecot.h"
#include "libmail/service/log.h"
#include "libmail/session/auth_wire.h"
#include "libmail/session/sasl_server.h"

namespace posthorn::session {

struct AuthClientOptions {
  // Offer mechanisms that show the password also where SaslContext::secured is false. The auth server has
  // to allow it too.
  bool plaintext_in_clear = false;
  Duration connect_time = std::chrono::seconds(5);
  // For one step: the server's hash work and its delay for guessers included.
  Duration answer_time = std::chrono::seconds(60);

  AuthClientOptions() = default;
};

class AuthClient final : private LineConnection::Owner {
 public:
  // `log` outlives it.
  AuthClient(async::Endpoint server, AuthClientOptions options, service::Log& log);
  ~AuthClient() override;

  // For one session; the AuthClient outlives it.
  [[nodiscard]] std::unique_ptr<SaslServer> make_server();
  async::Task<void> stop() { return connection_.stop(); }

  // For the session objects.
  struct Request;

 private:
  friend class AuthExchange;
  std::string on_open() override;
  std::string on_line(const std::string& line) override;
  void on_lost(const std::string& why) override;
  void answer(std::uint32_t id, SaslResult result);
  [[nodiscard]] std::vector<std::string> mechanisms_for(const SaslContext& context) const;

  AuthClientOptions options_;
  service::Log& log_;
  std::vector<sasl::dovecot::Mechanism> announced_;  // of this connection
  bool offers_plus_ = false;
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, Request*> waiting_;
  LineConnection connection_;
};

}  // namespace posthorn::session
