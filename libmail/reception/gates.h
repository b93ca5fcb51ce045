// Who else has a word on a message that smtpd or submissiond would take: policy servers (policy_gate.h), then filters
// (libmail/filter), then the way on. One for each SMTP session; a negative reply is for the client.
#pragma once

#include <memory>
#include <string>

#include "libmail/filter/filter_gate.h"
#include "libmail/reception/filtered_intake.h"
#include "libmail/reception/policy_gate.h"
#include "libmail/session/intake.h"

namespace posthorn::reception {

class Gates {
 public:
  // The servers, the filters, `way` and `log` outlive it. No policy server is asked about clients from the networks
  // `spared`.
  Gates(PolicyServers& servers, const service::Networks& spared, filter::Filters& filters,
        session::Intake& way, service::Log& log)
      : policy_(servers, spared, log), filters_(filters), intake_(filters_, way) {}

  async::Task<smtp::Reply> connect(const smtp::SessionInfo& session);
  async::Task<smtp::Reply> hello(const smtp::SessionInfo& session);
  // Begins `transaction`; after a negative reply there is none.
  async::Task<smtp::Reply> mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                std::unique_ptr<session::IntakeTransaction>& transaction);
  async::Task<smtp::Reply> rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient,
                                const smtp::SessionInfo& session,
                                session::IntakeTransaction& transaction);
  // The filters first here: a policy server may want other recipients, and for those `transaction` may begin anew.
  async::Task<smtp::Reply> data(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                std::unique_ptr<session::IntakeTransaction>& transaction);
  // Ends the message: finish() of `transaction`, or abort() where it is refused or thrown away. The recipients in
  // `envelope` are then those that the servers want.
  async::Task<smtp::Reply> end(smtp::Envelope& envelope, const smtp::SessionInfo& session,
                               session::IntakeTransaction& transaction) {
    return policy_.end(envelope, session, transaction);
  }
  // Header fields that go on top of the message, with CRLF.
  [[nodiscard]] std::string prepended() const { return policy_.prepended(); }
  // The client is told 250, and the message is thrown away.
  [[nodiscard]] bool discards() const { return policy_.discards() || filters_.discards(); }
  // Behind a message, when discards() was looked at.
  void message_ended() { policy_.reset(); }
  // Behind RSET, a lost client, a body that was refused.
  async::Task<void> reset();

 private:
  PolicyGate policy_;
  filter::FilterGate filters_;
  FilteredIntake intake_;
};

}  // namespace posthorn::reception
