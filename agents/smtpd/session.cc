#include "agents/smtpd/session.h"

#include <utility>

namespace posthorn::smtpd {

using async::Task;
using smtp::Reply;

Counters::Counters(service::Metrics& metrics)
    : messages(metrics.counter("posthorn_smtpd_messages_total",
                               "messages that were taken or refused", "result=\"taken\"")),
      octets(metrics.counter("posthorn_smtpd_octets_total", "octets of messages that were taken")),
      recipients(metrics.counter("posthorn_smtpd_recipients_total",
                                 "recipients that were taken or refused", "result=\"taken\"")),
      messages_refused(metrics.counter("posthorn_smtpd_messages_total",
                                       "messages that were taken or refused",
                                       "result=\"refused\"")),
      recipients_refused(metrics.counter("posthorn_smtpd_recipients_total",
                                         "recipients that were taken or refused",
                                         "result=\"refused\"")) {}

Task<Reply> Session::on_connect(const smtp::SessionInfo& session) {
  return gates_->connect(session);
}

Task<Reply> Session::on_hello(const smtp::SessionInfo& session) {
  return gates_->hello(session);
}

Task<Reply> Session::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  envelope.id = services_.intake.next_id();
  if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
  envelope.arrival = wall_now();
  Reply reply = co_await gates_->mail(envelope, session, transaction_);
  co_return reply;
}

// Ours and there, or from a client that we relay for. Nothing else, whatever % or ! or route the address has in it.
Task<Reply> Session::on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                             const smtp::SessionInfo& session) {
  smtp::Mailbox asked = recipient.mailbox;
  const route::Verdict verdict = co_await services_.resolver.resolve(std::move(asked));
  const bool relayed = verdict.kind == route::Verdict::Kind::remote &&
                       policy_->relay_networks.contains(session.client.address);
  if (!verdict.is_ours() && !relayed) {
    if (verdict.kind == route::Verdict::Kind::unavailable) {
      services_.log.warning(envelope.trace_id, "look-up-failed", {{"why", verdict.why}});
    }
    services_.counters.recipients_refused.add();
    co_return verdict.reply();
  }
  // <Postmaster> travels with a domain from here on.
  if (recipient.mailbox.domain.empty()) {
    recipient.mailbox.domain = services_.resolver.canonical(recipient.mailbox).domain;
  }
  Reply reply = co_await gates_->rcpt(envelope, recipient, session, *transaction_);
  if (reply.negative()) services_.counters.recipients_refused.add();
  co_return reply;
}

Task<Reply> Session::on_data(const smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  Reply reply = co_await gates_->data(envelope, session, transaction_);
  if (reply.negative()) co_return reply;
  received_ = smtp::ReceivedCounter();
  body_begun_ = true;
  smtp::Trace trace;
  trace.by = policy_->hostname;
  trace.id = envelope.id;
  trace.time = envelope.arrival;
  if (envelope.recipients.size() == 1) {
    trace.rcpt = smtp::format_mailbox(envelope.recipients.front().mailbox);
  }
  const std::string field = gates_->prepended() + smtp::format_received(session, envelope, trace);
  const Reply written = co_await transaction_->write(field);
  co_return written.negative() ? written : reply;
}

Task<Reply> Session::on_body(std::string_view octets) {
  if (!received_.header_ended()) {
    received_.feed(octets);
    if (received_.count() > policy_->max_received) co_return smtp::reply::routing_loop;
    if (received_.header_octets() > policy_->max_header) co_return smtp::reply::header_too_large;
  }
  Reply reply = co_await transaction_->write(octets);
  co_return reply;
}

Task<std::vector<Reply>> Session::on_message_end(smtp::Envelope& envelope,
                                                 const smtp::SessionInfo& session) {
  const std::unique_ptr<session::IntakeTransaction> transaction = std::move(transaction_);
  body_begun_ = false;
  const Reply reply = co_await gates_->end(envelope, session, *transaction);
  if (reply.positive()) {
    services_.counters.messages.add();
    services_.counters.octets.add(envelope.size);
    services_.counters.recipients.add(envelope.recipients.size());
  } else {
    services_.counters.messages_refused.add();
  }
  const std::string from = smtp::format_path(envelope.reverse_path);
  const char* outcome = reply.positive() ? "taken" : "not-taken";
  if (reply.positive() && gates_->discards()) outcome = "discarded";
  gates_->message_ended();
  services_.log.info(envelope.trace_id, outcome,
                     {{"id", envelope.id},
                      {"from", from},
                      {"rcpts", envelope.recipients.size()},
                      {"size", envelope.size},
                      {"client", session.client.address},
                      {"helo", session.client.helo},
                      {"proto", smtp::with_keyword(session, envelope.smtputf8)},
                      {"code", reply.code},
                      {"reply", reply.text}});
  std::vector<Reply> replies(1, reply);
  co_return replies;
}

Task<void> Session::on_reset() {
  co_await gates_->reset();
  if (std::exchange(body_begun_, false)) services_.counters.messages_refused.add();
  const std::unique_ptr<session::IntakeTransaction> transaction = std::move(transaction_);
  if (transaction != nullptr) co_await transaction->abort();
}

bool Session::is_local(const smtp::Client& client) const {
  return client.local || policy_->local_networks.contains(client.address);
}

Task<Reply> Session::on_vrfy(std::string argument, const smtp::SessionInfo& session) {
  if (!is_local(session.client)) co_return smtp::reply::cannot_vrfy;
  Reply reply = co_await services_.resolver.vrfy(std::move(argument));
  co_return reply;
}

Task<Reply> Session::on_expn(std::string argument, const smtp::SessionInfo& session) {
  if (!is_local(session.client)) co_return smtp::reply::cannot_expn;
  Reply reply = co_await services_.resolver.expn(std::move(argument));
  co_return reply;
}

}  // namespace posthorn::smtpd
