#include "libmail/reception/policy_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/smtp/replies.h"

namespace posthorn::reception {

using async::Task;
using session::PolicyAction;
using session::PolicyQuestion;
using session::PolicyStage;
using smtp::Reply;

namespace {

constexpr std::array<std::pair<std::string_view, PolicyStage>, 6> stage_names{{
    {"connect", PolicyStage::connect},
    {"helo", PolicyStage::hello},
    {"mail", PolicyStage::mail},
    {"rcpt", PolicyStage::rcpt},
    {"data", PolicyStage::data},
    {"end-of-message", PolicyStage::end_of_message},
}};

std::string server_problem(const std::string& text) {
  const auto server = parse_policy_server(text);
  return server ? std::string() : server.error();
}

std::string action_problem(const std::string& text) {
  const auto action = session::parse_policy_action(text);
  const bool fits = action && (action->kind == PolicyAction::Kind::dunno ||
                               action->kind == PolicyAction::Kind::refuse ||
                               action->kind == PolicyAction::Kind::defer_if_permit);
  return fits ? "" : "expects DUNNO, DEFER, REJECT or a reply such as 451 4.3.0 text, not " + text;
}

}  // namespace

Result<PolicyServerName, std::string> parse_policy_server(std::string_view text) {
  PolicyServerName server;
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    server.stages = {PolicyStage::rcpt};
  } else {
    for (const std::string_view word : split(text.substr(0, equals), ',')) {
      const auto* known = std::find_if(stage_names.begin(), stage_names.end(),
                                       [word](const auto& each) { return each.first == word; });
      if (known == stage_names.end()) {
        return fail("\"" + printable(word, 40) +
                    "\" is none of connect, helo, mail, rcpt, data, end-of-message");
      }
      server.stages.push_back(known->second);
    }
    text.remove_prefix(equals + 1);
  }
  auto endpoint = async::parse_server(text);
  if (!endpoint) return fail(std::move(endpoint.error()));
  server.endpoint = std::move(*endpoint);
  return server;
}

void PolicyOptions::describe(service::OptionTable& table) {
  table
      .add("policy", servers,
           "policy servers (Postfix's policy delegation), asked in this order: inet:HOST:PORT or "
           "unix:PATH at RCPT, or STAGE,STAGE=... with connect, helo, mail, rcpt, data, "
           "end-of-message")
      .unit("server")
      .at_start()
      .check_with(server_problem);
  table
      .add("policy-unavailable", when_unavailable,
           "the action in place of an answer that did not come: DUNNO takes the mail")
      .check_with(action_problem);
  table.add("policy-time", limits.answer_time, "for one answer of a policy server").at_start();
  table.add("policy-connections", limits.connections, "connections to one policy server at once")
      .between(1, 1000)
      .at_start();
}

PolicyServers::PolicyServers(const service::Site& site, const PolicyOptions& options,
                             service::Metrics& metrics, bool has_queue)
    : options_(options),
      has_queue_(has_queue),
      questions_(metrics.counter("posthorn_policy_questions_total", "questions to policy servers",
                                 "result=\"answered\"")),
      failures_(metrics.counter("posthorn_policy_questions_total", "questions to policy servers",
                                "result=\"failed\"")) {
  for (const std::string& text : options.servers) {
    auto name = parse_policy_server(text);
    if (!name) continue;  // the option's check has refused it
    Server& server = servers_.emplace_back();
    server.stages = std::move(name->stages);
    server.client = std::make_unique<session::PolicyClient>(
        service::endpoint_of(site, std::move(name->endpoint)), options.limits);
  }
}

PolicyAction PolicyServers::when_unavailable() const {
  auto action = session::parse_policy_action(options_.when_unavailable);
  return action ? std::move(*action) : PolicyAction();
}

void PolicyServers::close() {
  for (const Server& server : servers_) server.client->close();
}

PolicyGate::PolicyGate(PolicyServers& servers, const service::Networks& spared, service::Log& log)
    : servers_(servers), log_(log) {
  if (servers_.all().empty()) return;
  spared_ = spared;
  session_id_ = fmt::format("{:x}", random_u64());
  reset();
}

void PolicyGate::reset() {
  message_ = Marks();
  if (!session_id_.empty()) instance_ = fmt::format("{}.{}", session_id_, messages_++);
}

// Another client after XCLIENT: what was said of the last one is no news of this one.
Task<Reply> PolicyGate::connect(const smtp::SessionInfo& session) {
  session_ = Marks();
  reset();
  return ask(PolicyQuestion(PolicyStage::connect, session, instance_));
}

Task<Reply> PolicyGate::hello(const smtp::SessionInfo& session) {
  return ask(PolicyQuestion(PolicyStage::hello, session, instance_));
}

Task<Reply> PolicyGate::mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  reset();
  PolicyQuestion question(PolicyStage::mail, session, instance_);
  question.envelope = &envelope;
  return ask(question);
}

Task<Reply> PolicyGate::rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient,
                             const smtp::SessionInfo& session) {
  PolicyQuestion question(PolicyStage::rcpt, session, instance_);
  question.envelope = &envelope;
  question.recipient = &recipient;
  return ask(question);
}

Task<Reply> PolicyGate::data(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                             std::unique_ptr<session::IntakeTransaction>& transaction,
                             session::Intake& intake) {
  PolicyQuestion question(PolicyStage::data, session, instance_);
  question.envelope = &envelope;
  Reply reply = co_await ask(question);
  if (reply.negative()) co_return reply;
  reply = co_await readdress(envelope, session, transaction, intake);
  if (reply.negative()) {
    log_.warning(envelope.trace_id, "policy-recipient-refused",
                 {{"code", reply.code}, {"why", reply.text}});
    co_return smtp::reply::try_later;
  }
  reply = co_await transaction->data();
  co_return reply;
}

// A next hop has heard the recipients by now: for others the transaction begins anew.
Task<Reply> PolicyGate::readdress(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                                  std::unique_ptr<session::IntakeTransaction>& transaction,
                                  session::Intake& intake) {
  Reply reply = smtp::reply::ok;
  const std::optional<smtp::Mailbox>& redirect =
      message_.redirect ? message_.redirect : session_.redirect;
  if (redirect) {
    co_await transaction->abort();
    transaction = intake.begin(session);
    reply = co_await transaction->mail(envelope);
    const smtp::Recipient recipient(*redirect);
    if (!reply.negative()) reply = co_await transaction->rcpt(recipient);
  }
  for (const Marks* each : {&session_, &message_}) {
    for (const smtp::Mailbox& mailbox : each->bcc) {
      if (reply.negative()) co_return reply;
      smtp::Recipient recipient(mailbox);
      recipient.notify = smtp::Notify(smtp::Notify::never);
      reply = co_await transaction->rcpt(recipient);
    }
  }
  co_return reply;
}

Task<Reply> PolicyGate::end(smtp::Envelope& envelope, const smtp::SessionInfo& session,
                            session::IntakeTransaction& transaction) {
  PolicyQuestion question(PolicyStage::end_of_message, session, instance_);
  question.envelope = &envelope;
  Reply reply = co_await ask(question);
  if (reply.negative() || discards()) {
    co_await transaction.abort();
    co_return reply;
  }
  for (const Marks* each : {&session_, &message_}) {
    if (each->redirect) envelope.recipients.assign(1, smtp::Recipient(*each->redirect));
    if (!each->hold.empty()) envelope.hold_reason = each->hold;
  }
  for (const Marks* each : {&session_, &message_}) {
    for (const smtp::Mailbox& mailbox : each->bcc) {
      smtp::Recipient& recipient = envelope.recipients.emplace_back(mailbox);
      recipient.notify = smtp::Notify(smtp::Notify::never);
    }
  }
  reply = co_await transaction.finish(envelope);
  co_return reply;
}

Task<Reply> PolicyGate::ask(PolicyQuestion question) {
  if (spared_.contains(question.session.client.address)) co_return smtp::reply::ok;
  Marks here;
  for (const PolicyServers::Server& server : servers_.all()) {
    const auto& stages = server.stages;
    if (std::find(stages.begin(), stages.end(), question.stage) == stages.end()) continue;
    PolicyAction action = co_await ask_one(server, question);
    const bool enough = action.kind == PolicyAction::Kind::ok;
    const std::optional<Reply> refusal = take(std::move(action), question, here);
    if (refusal) co_return soften(*refusal, here);
    if (enough) break;
  }
  remember(here, question.stage);
  const std::optional<Reply> later = deferred(question.stage, here);
  co_return later ? *later : smtp::reply::ok;
}

// What lasts longer than this question: until the message ends, or the session.
void PolicyGate::remember(const Marks& here, PolicyStage stage) {
  Marks& lasting = stage < PolicyStage::mail ? session_ : message_;
  lasting.discard = lasting.discard || here.discard;
  if (here.redirect) lasting.redirect = here.redirect;
  if (!here.hold.empty()) lasting.hold = here.hold;
  // A server that says it for each of twenty recipients means it once.
  const auto add_new = [](auto& known, const auto& more) {
    for (const auto& each : more) {
      if (std::find(known.begin(), known.end(), each) == known.end()) known.push_back(each);
    }
  };
  add_new(lasting.fields, here.fields);
  add_new(lasting.bcc, here.bcc);
  // What is said at RCPT of deferring is about this recipient.
  if (stage == PolicyStage::rcpt) return;
  if (here.defer_if_permit) lasting.defer_if_permit = here.defer_if_permit;
  if (here.defer_if_reject) lasting.defer_if_reject = here.defer_if_reject;
}

Task<PolicyAction> PolicyGate::ask_one(const PolicyServers::Server& server,
                                       const PolicyQuestion& question) {
  std::string request = session::format_policy_request(question);
  auto answer = co_await server.client->ask(std::move(request));
  std::string why;
  if (answer) {
    auto action = session::parse_policy_action(*answer);
    why = action ? std::string(obstacle(action->kind, question.stage)) : action.error();
    if (why.empty()) {
      servers_.count_question();
      co_return std::move(*action);
    }
  } else {
    why = answer.error();
  }
  servers_.count_failure();
  const std::string id = question.envelope != nullptr ? question.envelope->trace_id : "-";
  log_.warning(id, "policy-failed", {{"server", server.client->name()}, {"why", why}});
  co_return servers_.when_unavailable();
}

std::optional<Reply> PolicyGate::take(PolicyAction action, const PolicyQuestion& question,
                                      Marks& marks) {
  const std::string id = question.envelope != nullptr ? question.envelope->trace_id : "-";
  switch (action.kind) {
    case PolicyAction::Kind::dunno:
    case PolicyAction::Kind::ok:
      break;
    case PolicyAction::Kind::refuse:
      return std::move(action.reply);
    case PolicyAction::Kind::defer_if_permit:
      if (!marks.defer_if_permit) marks.defer_if_permit = std::move(action.reply);
      break;
    case PolicyAction::Kind::defer_if_reject:
      if (!marks.defer_if_reject) marks.defer_if_reject = std::move(action.reply);
      break;
    case PolicyAction::Kind::discard:
      log_.info(id, "policy-discards", {{"why", action.text}});
      marks.discard = true;
      break;
    case PolicyAction::Kind::prepend:
      marks.fields.push_back(std::move(action.text));
      break;
    case PolicyAction::Kind::hold:
      log_.info(id, "policy-holds", {{"why", action.text}});
      marks.hold = std::move(action.text);
      break;
    case PolicyAction::Kind::redirect:
      log_.info(id, "policy-redirects", {{"to", smtp::format_mailbox(action.address)}});
      marks.redirect = std::move(action.address);
      break;
    case PolicyAction::Kind::bcc:
      log_.info(id, "policy-copies", {{"to", smtp::format_mailbox(action.address)}});
      marks.bcc.push_back(std::move(action.address));
      break;
    case PolicyAction::Kind::warn:
      log_.warning(id, "policy-warns",
                   {{"client", question.session.client.address}, {"text", action.text}});
      break;
    case PolicyAction::Kind::info:
      log_.info(id, "policy-says",
                {{"client", question.session.client.address}, {"text", action.text}});
      break;
  }
  return std::nullopt;
}

std::string_view PolicyGate::obstacle(PolicyAction::Kind kind, PolicyStage stage) const {
  const bool at_end = stage == PolicyStage::end_of_message;
  switch (kind) {
    case PolicyAction::Kind::prepend:
      return at_end ? "PREPEND comes too late behind the message" : "";
    case PolicyAction::Kind::hold:
      return servers_.has_queue() ? "" : "HOLD needs a queue, and this goes to the next hop";
    case PolicyAction::Kind::redirect:
    case PolicyAction::Kind::bcc:
      return at_end && !servers_.has_queue() ? "the next hop has heard the recipients already" : "";
    default:
      return "";
  }
}

Reply PolicyGate::soften(Reply refusal, const Marks& marks) const {
  if (!refusal.permanent()) return refusal;
  for (const Marks* each : {&marks, &message_, &session_}) {
    if (each->defer_if_reject) return *each->defer_if_reject;
  }
  return refusal;
}

// DEFER_IF_PERMIT is due where everything else permits: at RCPT, or at once if it is said later.
std::optional<Reply> PolicyGate::deferred(PolicyStage stage, const Marks& marks) const {
  if (stage < PolicyStage::rcpt) return std::nullopt;
  for (const Marks* each : {&marks, &message_, &session_}) {
    if (each->defer_if_permit) return each->defer_if_permit;
  }
  return std::nullopt;
}

std::string PolicyGate::prepended() const {
  std::string text;
  for (const Marks* each : {&session_, &message_}) {
    for (const std::string& field : each->fields) text += field + "\r\n";
  }
  return text;
}

}  // namespace posthorn::reception
