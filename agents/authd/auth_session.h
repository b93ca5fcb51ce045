// One client of the `auth` socket: an SMTP, POP3 or IMAP server that asks on behalf of its own clients. Many exchanges go
// on at once on one connection (libmail/sasl/dovecot.h has the lines).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agents/authd/outbox.h"
#include "agents/authd/verifier.h"
#include "libmail/async/scope.h"
#include "libmail/async/stream.h"
#include "libmail/sasl/dovecot.h"
#include "libmail/sasl/mechanism.h"

namespace posthorn::authd {

class AuthSession {
 public:
  static constexpr std::size_t most_exchanges = 2000;  // at once on one connection
  static constexpr Duration answer_time =
      std::chrono::seconds(150);  // for a client's answer to a challenge
  static constexpr Duration handshake_time = std::chrono::seconds(30);

  // `verifier` outlives it.
  AuthSession(std::unique_ptr<async::Stream> stream, Verifier& verifier, service::Log& log,
              std::uint64_t number);
  ~AuthSession();
  AuthSession(const AuthSession&) = delete;
  AuthSession& operator=(const AuthSession&) = delete;

  // Until the client leaves, or retire() was called and no exchange is going on any more.
  async::Task<void> serve();
  enum class Retire {
    when_idle,  // the list of mechanisms changed: the client shall connect again and see it
    now,        // we are stopping: exchanges are given up
  };
  void retire(Retire how);

 private:
  struct Exchange;

  [[nodiscard]] std::string handshake() const;
  bool take_lines();
  bool take_line(const std::string& line);
  bool on_auth(sasl::dovecot::AuthRequest request);
  void on_continue(sasl::dovecot::Continue answer);
  async::Task<void> run(std::shared_ptr<Exchange> exchange);
  async::Task<bool> drive(std::shared_ptr<Exchange> exchange);
  async::Task<bool> ask_client(std::shared_ptr<Exchange> exchange, std::string challenge);
  async::Task<bool> find_keys(std::shared_ptr<Exchange> exchange);
  async::Task<bool> check_password(std::shared_ptr<Exchange> exchange);
  void succeed(Exchange& exchange);
  void refuse(Exchange& exchange, const sasl::Step& step);
  void refuse_for_now(Exchange& exchange, std::string_view why);
  void protocol_error(std::string_view why);
  void close_if_idle();

  std::unique_ptr<async::Stream> stream_;
  Verifier& verifier_;
  service::Log& log_;
  std::uint64_t number_;
  Outbox outbox_;
  async::Buffer buffer_;
  sasl::dovecot::LineReader lines_;
  bool has_version_ = false;
  bool has_pid_ = false;
  bool retired_ = false;
  std::map<std::uint32_t, std::shared_ptr<Exchange>> exchanges_;
  async::Scope scope_;
};

}  // namespace posthorn::authd
