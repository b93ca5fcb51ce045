#include "libmail/session/next_hop_intake.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/async/loop.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using smtp::Reply;
using smtp::Status;

namespace {

// 421 means "I am closing", and we are not.
Reply reply_from(const Status& status, int code) {
  if (code == 421 || code == 0) return smtp::to_reply(status);
  return smtp::to_reply(status, code);
}

// What keeps us from the next hop is our trouble, whatever it says: a greeting that refuses us for good must not
// bounce mail.
Reply unreachable(Status status) {
  status.status_class = smtp::StatusClass::transient;
  status.enhanced.status_class = 4;
  return smtp::to_reply(status);
}

// A program of this machine is our own traffic.
service::ProxyHeader proxied(const smtp::SessionInfo& session) {
  const smtp::Client& client = session.client;
  if (client.local) return {};
  return service::make_proxy_header(client.address, client.port, session.server_address,
                                    session.server_port);
}

}  // namespace

Reply merge_verdicts(const std::vector<Verdict>& verdicts) {
  const auto is_class = [](smtp::StatusClass wanted) {
    return [wanted](const Verdict& verdict) { return verdict.status.status_class == wanted; };
  };
  const auto transient =
      std::find_if(verdicts.begin(), verdicts.end(), is_class(smtp::StatusClass::transient));
  if (transient != verdicts.end()) return reply_from(transient->status, transient->code);
  const bool any_success =
      std::any_of(verdicts.begin(), verdicts.end(), is_class(smtp::StatusClass::success));
  const bool any_failure =
      std::any_of(verdicts.begin(), verdicts.end(), is_class(smtp::StatusClass::permanent));
  if (!any_success || !any_failure) {
    return reply_from(verdicts.front().status, verdicts.front().code);
  }

  std::string text;
  std::size_t refused = 0;
  for (const Verdict& verdict : verdicts) {
    if (verdict.status.succeeded()) continue;
    ++refused;
    text += fmt::format("\n<{}>: {} {}", verdict.name, verdict.status.enhanced.text(),
                        verdict.status.text);
  }
  const std::string summary =
      fmt::format("Delivered to {} of {} recipients, refused for {}:", verdicts.size() - refused,
                  verdicts.size(), refused);
  return {554, smtp::EnhancedStatus(5, 3, 0), summary + text};
}

class NextHopTransaction final : public IntakeTransaction {
 public:
  NextHopTransaction(NextHopIntake& intake, const smtp::SessionInfo& session)
      : intake_(intake), session_(session) {}

  Task<Reply> mail(const smtp::Envelope& envelope) override;
  Task<Reply> rcpt(const smtp::Recipient& recipient) override;
  Task<Reply> data() override;
  Task<Reply> write(std::string_view octets) override;
  Task<Reply> finish(const smtp::Envelope& envelope) override;
  Task<void> abort() override;

 private:
  Task<Reply> take_results();
  void note_trouble(const Status& status);

  NextHopIntake& intake_;
  const smtp::SessionInfo& session_;
  std::unique_ptr<SmtpClient> client_;
  std::string trace_id_;
  std::vector<std::string>
      names_;  // of all recipients that were tried, as the client's indices have them
};

Task<Reply> NextHopTransaction::mail(const smtp::Envelope& envelope) {
  trace_id_ = envelope.trace_id;
  SmtpClientOptions options = intake_.options_;
  options.preamble = service::format_proxy(intake_.proxy_, proxied(session_));
  client_ = intake_.take(options.preamble);
  const bool kept = client_ != nullptr;
  if (!kept) client_ = std::make_unique<SmtpClient>(intake_.hop_, std::move(options));
  if (kept) {
    const Status status = co_await client_->mail(envelope, Deadline::never());
    if (!client_->given_up_while_idle()) co_return reply_from(status, client_->core().mail_code());
  }
  const auto opened = co_await client_->open(Deadline::never());
  if (!opened) {
    note_trouble(opened.error());
    co_return unreachable(opened.error());
  }
  const Status status = co_await client_->mail(envelope, Deadline::never());
  if (client_->given_up_while_idle()) note_trouble(status);
  co_return reply_from(status, client_->core().mail_code());
}

Task<Reply> NextHopTransaction::rcpt(const smtp::Recipient& recipient) {
  const std::size_t index = client_->core().rcpt_count();
  names_.push_back(smtp::format_mailbox(recipient.mailbox));
  if (client_->core().phase() == smtp::ClientCore::Phase::closed) {
    names_.pop_back();
    co_return unreachable(client_->core().trouble());
  }
  const Status status = co_await client_->rcpt(recipient, Deadline::never());
  co_return reply_from(status, client_->core().rcpt_code(index));
}

Task<Reply> NextHopTransaction::data() {
  const bool begun = co_await client_->begin_body(Deadline::never());
  if (begun) co_return Reply(354, "End data with <CRLF>.<CRLF>");
  Reply reply = co_await take_results();
  co_return reply;
}

Task<Reply> NextHopTransaction::write(std::string_view octets) {
  const bool wanted = co_await client_->body(octets, Deadline::never());
  if (wanted) co_return Reply(250, "OK");
  Reply reply = co_await take_results();
  co_return reply;
}

Task<Reply> NextHopTransaction::finish(const smtp::Envelope&) {
  Reply reply = co_await take_results();
  co_return reply;
}

// What became of those whom the next hop had accepted, as one reply.
Task<Reply> NextHopTransaction::take_results() {
  std::vector<bool> accepted;
  for (std::size_t i = 0; i < client_->core().rcpt_count(); ++i) {
    const auto& status = client_->core().rcpt_status(i);
    accepted.push_back(status && status->succeeded());
  }
  const std::vector<Status> all = co_await client_->finish(Deadline::never());
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (accepted[i]) verdicts.emplace_back(all[i], client_->core().final_code(i), names_[i]);
  }
  Reply reply(451, smtp::EnhancedStatus(4, 3, 0), "The next hop has accepted nobody");
  if (client_->core().phase() == smtp::ClientCore::Phase::closed)
    note_trouble(client_->core().trouble());
  if (!verdicts.empty()) reply = merge_verdicts(verdicts);
  intake_.give_back(std::move(client_));
  co_return reply;
}

Task<void> NextHopTransaction::abort() {
  if (client_ == nullptr) co_return;
  client_->reset();
  intake_.give_back(std::move(client_));
}

void NextHopTransaction::note_trouble(const Status& status) {
  intake_.log_.warning(
      trace_id_, "next-hop-trouble",
      {{"next-hop", intake_.hop_.text()}, {"dsn", status.enhanced.text()}, {"why", status.text}});
}

NextHopIntake::NextHopIntake(NextHop hop, SmtpClientOptions options, service::ProxyVersion proxy,
                             NextHopLimits limits, service::Log& log)
    : hop_(std::move(hop)),
      options_(std::move(options)),
      proxy_(proxy),
      limits_(limits),
      log_(log) {}

NextHopIntake::~NextHopIntake() = default;

std::string NextHopIntake::next_id() {
  return ids_.next(wall_now()).str();
}

std::unique_ptr<IntakeTransaction> NextHopIntake::begin(const smtp::SessionInfo& session) {
  return std::make_unique<NextHopTransaction>(*this, session);
}

Task<void> NextHopIntake::stop() {
  timer_.clear();
  while (!idle_.empty()) {
    const std::unique_ptr<SmtpClient> client = std::move(idle_.back().client);
    idle_.pop_back();
    co_await client->quit(Deadline::in(std::chrono::seconds(1)));
  }
}

std::unique_ptr<SmtpClient> NextHopIntake::take(const std::string& preamble) {
  for (std::size_t i = idle_.size(); i > 0; --i) {
    const auto place = idle_.begin() + static_cast<std::ptrdiff_t>(i - 1);
    if (place->client->preamble() != preamble) continue;
    std::unique_ptr<SmtpClient> client = std::move(place->client);
    idle_.erase(place);
    if (client->connected()) return client;
  }
  return nullptr;
}

void NextHopIntake::give_back(std::unique_ptr<SmtpClient> client) {
  if (!client->connected() || limits_.idle_connections == 0) return;
  if (idle_.size() >= limits_.idle_connections) idle_.pop_front();
  idle_.emplace_back(std::move(client), async::Loop::current().now());
  if (!timer_.is_set()) timer_.set(Deadline::in(limits_.idle_time), [this] { drop_old(); });
}

void NextHopIntake::drop_old() {
  const MonoTime limit = async::Loop::current().now() - limits_.idle_time;
  while (!idle_.empty() && idle_.front().since <= limit) idle_.pop_front();
  if (idle_.empty()) return;
  timer_.set(Deadline::at(idle_.front().since + limits_.idle_time), [this] { drop_old(); });
}

}  // namespace posthorn::session
