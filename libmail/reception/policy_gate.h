// Who else is asked whether mail may come in: policy servers (session/policy_wire.h), each at the stages it was
// configured for. Our own refusals come first: nobody is asked about a recipient that we don't take anyway.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/service/agent.h"
#include "libmail/service/networks.h"
#include "libmail/session/intake.h"
#include "libmail/session/policy_client.h"
#include "libmail/session/policy_wire.h"

namespace posthorn::reception {

// "inet:127.0.0.1:10023" (at rcpt), "connect,data=unix:run/policy.sock".
struct PolicyServerName {
  async::Endpoint endpoint;
  std::vector<session::PolicyStage> stages;

  PolicyServerName() = default;
};
[[nodiscard]] Result<PolicyServerName, std::string> parse_policy_server(std::string_view text);

struct PolicyOptions {
  std::vector<std::string> servers;
  std::string when_unavailable = "451 4.3.0 Temporary trouble here, try again later";
  session::PolicyLimits limits;

  PolicyOptions() = default;
  void describe(service::OptionTable& table);
};

// The servers of an agent. Outlives its gates.
class PolicyServers {
 public:
  // `options` outlives it. `has_queue`: messages go into a queue, where they can be held.
  PolicyServers(const service::Site& site, const PolicyOptions& options, service::Metrics& metrics,
                bool has_queue);

  struct Server {
    std::unique_ptr<session::PolicyClient> client;
    std::vector<session::PolicyStage> stages;
  };
  [[nodiscard]] const std::vector<Server>& all() const { return servers_; }
  // What is done in place of an answer that didn't come, or wasn't understood.
  [[nodiscard]] session::PolicyAction when_unavailable() const;
  [[nodiscard]] bool has_queue() const { return has_queue_; }
  void count_failure() { failures_.add(); }
  void count_question() { questions_.add(); }
  void close();

 private:
  const PolicyOptions& options_;
  const bool has_queue_;
  std::vector<Server> servers_;
  service::Counter& questions_;
  service::Counter& failures_;
};

// What the servers have said of one session so far.
class PolicyGate {
 public:
  // Nobody is asked about clients from the networks `spared`.
  PolicyGate(PolicyServers& servers, const service::Networks& spared, service::Log& log);

  // Each asks whoever wants to be asked then; a negative reply is for the client.
  async::Task<smtp::Reply> connect(const smtp::SessionInfo& session);
  async::Task<smtp::Reply> hello(const smtp::SessionInfo& session);
  async::Task<smtp::Reply> mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session);
  async::Task<smtp::Reply> rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient,
                                const smtp::SessionInfo& session);
  // Asks, and begins the body: data() of `transaction`, with other recipients first if a server wants that; for that it
  // may be another one of `intake`.
  async::Task<smtp::Reply> data(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                std::unique_ptr<session::IntakeTransaction>& transaction,
                                session::Intake& intake);
  // Asks, and ends the message: finish() of `transaction`, or abort() where it is refused or thrown away. The
  // recipients in `envelope` are then those that the servers want.
  async::Task<smtp::Reply> end(smtp::Envelope& envelope, const smtp::SessionInfo& session,
                               session::IntakeTransaction& transaction);
  // The transaction is over, however it ended. mail() calls it, too.
  void reset();

  // Header fields that go on top of the message, with CRLF. What is wanted there at the end of a message comes too late.
  [[nodiscard]] std::string prepended() const;
  // 250 for the client, and the message is thrown away.
  [[nodiscard]] bool discards() const { return session_.discard || message_.discard; }

 private:
  // For the session, or for the message.
  struct Marks {
    std::vector<std::string> fields;
    std::vector<smtp::Mailbox> bcc;
    std::optional<smtp::Mailbox> redirect;
    std::string hold;
    std::optional<smtp::Reply> defer_if_permit;
    std::optional<smtp::Reply> defer_if_reject;
    bool discard = false;
  };
  async::Task<smtp::Reply> ask(session::PolicyQuestion question);
  async::Task<session::PolicyAction> ask_one(const PolicyServers::Server& server,
                                             const session::PolicyQuestion& question);
  // A refusal for the client, if it is one.
  std::optional<smtp::Reply> take(session::PolicyAction action,
                                  const session::PolicyQuestion& question, Marks& marks);
  // Why it can't be done then, or "".
  [[nodiscard]] std::string_view obstacle(session::PolicyAction::Kind kind,
                                          session::PolicyStage stage) const;
  void remember(const Marks& here, session::PolicyStage stage);
  async::Task<smtp::Reply> readdress(const smtp::Envelope& envelope,
                                     const smtp::SessionInfo& session,
                                     std::unique_ptr<session::IntakeTransaction>& transaction,
                                     session::Intake& intake);
  [[nodiscard]] smtp::Reply soften(smtp::Reply refusal, const Marks& marks) const;
  [[nodiscard]] std::optional<smtp::Reply> deferred(session::PolicyStage stage,
                                                    const Marks& marks) const;

  PolicyServers& servers_;
  service::Networks spared_;
  service::Log& log_;
  Marks session_;
  Marks message_;
  std::string session_id_;
  std::string instance_;
  std::size_t messages_ = 0;
};

}  // namespace posthorn::reception
