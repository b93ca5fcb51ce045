#include "libmail/reception/filtered_intake.h"

#include <algorithm>
#include <utility>

#include "libmail/filter/passing_message.h"
#include "libmail/smtp/replies.h"

namespace posthorn::reception {

using async::Task;
using smtp::Reply;

namespace {

class FilteredTransaction final : public session::IntakeTransaction {
 public:
  FilteredTransaction(filter::FilterGate& gate, session::Intake& intake,
                      const smtp::SessionInfo& session)
      : gate_(gate),
        intake_(intake),
        session_(session),
        way_(intake.begin(session)),
        message_(gate, milter::OurReceived::on_top) {}

  Task<Reply> mail(const smtp::Envelope& envelope) override { return way_->mail(envelope); }
  Task<Reply> rcpt(const smtp::Recipient& recipient) override { return way_->rcpt(recipient); }
  Task<Reply> data() override { co_return smtp::reply::start_body; }
  Task<Reply> write(std::string_view octets) override { return message_.write(octets); }

  Task<Reply> finish(const smtp::Envelope& envelope) override {
    smtp::Envelope wanted = envelope;
    const auto quarantine =
        intake_.can_hold() ? filter::Quarantine::possible : filter::Quarantine::refused;
    Reply reply = co_await message_.judge(wanted, quarantine);
    if (reply.negative() || gate_.discards()) {
      co_await way_->abort();
      co_return reply;
    }
    reply = co_await send_on(envelope, wanted);
    co_return reply;
  }

  Task<void> abort() override { return way_->abort(); }

 private:
  Task<Reply> send_on(const smtp::Envelope& before, const smtp::Envelope& after) {
    Reply reply = co_await say_envelope(before, after);
    if (!reply.negative()) reply = co_await way_->data();
    while (!reply.negative()) {
      const auto octets = co_await message_.next_piece();
      if (octets && octets->empty()) break;
      if (octets) {
        reply = co_await way_->write(*octets);
      } else {
        reply = smtp::reply::try_later;
      }
    }
    if (reply.negative()) {
      co_await way_->abort();
      co_return reply;
    }
    reply = co_await way_->finish(after);
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
      way_ = intake_.begin(session_);
      reply = co_await way_->mail(after);
      first_new = 0;
    }
    for (std::size_t i = first_new; i < after.recipients.size() && !reply.negative(); ++i) {
      reply = co_await way_->rcpt(after.recipients[i]);
    }
    co_return reply;
  }

  filter::FilterGate& gate_;
  session::Intake& intake_;
  const smtp::SessionInfo& session_;
  std::unique_ptr<session::IntakeTransaction> way_;
  filter::PassingMessage message_;
};

}  // namespace

std::unique_ptr<session::IntakeTransaction> FilteredIntake::begin(
    const smtp::SessionInfo& session) {
  if (gate_.is_open()) return way_.begin(session);
  return std::make_unique<FilteredTransaction>(gate_, way_, session);
}

}  // namespace posthorn::reception
