// What submissiond says to MAIL, RCPT, the octets and the end of a message (RFC 6409): takes mail from who is
// authenticated, for any domain; checks and completes the header; puts Received on top, and hands it to an intake.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/submissiond/local_user.h"
#include "agents/submissiond/policy.h"
#include "libmail/message/submission.h"
#include "libmail/reception/gates.h"
#include "libmail/route/resolver.h"
#include "libmail/service/log.h"
#include "libmail/service/metrics.h"
#include "libmail/session/intake.h"
#include "libmail/session/smtp_server.h"
#include "libmail/smtp/trace.h"

namespace posthorn::submissiond {

struct Counters {
  service::Counter& messages;  // taken
  service::Counter& octets;
  service::Counter& recipients;        // of messages that were taken
  service::Counter& messages_refused;  // whose body had begun
  service::Counter& recipients_refused;
  service::Counter& senders_refused;

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
  Session(Services services, std::shared_ptr<const Policy> policy, LocalUser local,
          std::unique_ptr<reception::Gates> gates)
      : services_(services),
        policy_(std::move(policy)),
        local_(std::move(local)),
        gates_(std::move(gates)) {}

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
  async::Task<smtp::Reply> check_sender(const smtp::Envelope& envelope, std::string user);
  async::Task<smtp::Reply> pass_on(std::string_view octets);
  async::Task<smtp::Reply> end_message(smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                       session::IntakeTransaction& transaction);
  [[nodiscard]] std::string who(const smtp::SessionInfo& session) const;
  [[nodiscard]] bool may_ask(const smtp::SessionInfo& session) const;
  [[nodiscard]] bool is_trusted(const std::string& user, const smtp::SessionInfo& session) const;

  Services services_;
  std::shared_ptr<const Policy> policy_;
  LocalUser local_;
  std::unique_ptr<reception::Gates> gates_;
  std::unique_ptr<session::IntakeTransaction> transaction_;
  std::optional<message::SubmissionFilter> filter_;  // of the message that arrives
  smtp::ReceivedCounter received_;
  std::string passing_;        // what filter_ lets through
  std::uint64_t written_ = 0;  // octets of the message as it goes on
};

}  // namespace posthorn::submissiond
