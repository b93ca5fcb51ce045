// The intake that stores nothing: every message goes on to another server while it arrives, and the replies are that
// server's. What it offers (SIZE, DSN, SMTPUTF8, ...) is found out at MAIL; what it does not is refused or left out as
// ClientCore does. 2xx after the end of the message means that the next hop has taken it, nothing more.
//
//   no connection, lost, 421     451 4.4.1, or the 4.4.x that says what happened
//   reply to MAIL, RCPT, end     the next hop's, word for word; a 421 goes back as 451, for we don't close
//
// An LMTP next hop answers the end of a message once a recipient, an SMTP client can be told one thing only:
//
//   all the same class           the first of them
//   one or more 4xx              the first 4xx: the client tries again; who has got the message may get it twice
//   2xx and 5xx                  554 5.3.0 that names who did not get it; nobody gets it twice
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/timer.h"
#include "libmail/queue/id.h"
#include "libmail/service/log.h"
#include "libmail/service/proxy_header.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::session {

struct NextHopLimits {
  std::size_t idle_connections = 32;  // kept for the next message
  Duration idle_time = std::chrono::seconds(20);

  NextHopLimits() = default;
};

class NextHopIntake final : public Intake {
 public:
  // `options.core.name` is our host name. `log` outlives it, and it outlives its transactions.
  // With a `proxy` version each connection begins with a PROXY header that names a session's client, and is kept for
  // that session alone.
  NextHopIntake(NextHop hop, SmtpClientOptions options, service::ProxyVersion proxy,
                NextHopLimits limits, service::Log& log);
  ~NextHopIntake() override;

  [[nodiscard]] std::string next_id() override;
  [[nodiscard]] std::unique_ptr<IntakeTransaction> begin(const smtp::SessionInfo& session) override;
  async::Task<void> stop() override;

  [[nodiscard]] std::size_t idle() const { return idle_.size(); }

 private:
  friend class NextHopTransaction;
  struct Idle {
    std::unique_ptr<SmtpClient> client;
    MonoTime since;
    Idle(std::unique_ptr<SmtpClient> one, MonoTime when) : client(std::move(one)), since(when) {}
  };

  // A connection that began so and was kept, the latest first; null if there is none.
  std::unique_ptr<SmtpClient> take(const std::string& preamble);
  void give_back(std::unique_ptr<SmtpClient> client);
  void drop_old();

  NextHop hop_;
  SmtpClientOptions options_;
  service::ProxyVersion proxy_;
  NextHopLimits limits_;
  service::Log& log_;
  queue::IdSource ids_;
  std::deque<Idle> idle_;  // oldest first
  async::Timer timer_;
};

// What became of a recipient that was accepted.
struct Verdict {
  smtp::Status status;
  int code = 0;      // the next hop's own, 0 if the status is ours
  std::string name;  // the address

  Verdict(smtp::Status s, int c, std::string n)
      : status(std::move(s)), code(c), name(std::move(n)) {}
};

// One reply for all of them, by the rules above; there is at least one. Exposed for its test.
[[nodiscard]] smtp::Reply merge_verdicts(const std::vector<Verdict>& verdicts);

}  // namespace posthorn::session
