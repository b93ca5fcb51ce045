// One client of the `userdb` socket: smtpd, queued, deliverd, pop3d, or Dovecot's and Postfix's helpers. It is told who exists
// and where the mail lies, never a password.
#pragma once

#include <memory>
#include <string>

#include "agents/authd/outbox.h"
#include "agents/authd/users.h"
#include "libmail/sasl/userdb.h"
#include "libmail/service/metrics.h"

namespace posthorn::authd {

struct UserdbSettings {
  std::string realm;  // as in VerifierOptions
  std::string home;   // absolute, with %u %n %d; "" = no home for users without one
  UserdbSettings() = default;
};

struct UserdbCounters {
  service::Counter& found;
  service::Counter& not_found;
  explicit UserdbCounters(service::Metrics& metrics);
};

class UserdbSession {
 public:
  // `users`, `settings` and `counters` outlive it; settings may change between two lines.
  UserdbSession(std::unique_ptr<async::Stream> stream, Users& users, const UserdbSettings& settings,
                UserdbCounters& counters, service::Log& log);

  async::Task<void> serve();
  void end();

  // The answer to one line; an error ends the session. Without I/O, for tests.
  [[nodiscard]] Result<std::string, std::string> answer(std::string_view line);

 private:
  async::Task<bool> answer_lines();
  [[nodiscard]] std::string find(const sasl::dovecot::UserRequest& request);
  [[nodiscard]] std::string list(const sasl::dovecot::ListRequest& request);

  std::unique_ptr<async::Stream> stream_;
  Users& users_;
  const UserdbSettings& settings_;
  UserdbCounters& counters_;
  service::Log& log_;
  async::Buffer buffer_;
  sasl::dovecot::LineReader lines_;
  bool has_version_ = false;
};

}  // namespace posthorn::authd
