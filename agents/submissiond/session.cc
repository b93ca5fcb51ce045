#include "agents/submissiond/session.h"

#include <utility>

#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/message/message_id.h"
#include "libmail/smtp/replies.h"

namespace posthorn::submissiond {

using async::Task;
using smtp::Reply;

namespace {

Reply problem_reply(const message::Problem& problem) {
  return {554, {5, 6, 0}, problem.reply_text()};
}

Reply not_your_address(const std::string& user) {
  return {553, {5, 7, 1}, "Sender address is not one of " + printable(user, 200)};
}

}  // namespace

Counters::Counters(service::Metrics& metrics)
    : messages(metrics.counter("posthorn_submissiond_messages_total",
                               "messages that were taken or refused", "result=\"taken\"")),
      octets(metrics.counter("posthorn_submissiond_octets_total",
                             "octets of messages that were taken")),
      recipients(metrics.counter("posthorn_submissiond_recipients_total",
                                 "recipients that were taken or refused", "result=\"taken\"")),
      messages_refused(metrics.counter("posthorn_submissiond_messages_total",
                                       "messages that were taken or refused",
                                       "result=\"refused\"")),
      recipients_refused(metrics.counter("posthorn_submissiond_recipients_total",
                                         "recipients that were taken or refused",
                                         "result=\"refused\"")),
      senders_refused(metrics.counter("posthorn_submissiond_senders_refused_total",
                                      "senders that the user does not own")) {}

// The login; without one, the user behind a Unix socket, unless XCLIENT has named another; "" for a stranger.
std::string Session::who(const smtp::SessionInfo& session) const {
  if (!session.user.empty()) return session.user;
  return session.client.local ? local_.name : std::string();
}

bool Session::is_trusted(const std::string& user, const smtp::SessionInfo& session) const {
  if (session.user.empty() && session.client.local && local_.is_root) return true;
  return policy_->trusted_users.contains(lower(user));
}

Task<Reply> Session::check_sender(const smtp::Envelope& envelope, std::string user) {
  smtp::Mailbox sender = *envelope.reverse_path;
  const route::Ownership owns = co_await services_.resolver.owns(user, std::move(sender));
  switch (owns.kind) {
    case route::Ownership::Kind::owner:
      co_return smtp::reply::mail_ok;
    case route::Ownership::Kind::unavailable:
      services_.log.warning(envelope.trace_id, "look-up-failed", {{"why", owns.why}});
      co_return smtp::reply::try_later;
    case route::Ownership::Kind::stranger:
      break;
  }
  const std::string from = smtp::format_path(envelope.reverse_path);
  services_.log.info(envelope.trace_id, "sender-refused", {{"user", user}, {"from", from}});
  services_.counters.senders_refused.add();
  co_return not_your_address(user);
}

Task<Reply> Session::on_connect(const smtp::SessionInfo& session) {
  return gates_->connect(session);
}

Task<Reply> Session::on_hello(const smtp::SessionInfo& session) {
  return gates_->hello(session);
}

Task<Reply> Session::on_mail(smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  const std::string user = who(session);
  if (user.empty()) co_return smtp::reply::auth_required;
  envelope.id = services_.intake.next_id();
  if (envelope.trace_id.empty()) envelope.trace_id = envelope.id;
  envelope.arrival = wall_now();
  envelope.user = user;
  if (envelope.reverse_path && !is_trusted(user, session)) {
    Reply checked = co_await check_sender(envelope, user);
    if (checked.negative()) co_return checked;
  }
  Reply reply = co_await gates_->mail(envelope, session, transaction_);
  co_return reply;
}

// Any domain; of ours, only who exists.
Task<Reply> Session::on_rcpt(const smtp::Envelope& envelope, smtp::Recipient& recipient,
                             const smtp::SessionInfo& session) {
  smtp::Mailbox asked = recipient.mailbox;
  const route::Verdict verdict = co_await services_.resolver.resolve(std::move(asked));
  if (!verdict.is_ours() && verdict.kind != route::Verdict::Kind::remote) {
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
  message::Stamp stamp;
  stamp.date = format_rfc5322_date(envelope.arrival);
  stamp.message_id = message::make_message_id(envelope.arrival, random_u64(), policy_->hostname);
  filter_.emplace(std::move(stamp), policy_->message);
  received_ = smtp::ReceivedCounter();
  written_ = 0;
  smtp::Trace trace;
  trace.by = policy_->hostname;
  trace.id = envelope.id;
  trace.time = envelope.arrival;
  trace.hide_client = policy_->hide_client;
  if (envelope.recipients.size() == 1) {
    trace.rcpt = smtp::format_mailbox(envelope.recipients.front().mailbox);
  }
  const std::string field = gates_->prepended() + smtp::format_received(session, envelope, trace);
  written_ += field.size();
  Reply written = co_await transaction_->write(field);
  if (written.negative()) co_return written;
  co_return reply;
}

Task<Reply> Session::pass_on(std::string_view octets) {
  if (octets.empty()) co_return smtp::reply::ok;
  written_ += octets.size();
  Reply reply = co_await transaction_->write(octets);
  co_return reply;
}

Task<Reply> Session::on_body(std::string_view octets) {
  if (filter_->in_body()) {
    Reply reply = co_await pass_on(octets);
    co_return reply;
  }
  received_.feed(octets);
  if (received_.count() > policy_->max_received) co_return smtp::reply::routing_loop;
  passing_.clear();
  filter_->feed(octets, passing_);
  if (filter_->problem()) co_return problem_reply(*filter_->problem());
  Reply reply = co_await pass_on(passing_);
  co_return reply;
}

// The last octets, and the intake's word. A negative reply before finish() leaves the transaction to be aborted.
Task<Reply> Session::end_message(smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                 session::IntakeTransaction& transaction) {
  passing_.clear();
  filter_->finish(passing_);
  Reply reply = smtp::reply::ok;
  if (filter_->problem()) {
    reply = problem_reply(*filter_->problem());
  } else if (!passing_.empty()) {
    written_ += passing_.size();
    reply = co_await transaction.write(passing_);
  }
  envelope.size = written_;
  if (reply.negative()) {
    co_await transaction.abort();
    co_return reply;
  }
  reply = co_await gates_->end(envelope, session, transaction);
  co_return reply;
}

Task<std::vector<Reply>> Session::on_message_end(smtp::Envelope& envelope,
                                                 const smtp::SessionInfo& session) {
  const std::unique_ptr<session::IntakeTransaction> transaction = std::move(transaction_);
  const Reply reply = co_await end_message(envelope, session, *transaction);
  filter_.reset();
  passing_ = {};
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
  const std::string protocol = smtp::with_keyword(session, envelope.smtputf8);
  services_.log.info(envelope.trace_id, outcome,
                     {{"id", envelope.id},
                      {"user", envelope.user},
                      {"from", from},
                      {"rcpts", envelope.recipients.size()},
                      {"size", envelope.size},
                      {"client", session.client.address},
                      {"helo", session.client.helo},
                      {"proto", protocol},
                      {"code", reply.code},
                      {"reply", reply.text}});
  std::vector<Reply> replies(1, reply);
  co_return replies;
}

Task<void> Session::on_reset() {
  co_await gates_->reset();
  if (filter_) {
    services_.counters.messages_refused.add();
    filter_.reset();
  }
  passing_ = {};
  const std::unique_ptr<session::IntakeTransaction> transaction = std::move(transaction_);
  if (transaction != nullptr) co_await transaction->abort();
}

bool Session::may_ask(const smtp::SessionInfo& session) const {
  return !who(session).empty() || policy_->local_networks.contains(session.client.address);
}

Task<Reply> Session::on_vrfy(std::string argument, const smtp::SessionInfo& session) {
  if (!may_ask(session)) co_return smtp::reply::cannot_vrfy;
  Reply reply = co_await services_.resolver.vrfy(std::move(argument));
  co_return reply;
}

Task<Reply> Session::on_expn(std::string argument, const smtp::SessionInfo& session) {
  if (!may_ask(session)) co_return smtp::reply::cannot_expn;
  Reply reply = co_await services_.resolver.expn(std::move(argument));
  co_return reply;
}

}  // namespace posthorn::submissiond
