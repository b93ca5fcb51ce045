#include "libmail/session/queue_intake.h"

#include <optional>
#include <utility>

#include "libmail/smtp/replies.h"

namespace posthorn::session {

using async::Task;
using smtp::Reply;

namespace {

// Octets are gathered into pieces of this size before the queue takes them over: each is copied once, and a client that
// sends a message octet by octet doesn't make a string of each.
constexpr std::size_t piece = 16 * 1024;

class QueueTransaction final : public IntakeTransaction {
 public:
  QueueTransaction(queue::Intake& intake, service::Log& log) : intake_(intake), log_(log) {}

  Task<Reply> mail(const smtp::Envelope& envelope) override {
    const auto id = queue::MessageId::parse(envelope.id);
    check(id.has_value(), "an envelope for the queue has an id of the queue");
    id_ = *id;
    co_return smtp::reply::mail_ok;
  }

  Task<Reply> rcpt(const smtp::Recipient&) override { co_return smtp::reply::rcpt_ok; }

  Task<Reply> data() override {
    incoming_.emplace(intake_.begin(id_));
    co_return smtp::reply::start_body;
  }

  Task<Reply> write(std::string_view octets) override {
    pending_.append(octets);
    if (pending_.size() < piece) co_return smtp::reply::ok;
    const bool written = co_await hand_over();
    if (written) co_return smtp::reply::ok;
    co_return to_reply(error_);
  }

  Task<Reply> finish(const smtp::Envelope& envelope) override {
    const bool written = co_await hand_over();
    if (written) {
      queue::Entry entry(envelope);
      entry.envelope.size = incoming_->size();
      auto committed = co_await incoming_->commit(std::move(entry));
      if (committed) {
        incoming_.reset();
        co_return Reply(250, {2, 0, 0}, "Queued as " + envelope.id);
      }
      note(committed.error());
    }
    incoming_.reset();
    co_return to_reply(error_);
  }

  Task<void> abort() override {
    incoming_.reset();
    pending_ = std::string();
    co_return;
  }

 private:
  Task<bool> hand_over() {
    if (pending_.empty()) co_return true;
    std::string chunk = std::exchange(pending_, std::string());
    auto taken = co_await incoming_->write(std::move(chunk));
    if (!taken) note(taken.error());
    co_return taken.has_value();
  }

  void note(const queue::CommitError& error) {
    error_ = error;
    log_.error(id_.text(), "queue-failed", {{"why", error.text()}});
  }

  queue::Intake& intake_;
  service::Log& log_;
  queue::MessageId id_;
  std::optional<queue::Incoming> incoming_;
  std::string pending_;
  queue::CommitError error_;
};

}  // namespace

Reply to_reply(const queue::CommitError& error) {
  switch (error.kind) {
    case queue::CommitError::Kind::no_space:
      return smtp::reply::no_storage;
    case queue::CommitError::Kind::io:
      return smtp::reply::try_later;
    case queue::CommitError::Kind::stopping:
      return smtp::reply::shutting_down;
    case queue::CommitError::Kind::too_large:
      return smtp::reply::envelope_too_large;
  }
  return smtp::reply::try_later;
}

QueueIntake::QueueIntake(queue::Files& files, queue::Layout layout, queue::Limits limits,
                         service::Log& log)
    : intake_(files, std::move(layout), limits), log_(log) {}

std::unique_ptr<IntakeTransaction> QueueIntake::begin(const smtp::SessionInfo&) {
  return std::make_unique<QueueTransaction>(intake_, log_);
}

}  // namespace posthorn::session
