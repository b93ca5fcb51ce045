#include "agents/deliverd/letter.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/header.h"
#include "libmail/message/trace.h"
#include "libmail/smtp/trace.h"

namespace posthorn::deliverd {

std::string to_lf(std::string text) {
  std::erase(text, '\r');
  return text;
}

std::string_view header_of(std::string_view text) {
  if (text.starts_with('\n')) return {};
  const std::size_t end = text.find("\n\n");
  return text.substr(0, end == std::string_view::npos ? header_limit : end + 1)
      .substr(0, header_limit);
}

std::string trace_head(const Letter& letter, const smtp::Recipient& recipient,
                       const std::string& hostname) {
  smtp::Trace trace;
  trace.by = hostname;
  trace.id = letter.envelope.id;
  trace.rcpt = smtp::format_mailbox(recipient.mailbox);
  trace.time = letter.envelope.arrival;
  std::string head = smtp::format_return_path(letter.envelope.reverse_path);
  std::string received;
  if (!letter.from_stdin) received = smtp::format_received(letter.session, letter.envelope, trace);
  const std::string delivered_to = smtp::format_delivered_to(recipient.mailbox);
  head.reserve(head.size() + delivered_to.size() + received.size());
  head.append(delivered_to).append(received);
  return to_lf(std::move(head));
}

bool is_loop(const Letter& letter, const smtp::Mailbox& mailbox) {
  if (letter.from_stdin) return false;
  // Most messages have no such field, and the words are searched for faster than a header is parsed.
  static constexpr std::string_view name = "delivered-to:";
  const auto same = [](char a, char b) { return to_lower(a) == b; };
  const std::string_view header_text = letter.header;
  const bool named = std::search(header_text.begin(), header_text.end(), name.begin(), name.end(),
                                 same) != header_text.end();
  if (!named) return false;
  const message::Header header = message::Header::parse(letter.header);
  return message::has_delivered_to(header, smtp::format_mailbox(mailbox));
}

}  // namespace posthorn::deliverd
