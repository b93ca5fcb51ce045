// What smtpd says to MAIL, RCPT, the octets and the end of a message: takes mail for addresses that are ours and
// exist, puts Received on top, and hands it to an intake.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/smtpd/policy.h"
#include "libmail/reception/gates.h"
#include "libmail/route/resolver.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_server.h"
#include "libmail/smtp/trace.h"

namespace posthorn::smtpd {

struct Counters {
  service::Counter& messages;  // taken
  service::Counter& octets;
  service::Counter& recipients;        // of messages that were taken
  service::Counter& messages_refused;  // whose body had begun
  service::Counter& recipients_refused;

  explicit Counters(service::Metrics& metrics);
};

// What all sessions share; outlives them.
struct Services {
  route::Resolver& resolver;
  session::Intake& intake;
  service::Log& log;
  Counters& counters;

  Services(route::Resolver& r, session::Intake& i, service::Log& l, Counters& c)
      : resolver(r), intake(i), log(l), counters(c) {}
};

class Session final : public session::SmtpHandler {
 public:
  Session(Services services, std::shared_ptr<const Policy> policy,
          std::unique_ptr<reception::Gates> gates)
      : services_(services), policy_(std::move(policy)), gates_(std::move(gates)) {}

  async::Task<smtp::Reply> on_connect(const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_hello(const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_mail(smtp::Envelope& envelope,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_data(const smtp::Envelope& envelope,
                                   const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_body(std::string_view octets) override;
  async::Task<std::vector<smtp::Reply>> on_message_end(smtp::Envelope& envelope,
                                                       const smtp::SessionInfo& session) override;
  async::Task<void> on_reset() override;
  async::Task<smtp::Reply> on_vrfy(std::string argument, const smtp::SessionInfo& session) override;
  async::Task<smtp::Reply> on_expn(std::string argument, const smtp::SessionInfo& session) override;

 private:
  [[nodiscard]] bool is_local(const smtp::Client& client) const;

  Services services_;
  std::shared_ptr<const Policy> policy_;
  std::unique_ptr<reception::Gates> gates_;
  std::unique_ptr<session::IntakeTransaction> transaction_;
  smtp::ReceivedCounter received_;
  bool body_begun_ = false;
};

}  // namespace posthorn::smtpd
