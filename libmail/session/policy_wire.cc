#include "libmail/session/policy_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::session {

namespace {

using smtp::Reply;

const Reply rejected{554, {5, 7, 1}, "Access denied"};
const Reply deferred{450, {4, 7, 1}, "Try again later"};
constexpr std::size_t max_text = 400;   // a reply stays one line
constexpr std::size_t max_field = 900;  // a line of a message has 998

class Request {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append("=");
    // One attribute is one line.
    for (const char c : value) text_ += c == '\n' || c == '\r' || c == '\0' ? '?' : c;
    text_ += '\n';
  }
  void add(std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); }
  [[nodiscard]] std::string end() { return std::move(text_.append("\n")); }

 private:
  std::string text_;
};

std::string_view state_name(PolicyStage stage, const smtp::SessionInfo& session) {
  switch (stage) {
    case PolicyStage::connect:
      return "CONNECT";
    case PolicyStage::hello:
      return session.extended ? "EHLO" : "HELO";
    case PolicyStage::mail:
      return "MAIL";
    case PolicyStage::rcpt:
      return "RCPT";
    case PolicyStage::data:
      return "DATA";
    case PolicyStage::end_of_message:
      return "END-OF-MESSAGE";
  }
  return "";
}

// An address as Postfix writes it here: without brackets, empty for the null one.
std::string path_text(const smtp::ReversePath& path) {
  return path ? smtp::format_mailbox(*path) : std::string();
}

void add_envelope(Request& request, const PolicyQuestion& question) {
  const bool whole = question.stage >= PolicyStage::data;
  const smtp::Envelope* envelope = question.envelope;
  request.add("queue_id", envelope != nullptr ? envelope->id : std::string());
  request.add("sender", envelope != nullptr ? path_text(envelope->reverse_path) : std::string());
  std::string recipient;
  if (question.recipient != nullptr) recipient = smtp::format_mailbox(question.recipient->mailbox);
  const std::size_t count = envelope != nullptr && whole ? envelope->recipients.size() : 0;
  if (count == 1) recipient = smtp::format_mailbox(envelope->recipients.front().mailbox);
  request.add("recipient", recipient);
  request.add("recipient_count", count);
}

// Who is not known has a name, as in Postfix; a program of this machine is at home.
void add_client(Request& request, const smtp::SessionInfo& session) {
  const smtp::Client& client = session.client;
  const std::string unknown = client.local ? "localhost" : "unknown";
  const std::string& name = client.name.empty() ? unknown : client.name;
  request.add("client_address", client.local ? std::string("127.0.0.1") : client.address);
  request.add("client_name", name);
  request.add("reverse_client_name", session.reverse_name.empty() ? name : session.reverse_name);
  request.add("client_port", client.port != 0 ? std::to_string(client.port) : std::string());
  request.add("server_address", session.server_address);
  request.add("server_port",
              session.server_port != 0 ? std::to_string(session.server_port) : std::string());
}

void add_security(Request& request, const PolicyQuestion& question) {
  const smtp::SessionInfo& session = question.session;
  const smtp::Envelope* envelope = question.envelope;
  const bool has_sender = envelope != nullptr && envelope->auth && *envelope->auth;
  const std::string& user =
      envelope != nullptr && !envelope->user.empty() ? envelope->user : session.user;
  request.add("sasl_method", session.mechanism);
  request.add("sasl_username", user);
  request.add("sasl_sender", has_sender ? path_text(*envelope->auth) : std::string());
  for (const std::string_view name :
       {"ccert_subject", "ccert_issuer", "ccert_fingerprint", "ccert_pubkey_fingerprint"}) {
    request.add(name, std::string_view());
  }
  request.add("encryption_protocol", session.tls ? session.tls->version : std::string());
  request.add("encryption_cipher", session.tls ? session.tls->cipher : std::string());
  request.add("encryption_keysize",
              static_cast<std::uint64_t>(session.tls ? session.tls->bits : 0));
}

// A reply of this kind with these words, which may begin with an enhanced status code of the same class.
Reply reply_of(const Reply& kind, std::string_view words) {
  Reply reply = kind;
  std::string_view rest = words;
  const auto status = smtp::take_enhanced_status(rest);
  if (status && status->status_class == kind.code / 100) {
    reply.status = *status;
    words = rest;
  }
  words = trim(words);
  if (!words.empty()) reply.text = printable(words, max_text);
  return reply;
}

PolicyAction action_of(PolicyAction::Kind kind, Reply reply) {
  PolicyAction action(kind);
  action.reply = std::move(reply);
  return action;
}
PolicyAction action_of(PolicyAction::Kind kind, std::string_view text) {
  PolicyAction action(kind);
  action.text = text;
  return action;
}

Result<PolicyAction, std::string> to_address(PolicyAction::Kind kind, std::string_view text) {
  auto mailbox = smtp::parse_mailbox(text, smtp::Utf8::allowed);
  if (!mailbox || mailbox->domain.empty()) {
    return fail("the server wants it sent to " + printable(text, 80) + ", which is no address");
  }
  PolicyAction action(kind);
  action.address = std::move(*mailbox);
  return action;
}

// "Name: value" on one line (RFC 5322 2.2).
bool is_field(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || text.size() > max_field) return false;
  const bool name =
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), is_graph);
  return name && is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return c != '\t' && (static_cast<unsigned char>(c) < ' ' || c == 127);
         });
}

}  // namespace

std::string format_policy_request(const PolicyQuestion& question) {
  Request request;
  const smtp::SessionInfo& session = question.session;
  const smtp::Envelope* envelope = question.envelope;
  request.add("request", "smtpd_access_policy");
  request.add("protocol_state", state_name(question.stage, session));
  request.add("protocol_name", session.client.protocol.empty() ? "SMTP" : session.client.protocol);
  request.add("helo_name", session.client.helo);
  add_envelope(request, question);
  add_client(request, session);
  request.add("instance", question.instance);
  add_security(request, question);
  request.add("size", envelope != nullptr ? envelope->size : 0);
  request.add("etrn_domain", "");
  request.add("stress", "");
  request.add("policy_context", "");
  return request.end();
}

std::optional<Result<std::string, std::string>> take_policy_answer(std::string_view& octets) {
  std::string_view rest = octets;
  std::optional<std::string> action;
  while (true) {
    const std::size_t newline = rest.find('\n');
    const std::size_t used = octets.size() - rest.size();
    if (used + std::min(newline, rest.size()) > max_policy_answer) {
      return fail(std::string("the server sends an answer that is too long"));
    }
    if (newline == std::string_view::npos) return std::nullopt;
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) break;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return fail("the server answers in no known way: " + printable(line, 80));
    }
    if (!action && trim(line.substr(0, equals)) == "action") action = trim(line.substr(equals + 1));
  }
  octets = rest;
  if (!action) return fail(std::string("the server answers without an action"));
  return std::move(*action);
}

Result<PolicyAction, std::string> parse_policy_action(std::string_view text) {
  using Kind = PolicyAction::Kind;
  text = trim(text);
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string word = upper(text.substr(0, end));
  const std::string_view rest = trim(text.substr(end));
  if (word == "OK") return PolicyAction(Kind::ok);
  if (word == "DUNNO") return PolicyAction(Kind::dunno);
  if (word == "REJECT") return action_of(Kind::refuse, reply_of(rejected, rest));
  if (word == "DEFER") return action_of(Kind::refuse, reply_of(deferred, rest));
  if (word == "DEFER_IF_PERMIT") return action_of(Kind::defer_if_permit, reply_of(deferred, rest));
  if (word == "DEFER_IF_REJECT") return action_of(Kind::defer_if_reject, reply_of(deferred, rest));
  if (word == "DISCARD") return action_of(Kind::discard, printable(rest, max_text));
  if (word == "WARN") return action_of(Kind::warn, printable(rest, max_text));
  if (word == "INFO") return action_of(Kind::info, printable(rest, max_text));
  if (word == "HOLD") {
    return action_of(Kind::hold, rest.empty() ? "a policy server" : printable(rest, max_text));
  }
  if (word == "REDIRECT") return to_address(Kind::redirect, rest);
  if (word == "BCC") return to_address(Kind::bcc, rest);
  if (word == "PREPEND") {
    if (!is_field(rest)) return fail("PREPEND without a header field: " + printable(rest, 80));
    return action_of(Kind::prepend, rest);
  }
  const bool digits = !word.empty() && std::all_of(word.begin(), word.end(), is_digit);
  constexpr std::size_t code_digits = 3;
  if (digits && word.size() == code_digits && (word[0] == '4' || word[0] == '5')) {
    Reply reply = word[0] == '4' ? deferred : rejected;
    reply.code = *parse_number<int>(word);
    return action_of(Kind::refuse, reply_of(reply, rest));
  }
  if (digits && rest.empty()) return PolicyAction(Kind::ok);  // access(5): as some tables have it
  return fail("the server wants an action that is not known here: " + printable(text, 80));
}

}  // namespace posthorn::session
