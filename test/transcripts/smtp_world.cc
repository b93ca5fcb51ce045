#include "test/transcripts/smtp_world.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libmail/base/text.h"
#include "libmail/tls/certificate.h"

namespace posthorn::test {

using async::Task;
using session::SaslResult;
using smtp::Reply;

class MemoryTransaction final : public session::IntakeTransaction {
 public:
  explicit MemoryTransaction(MemoryIntake& intake) : intake_(intake) { ++intake_.open_; }
  ~MemoryTransaction() override { close(); }

  Task<Reply> mail(const smtp::Envelope&) override { co_return smtp::reply::mail_ok; }
  Task<Reply> rcpt(const smtp::Recipient&) override { co_return smtp::reply::rcpt_ok; }
  Task<Reply> data() override { co_return smtp::reply::start_body; }
  Task<Reply> write(std::string_view octets) override {
    octets_.append(octets);
    co_return intake_.mood_ == "broken" ? smtp::reply::no_storage : smtp::reply::ok;
  }
  Task<Reply> finish(const smtp::Envelope& envelope) override {
    close();
    if (intake_.mood_ == "full") co_return smtp::reply::no_storage;
    if (intake_.mood_ == "failing") co_return smtp::reply::try_later;
    intake_.messages_.push_back(describe_message(envelope, octets_));
    co_return Reply(250, {2, 0, 0}, "Queued as " + envelope.id);
  }
  Task<void> abort() override {
    close();
    co_return;
  }

 private:
  void close() {
    if (open_) --intake_.open_;
    open_ = false;
  }
  MemoryIntake& intake_;
  std::string octets_;
  bool open_ = true;
};

std::string describe_message(const smtp::Envelope& envelope, std::string_view octets) {
  if (octets.starts_with("Received: ")) {
    std::size_t end = octets.find("\r\n");
    while (end + 2 < octets.size() && is_space(octets[end + 2])) end = octets.find("\r\n", end + 2);
    octets.remove_prefix(end + 2);
  }
  std::string text = smtp::format_path(envelope.reverse_path) + " ";
  for (const smtp::Recipient& recipient : envelope.recipients) {
    if (text.back() != ' ') text.push_back(',');
    text += smtp::format_path(recipient.mailbox);
  }
  return text + " " + std::string(octets);
}

std::string MemoryIntake::next_id() {
  return fmt::format("{:016}", ++counter_);
}

std::unique_ptr<session::IntakeTransaction> MemoryIntake::begin(const smtp::SessionInfo&) {
  return std::make_unique<MemoryTransaction>(*this);
}

Task<void> MemoryIntake::stop() {
  co_return;
}

std::string MemoryIntake::take_message() {
  if (messages_.empty()) return {};
  std::string message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

Task<route::UserAnswer> MemoryUsers::find(std::string name) {
  using Kind = route::UserAnswer::Kind;
  const std::string local = name.substr(0, name.find('@'));
  if (local == "later") co_return route::UserAnswer(Kind::unavailable, "a test");
  const bool known = local == "ann" || local == "bob" || local == "postmaster";
  co_return route::UserAnswer(known ? Kind::exists : Kind::unknown, std::move(name));
}

Task<route::TableAnswer> OneEntryTable::find(std::string key) {
  if (key != key_) co_return route::TableAnswer(std::nullopt);
  co_return route::TableAnswer(value_);
}

Task<std::vector<std::string>> MemorySasl::mechanisms(const session::SaslContext&) {
  std::vector<std::string> names;
  names.emplace_back("PLAIN");
  names.emplace_back("LOGIN");
  co_return names;
}

namespace {

SaslResult verdict(const std::string& name, const std::string& password) {
  SaslResult result(SaslResult::Kind::refused);
  if (name == "later") result.kind = SaslResult::Kind::unavailable;
  if (name == "ann" && password == "secret") result.kind = SaslResult::Kind::ok;
  result.user = name;
  return result;
}

SaslResult challenge(std::string words) {
  SaslResult result(SaslResult::Kind::challenge);
  result.data = std::move(words);
  return result;
}

}  // namespace

Task<SaslResult> MemorySasl::start(std::string mechanism, std::optional<std::string> initial,
                                   const session::SaslContext&) {
  mechanism_ = std::move(mechanism);
  named_ = false;
  if (!initial) co_return challenge(mechanism_ == "LOGIN" ? "Username:" : "");
  auto result = co_await step(std::move(*initial));
  co_return result;
}

Task<SaslResult> MemorySasl::step(std::string response) {
  if (mechanism_ == "LOGIN") {
    if (named_) co_return verdict(name_, response);
    named_ = true;
    name_ = std::move(response);
    co_return challenge("Password:");
  }
  const auto parts = split(response, '\0');
  if (parts.size() != 3) co_return SaslResult(SaslResult::Kind::malformed);
  co_return verdict(std::string(parts[1]), std::string(parts[2]));
}

void MemorySasl::cancel() {
  mechanism_.clear();
}

Task<Reply> LmtpHandler::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  envelope.id = intake_.next_id();
  transaction_ = intake_.begin(session);
  Reply reply = co_await transaction_->mail(envelope);
  co_return reply;
}

Task<Reply> LmtpHandler::on_rcpt(const smtp::Envelope&, smtp::Recipient& recipient,
                                 const smtp::SessionInfo&) {
  const bool refused = recipient.mailbox.local_part.starts_with("no");
  co_return refused ? smtp::reply::no_such_user : smtp::reply::rcpt_ok;
}

Task<Reply> LmtpHandler::on_data(const smtp::Envelope&, const smtp::SessionInfo&) {
  Reply reply = co_await transaction_->data();
  co_return reply;
}

Task<Reply> LmtpHandler::on_body(std::string_view octets) {
  Reply reply = co_await transaction_->write(octets);
  co_return reply;
}

Task<std::vector<Reply>> LmtpHandler::on_message_end(smtp::Envelope& envelope,
                                                     const smtp::SessionInfo&) {
  const Reply taken = co_await transaction_->finish(envelope);
  transaction_.reset();
  std::vector<Reply> replies;
  for (const smtp::Recipient& recipient : envelope.recipients) {
    const bool late = recipient.mailbox.local_part.starts_with("late");
    replies.push_back(late ? smtp::reply::try_later : taken);
  }
  co_return replies;
}

Task<void> LmtpHandler::on_reset() {
  transaction_.reset();
  co_return;
}

Certificates::Certificates() {
  const auto ca = tls::make_ca("transcripts");
  check(ca.has_value(), "a CA can be made");
  const auto issued = tls::issue(*ca, {"mx.example.org"});
  check(issued.has_value(), "a certificate can be made");
  const auto write = [this](const char* name, const std::string& text) {
    folder_.write(name, text);
    return folder_.path(name);
  };
  tls::ServerContext::Options ours;
  ours.certificate_file = write("cert.pem", issued->certificate_pem);
  ours.key_file = write("key.pem", issued->key_pem);
  server = *tls::ServerContext::load(ours);
  tls::ClientContext::Options theirs;
  theirs.verify = tls::ClientContext::Verify::require;
  theirs.ca_file = write("ca.pem", ca->certificate_pem);
  client = *tls::ClientContext::load(theirs);
}

}  // namespace posthorn::test
