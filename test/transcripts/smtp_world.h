// What stands around an SMTP server in a transcript: users, tables, an intake that keeps what it is given, a SASL
// server that knows one password, certificates.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "libmail/route/resolver.h"
#include "libmail/service/log.h"
#include "libmail/session/intake.h"
#include "libmail/session/sasl_server.h"
#include "libmail/session/smtp_server.h"
#include "test/support/test_folder.h"
#include "test/transcripts/transcript.h"

namespace posthorn::test {

// "<a@x> <b@y>,<c@y> octets", the Received field that the agent put on top left out.
[[nodiscard]] std::string describe_message(const smtp::Envelope& envelope, std::string_view octets);

// Takes everything; or what the config key "intake" says: "full" (452 at the end), "failing" (451 at the end), "broken"
// (452 while the body arrives).
class MemoryIntake final : public session::Intake {
 public:
  explicit MemoryIntake(std::string mood) : mood_(std::move(mood)) {}
  [[nodiscard]] std::string next_id() override;
  [[nodiscard]] std::unique_ptr<session::IntakeTransaction> begin(
      const smtp::SessionInfo&) override;
  async::Task<void> stop() override;
  [[nodiscard]] std::string take_message();
  // Transactions that are neither finished nor aborted.
  [[nodiscard]] int open() const { return open_; }

 private:
  friend class MemoryTransaction;
  std::string mood_;
  int counter_ = 0;
  int open_ = 0;
  std::deque<std::string> messages_;
};

// "ann", "bob" and "postmaster" of whatever domain; "later@..." can't be looked up.
class MemoryUsers final : public route::UserLookup {
 public:
  async::Task<route::UserAnswer> find(std::string name) override;
};

// One key, one value.
class OneEntryTable final : public route::Table {
 public:
  OneEntryTable(std::string key, std::string value)
      : key_(std::move(key)), value_(std::move(value)) {}
  async::Task<route::TableAnswer> find(std::string key) override;

 private:
  std::string key_;
  std::string value_;
};

// PLAIN and LOGIN for ann with the password secret; "later" is a user the auth server has trouble with.
class MemorySasl final : public session::SaslServer {
 public:
  async::Task<std::vector<std::string>> mechanisms(const session::SaslContext& context) override;
  async::Task<session::SaslResult> start(std::string mechanism, std::optional<std::string> initial,
                                         const session::SaslContext& context) override;
  async::Task<session::SaslResult> step(std::string response) override;
  void cancel() override;

 private:
  std::string mechanism_;
  std::string name_;
  bool named_ = false;
};

// LMTP without a policy: a recipient whose local-part begins with "no" is refused, one that begins with "late" is put off
// at the end of the message.
class LmtpHandler final : public session::SmtpHandler {
 public:
  explicit LmtpHandler(MemoryIntake& intake) : intake_(intake) {}
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

 private:
  MemoryIntake& intake_;
  std::unique_ptr<session::IntakeTransaction> transaction_;
};

// A CA and a certificate for mx.example.org in a directory that goes with it.
class Certificates {
 public:
  Certificates();
  std::shared_ptr<tls::ServerContext> server;
  std::shared_ptr<tls::ClientContext> client;
  [[nodiscard]] const std::string& directory() const { return folder_.path(); }

 private:
  posthorn::TestFolder folder_;
};

}  // namespace posthorn::test
