// A message that passes the filters before it goes on. Its envelope goes on at once, so that the way's own refusals come
// in time; its octets wait.
#include <algorithm>
#include <utility>

#include "libmail/message/header_collector.h"
#include "libmail/reception/filter_gate.h"
#include "libmail/smtp/replies.h"

namespace posthorn::reception {

using async::Task;
using smtp::Reply;

namespace {

// The session has a limit of its own; this one is far beyond, and only keeps memory.
constexpr std::size_t header_limit = 64 << 20;
constexpr std::size_t piece = 64 << 10;

const Reply cannot_hold{451, {4, 7, 1}, "Message is to be held, and there is no queue to hold it"};

class FilteredTransaction final : public session::IntakeTransaction {
 public:
  FilteredTransaction(FilterGate& gate, session::Intake& intake)
      : gate_(gate),
        intake_(intake),
        way_(intake.begin()),
        header_(header_limit),
        body_(gate.filters().place.directory, gate.filters().place.in_memory) {}

  Task<Reply> mail(const smtp::Envelope& envelope) override { return way_->mail(envelope); }
  Task<Reply> rcpt(const smtp::Recipient& recipient) override { return way_->rcpt(recipient); }
  Task<Reply> data() override { co_return smtp::reply::start_body; }

  Task<Reply> write(std::string_view octets) override {
    octets.remove_prefix(header_.feed(octets));
    if (header_.state() == message::HeaderCollector::State::too_large) {
      co_return smtp::reply::header_too_large;
    }
    if (octets.empty()) co_return smtp::reply::ok;
    std::string rest(octets);
    auto written = co_await body_.write(std::move(rest));
    if (written) co_return smtp::reply::ok;
    co_return written.error().code == ENOSPC ? smtp::reply::no_storage : smtp::reply::try_later;
  }

  Task<Reply> finish(const smtp::Envelope& envelope) override {
    header_.finish();
    FilterGate::Message message(envelope, milter::HeaderEdit(header_.bytes()), std::move(body_));
    Reply reply = co_await gate_.judge(message);
    if (!reply.negative() && !message.envelope.hold_reason.empty() && !intake_.can_hold()) {
      reply = cannot_hold;
    }
    if (reply.negative() || gate_.discards()) {
      co_await way_->abort();
      co_return reply;
    }
    reply = co_await send_on(envelope, message);
    co_return reply;
  }

  Task<void> abort() override { return way_->abort(); }

 private:
  Task<Reply> send_on(const smtp::Envelope& before, FilterGate::Message& message) {
    const std::string header = message.header.text();
    message.envelope.size = header.size() + message.body.size();
    Reply reply = co_await say_envelope(before, message.envelope);
    if (!reply.negative()) reply = co_await way_->data();
    if (!reply.negative()) reply = co_await way_->write(header);
    std::uint64_t offset = 0;
    while (!reply.negative() && offset < message.body.size()) {
      auto octets = co_await message.body.read(offset, piece);
      if (!octets || octets->empty()) {
        reply = smtp::reply::try_later;
        break;
      }
      offset += octets->size();
      reply = co_await way_->write(*octets);
    }
    if (reply.negative()) {
      co_await way_->abort();
      co_return reply;
    }
    reply = co_await way_->finish(message.envelope);
    co_return reply;
  }

  // What the way doesn't know yet. It can't forget a recipient or a sender: then all is said again.
  Task<Reply> say_envelope(const smtp::Envelope& before, const smtp::Envelope& after) {
    const auto stays = [&after](const smtp::Recipient& each) {
      return std::find(after.recipients.begin(), after.recipients.end(), each) !=
             after.recipients.end();
    };
    const bool all_stay = std::all_of(before.recipients.begin(), before.recipients.end(), stays) &&
                          before.reverse_path == after.reverse_path && before.body == after.body &&
                          before.smtputf8 == after.smtputf8 && before.ret == after.ret &&
                          before.envid == after.envid;
    std::size_t first_new = before.recipients.size();
    Reply reply = smtp::reply::ok;
    if (!all_stay) {
      co_await way_->abort();
      way_ = intake_.begin();
      reply = co_await way_->mail(after);
      first_new = 0;
    }
    for (std::size_t i = first_new; i < after.recipients.size() && !reply.negative(); ++i) {
      reply = co_await way_->rcpt(after.recipients[i]);
    }
    co_return reply;
  }

  FilterGate& gate_;
  session::Intake& intake_;
  std::unique_ptr<session::IntakeTransaction> way_;
  message::HeaderCollector header_;
  HeldMessage body_;
};

class FilteredIntake final : public session::Intake {
 public:
  FilteredIntake(FilterGate& gate, session::Intake& way) : gate_(gate), way_(way) {}
  std::string next_id() override { return way_.next_id(); }
  std::unique_ptr<session::IntakeTransaction> begin() override {
    return std::make_unique<FilteredTransaction>(gate_, way_);
  }
  [[nodiscard]] bool can_hold() const override { return way_.can_hold(); }
  Task<void> stop() override { co_return; }  // `way` is somebody else's

 private:
  FilterGate& gate_;
  session::Intake& way_;
};

}  // namespace

session::Intake& FilterGate::intake() {
  if (links_.empty()) return way_;
  if (filtered_ == nullptr) filtered_ = std::make_unique<FilteredIntake>(*this, way_);
  return *filtered_;
}

}  // namespace posthorn::reception
