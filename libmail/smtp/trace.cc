#include "libmail/smtp/trace.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

constexpr std::string_view received_name = "received:";
constexpr std::size_t usual_received = 320;  // octets

// A stranger's words inside a comment: nothing that ends it, escapes, or folds. 8-bit only where
// UTF-8 may be.
std::string comment_text(std::string_view text, bool smtputf8) {
  std::string safe(text);
  const bool keep_8bit = smtputf8 && is_utf8(text);
  for (char& c : safe) {
    const bool plain = is_graph(c) || c == ' ' || (is_8bit(c) && keep_8bit);
    if (!plain || c == '(' || c == ')' || c == '\\') c = '?';
  }
  return safe;
}

// "from helo (name [address])": the domain of the clause is what the client said if it is a name at
// all.
void append_from_clause(std::string& text, const Client& client, bool smtputf8) {
  const auto literal = format_address_literal(client.address);
  const bool named = is_domain(client.helo, Utf8::refused) || is_address_literal(client.helo);
  const std::string_view address =
      literal ? std::string_view(*literal)
              : (client.local || client.address.empty() ? "local" : "unknown");
  text.append("from ").append(named ? client.helo : literal.value_or("unknown")).append(" (");
  if (!named && !client.helo.empty()) {
    text.append("HELO=").append(comment_text(client.helo, smtputf8)).append(" ");
  }
  if (!client.name.empty()) text.append(comment_text(client.name, smtputf8)).append(" ");
  text.append(address).append(")");
}

}  // namespace

std::string with_keyword(const SessionInfo& session, bool smtputf8) {
  if (!session.extended) return "SMTP";
  std::string keyword = session.lmtp ? "LMTP" : smtputf8 ? "SMTP" : "ESMTP";
  if (smtputf8) keyword.insert(0, "UTF8");
  if (session.tls) keyword.push_back('S');
  if (!session.user.empty()) keyword.push_back('A');
  return keyword;
}

std::string format_received(const SessionInfo& session, const Envelope& envelope,
                            const Trace& trace) {
  const bool utf8 = envelope.smtputf8;
  std::string text;
  text.reserve(usual_received);
  text.append("Received: ");
  if (!trace.hide_client) {
    append_from_clause(text, session.client, utf8);
    text.append("\r\n\t");
    if (session.tls) {
      text += "(using " + comment_text(session.tls->version, false) + " with cipher " +
              comment_text(session.tls->cipher, false) + " (" + std::to_string(session.tls->bits) +
              " bits))\r\n\t";
    }
  }
  text.append("by ").append(trace.by).append(" (Posthorn) with ");
  text.append(with_keyword(session, utf8)).append(" id ").append(trace.id);
  // A path with UTF-8 in it has no place in the field of a message without SMTPUTF8.
  if (!trace.rcpt.empty() && (utf8 || is_ascii(trace.rcpt))) {
    text.append("\r\n\tfor <").append(trace.rcpt).append(">");
  }
  text.append(";\r\n\t").append(format_rfc5322_date(trace.time)).append("\r\n");
  return text;
}

std::string format_return_path(const ReversePath& path) {
  return "Return-Path: " + format_path(path) + "\r\n";
}

std::string format_delivered_to(const Mailbox& mailbox) {
  return "Delivered-To: " + format_mailbox(mailbox) + "\r\n";
}

void ReceivedCounter::feed(std::string_view octets) {
  while (!octets.empty() && !ended_) {
    const std::size_t newline = octets.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::string_view part = octets.substr(0, whole ? newline + 1 : octets.size());
    if (beginning_.size() < received_name.size()) {
      beginning_.append(part.substr(0, received_name.size() - beginning_.size()));
    }
    octets_ += part.size();
    octets.remove_prefix(part.size());
    if (!whole) return;
    if (iequals(beginning_, received_name)) ++count_;
    ended_ = beginning_ == "\r\n" || beginning_ == "\n";
    beginning_.clear();
  }
}

}  // namespace posthorn::smtp
