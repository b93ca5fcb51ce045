#include "agents/deliverd/session.h"

#include "agents/deliverd/mailbox_delivery.h"
#include "libmail/async/files.h"
#include "libmail/smtp/replies.h"

namespace posthorn::deliverd {

using async::Task;
using smtp::Reply;

namespace {

constexpr std::string_view recipients_metric = "posthorn_deliverd_recipients_total";
constexpr std::string_view recipients_help = "recipients by what became of their copy";

}  // namespace

Counters::Counters(service::Metrics& metrics)
    : delivered(metrics.counter(recipients_metric, recipients_help, "result=\"delivered\"")),
      deferred(metrics.counter(recipients_metric, recipients_help, "result=\"deferred\"")),
      refused(metrics.counter(recipients_metric, recipients_help, "result=\"refused\"")),
      octets(metrics.counter("posthorn_deliverd_octets_total", "octets of delivered copies")) {}

Task<Reply> Session::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo&) {
  envelope.arrival = wall_now();
  envelope.id = services_.ids.next(envelope.arrival).str();
  if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
  trace_id_ = envelope.trace_id;
  targets_.clear();
  body_ = store::ContentWriter();
  header_.clear();
  co_return smtp::reply::mail_ok;
}

Task<Reply> Session::on_rcpt(const smtp::Envelope&, smtp::Recipient& recipient,
                             const smtp::SessionInfo&) {
  smtp::Mailbox mailbox = recipient.mailbox;
  auto target = co_await services_.delivery.find(std::move(mailbox));
  if (!target) {
    const Reply& why = target.error();
    (why.permanent() ? services_.counters.refused : services_.counters.deferred).add();
    co_return why;
  }
  targets_.push_back(std::move(*target));
  co_return smtp::reply::rcpt_ok;
}

Task<Reply> Session::on_data(const smtp::Envelope&, const smtp::SessionInfo&) {
  co_return smtp::reply::start_body;
}

Task<Reply> Session::on_body(std::string_view octets) {
  body_.append(octets);
  if (!body_.wants_spill()) co_return smtp::reply::ok;
  Reply reply = co_await spill();
  co_return reply;
}

Task<Reply> Session::spill() {
  if (header_.empty()) header_ = body_.in_memory().substr(0, header_limit);
  auto work = [this]() -> store::StoreResult<void> {
    auto directory = services_.files.open_directory(rules_->spool);
    if (!directory) return fail(store::StoreError(directory.error()));
    return body_.spill(**directory);
  };
  auto done = co_await async::blocking(std::move(work));
  if (done) co_return smtp::reply::ok;
  services_.log.error(trace_id_, "spool-failed",
                      {{"directory", rules_->spool}, {"why", done.error().text}});
  co_return reply_for(done.error());
}

Task<Result<void, Reply>> Session::end_body(Letter& letter) {
  if (!body_.end_text()) {
    Reply spilled = co_await spill();
    if (spilled.negative()) co_return fail(std::move(spilled));
  }
  letter.content = std::make_shared<const store::Content>(body_.finish());
  letter.header = header_of(header_.empty() ? letter.content->in_memory() : header_);
  co_return Result<void, Reply>();
}

Task<std::vector<Reply>> Session::on_message_end(smtp::Envelope& envelope,
                                                 const smtp::SessionInfo& session) {
  const std::vector<Target> targets = std::move(targets_);
  Letter letter(envelope, session);
  const auto ended = co_await end_body(letter);
  if (!ended) co_return std::vector<Reply>(envelope.recipients.size(), ended.error());

  std::vector<Outcome> outcomes = co_await services_.delivery.deliver(letter, targets);
  const auto reported =
      co_await report_deliveries(letter, outcomes, rules_->hostname, services_.reports);
  if (!reported) {
    services_.log.error(envelope.trace_id, "report-failed",
                        {{"id", envelope.id}, {"why", reported.error()}});
  }
  std::vector<Reply> replies;
  replies.reserve(outcomes.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    log_outcome(letter, i, targets, outcomes[i]);
    replies.push_back(std::move(outcomes[i].reply));
  }
  co_return replies;
}

void Session::log_outcome(const Letter& letter, std::size_t recipient,
                          const std::vector<Target>& targets, const Outcome& outcome) {
  const smtp::Envelope& envelope = letter.envelope;
  const std::string rcpt = smtp::format_mailbox(envelope.recipients[recipient].mailbox);
  const Duration delay = wall_now() - envelope.arrival;
  if (outcome.reply.positive()) {
    services_.counters.delivered.add();
    services_.counters.octets.add(letter.content->size());
    services_.log.info(envelope.trace_id, "delivered",
                       {{"id", envelope.id},
                        {"rcpt", rcpt},
                        {"user", targets[recipient].user},
                        {"path", outcome.where},
                        {"size", letter.content->size()},
                        {"delay", delay}});
    return;
  }
  const bool permanent = outcome.reply.permanent();
  (permanent ? services_.counters.refused : services_.counters.deferred).add();
  services_.log.write(permanent ? service::Level::info : service::Level::warning, envelope.trace_id,
                      permanent ? "not-delivered" : "deferred",
                      {{"id", envelope.id},
                       {"rcpt", rcpt},
                       {"user", targets[recipient].user},
                       {"code", outcome.reply.code},
                       {"dsn", outcome.reply.status.text()},
                       {"reply", outcome.reply.text},
                       {"why", outcome.why},
                       {"delay", delay}});
}

Task<void> Session::on_reset() {
  targets_.clear();
  body_ = store::ContentWriter();
  header_.clear();
  co_return;
}

}  // namespace posthorn::deliverd
