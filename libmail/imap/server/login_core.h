// An IMAP session until somebody is logged in, for both halves of imapd: the front, which asks an auth server, and the worker,
// which believes its front (AUTHENTICATE EXTERNAL). README.md has the states.
//
//   core.feed(octets);
//   while (auto event = core.next()) { ... answer it ... }
//   write(core.take_output());
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmail/imap/command.h"
#include "libmail/imap/lines.h"
#include "libmail/imap/server/reply.h"

namespace posthorn::imap {

struct LoginLimits {
  Limits lines = Limits::before_login();
  std::size_t response = 16384;  // octets of a SASL response
  unsigned errors = 5;           // BADs, then the session is ended
  unsigned logins = 5;           // attempts
  unsigned commands = 100;

  LoginLimits() = default;
};

struct LoginSettings {
  LoginLimits limits;
  bool can_start_tls = false;  // a certificate is there and TLS is not on yet
  bool plaintext = false;      // LOGIN is taken
  std::vector<std::string> mechanisms;
  std::string greeting = "IMAP server ready";

  LoginSettings() = default;
};

// What the driver must do now.
struct LoginEvent {
  enum class Kind : std::uint8_t {
    start_tls,      // write the output, shake hands, tls_started() or close
    login,          // user, password: logged_in() or refused()
    sasl_start,     // mechanism, initial: challenge(), logged_in() or refused()
    sasl_response,  // data: the same
    sasl_cancel,    // forget the exchange; nothing to answer
    close,          // write the output and close
  };
  Kind kind = Kind::close;
  std::string user;
  std::string password;
  std::string mechanism;
  std::optional<std::string> initial;
  std::string data;

  LoginEvent() = default;
  explicit LoginEvent(Kind what) : kind(what) {}
};

class LoginCore {
 public:
  // The greeting is in the output at once.
  explicit LoginCore(LoginSettings settings);

  void feed(std::string_view octets) { input_ += octets; }
  // What to do before more is read; nothing: write the output, read.
  [[nodiscard]] std::optional<LoginEvent> next();
  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  // What was fed and not looked at: after a log-in it belongs to the session that begins.
  [[nodiscard]] std::string take_rest();

  // TLS is on: everything the client said before is forgotten (RFC 9051 11.1).
  void tls_started(LoginSettings settings);
  void challenge(std::string_view octets);
  // `capabilities` from now on; the core has done its work.
  void logged_in(std::string_view capabilities);
  // The same with another server's words.
  void handed_over(const Reply& reply);
  void refused(const Reply& reply);
  // The client was silent too long, or we are stopping: BYE, then `close`.
  void end(std::string_view text);

 private:
  enum class State : std::uint8_t { commands, sasl, waiting, closed };

  void on_line(const Line& line);
  void on_sasl_line(const Line& line);
  void on_command(Command command);
  void on_simple(Simple command);
  void on_authenticate(Authenticate command);
  void on_login(Login command);
  void on_literal();
  void on_error(LineError error);
  void reply(const Reply& reply) { output_ += format_status(tag_, reply); }
  void failed(const Reply& reply);
  void untagged(std::string_view text);
  void raise(LoginEvent event);
  void close();
  [[nodiscard]] std::string capabilities() const;
  [[nodiscard]] bool has_mechanism(std::string_view name) const;

  LoginSettings settings_;
  LineReader reader_;
  State state_ = State::commands;
  std::string input_;
  std::string output_;
  std::string tag_;
  std::optional<LoginEvent> event_;
  unsigned errors_ = 0;
  unsigned logins_ = 0;
  unsigned commands_ = 0;
};

}  // namespace posthorn::imap
