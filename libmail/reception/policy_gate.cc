#include "libmail/reception/policy_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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
  return action ? std::string() : "expects an action such as DUNNO or 451 4.3.0 text, not " + text;
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
  auto endpoint = async::parse_endpoint(text);
  if (!endpoint) return fail(std::move(endpoint.error()));
  const bool inet = endpoint->kind == async::Endpoint::Kind::inet;
  if (!inet && endpoint->kind != async::Endpoint::Kind::unix_socket) {
    return fail("expected inet:HOST:PORT or unix:PATH, not " + printable(text, 80));
  }
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
                             service::Daemon& daemon)
    : options_(options),
      questions_(daemon.metrics().counter("posthorn_policy_questions_total",
                                          "questions to policy servers", "result=\"answered\"")),
      failures_(daemon.metrics().counter("posthorn_policy_questions_total",
                                         "questions to policy servers", "result=\"failed\"")) {
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

PolicyGate::PolicyGate(PolicyServers& servers, service::Log& log) : servers_(servers), log_(log) {
  if (servers_.all().empty()) return;
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

Task<Reply> PolicyGate::data(const smtp::Envelope& envelope, const smtp::SessionInfo& session) {
  PolicyQuestion question(PolicyStage::data, session, instance_);
  question.envelope = &envelope;
  return ask(question);
}

Task<Reply> PolicyGate::end_of_message(const smtp::Envelope& envelope,
                                       const smtp::SessionInfo& session) {
  PolicyQuestion question(PolicyStage::end_of_message, session, instance_);
  question.envelope = &envelope;
  return ask(question);
}

Task<Reply> PolicyGate::ask(PolicyQuestion question) {
  // What is said at RCPT of deferring is about this recipient, the rest about the message or the session.
  Marks here;
  const bool of_recipient = question.stage == PolicyStage::rcpt;
  Marks& lasting = question.stage < PolicyStage::mail ? session_ : message_;
  for (const PolicyServers::Server& server : servers_.all()) {
    const auto& stages = server.stages;
    if (std::find(stages.begin(), stages.end(), question.stage) == stages.end()) continue;
    PolicyAction action = co_await ask_one(server, question);
    const bool enough = action.kind == PolicyAction::Kind::ok;
    const std::optional<Reply> refusal = take(std::move(action), question, here);
    if (refusal) co_return soften(*refusal, here);
    if (enough) break;
  }
  lasting.discard = lasting.discard || here.discard;
  for (std::string& field : here.fields) {
    const auto& known = lasting.fields;
    // A server that says it for each of twenty recipients means it once.
    if (std::find(known.begin(), known.end(), field) == known.end())
      lasting.fields.push_back(field);
  }
  const std::optional<Reply> later = deferred(question.stage, here);
  if (later) co_return *later;
  if (!of_recipient) {
    if (here.defer_if_permit) lasting.defer_if_permit = here.defer_if_permit;
    if (here.defer_if_reject) lasting.defer_if_reject = here.defer_if_reject;
  }
  co_return smtp::reply::ok;
}

Task<PolicyAction> PolicyGate::ask_one(const PolicyServers::Server& server,
                                       const PolicyQuestion& question) {
  std::string request = session::format_policy_request(question);
  auto answer = co_await server.client->ask(std::move(request));
  std::string why;
  if (answer) {
    auto action = session::parse_policy_action(*answer);
    if (action) {
      servers_.count_question();
      co_return std::move(*action);
    }
    why = action.error();
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
      if (question.stage == PolicyStage::end_of_message) {
        log_.warning(id, "policy-too-late", {{"field", action.text}});
      } else {
        marks.fields.push_back(std::move(action.text));
      }
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
