#include "libmail/dsn/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/dsn/report_parts.h"
#include "libmail/message/header.h"
#include "libmail/message/message_id.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::dsn {

namespace {

// Longest line of a part that travels as it is (RFC 5321 4.5.3.1.6 without CRLF).
constexpr std::size_t longest_line = 998;

// The original's header with CRLF line ends, cut after a whole line.
std::string returned_header(const message::Header& header, std::size_t limit) {
  std::string_view bytes = header.bytes().substr(0, header.header_end());
  if (bytes.size() > limit) {
    const std::size_t newline = bytes.rfind('\n', limit - 1);
    bytes = bytes.substr(0, newline == std::string_view::npos ? limit : newline + 1);
  }
  std::string out;
  out.reserve(bytes.size() + 64);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) out += '\r';
    out += bytes[i];
  }
  if (!out.empty() && !out.ends_with("\r\n")) out += "\r\n";
  return out;
}

// Whether `text` (CRLF lines) may stand in a 7-bit or, with `eight_bit`, in an 8-bit part as it is.
bool travels_as_it_is(std::string_view text, bool eight_bit) {
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      column = 0;
      continue;
    }
    const bool line_end = c == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (line_end) continue;
    if (c == '\0' || c == '\r' || (is_8bit(c) && !eight_bit)) return false;
    if (++column > longest_line) return false;
  }
  return true;
}

bool speaks_utf8(const ReportRequest& request, std::string_view header) {
  if (!request.smtputf8 && !smtp::needs_smtputf8(request.to)) return false;
  const bool needed = std::any_of(
      request.recipients.begin(), request.recipients.end(), [](const RecipientReport& report) {
        return smtp::needs_smtputf8(report.recipient.mailbox) ||
               (report.recipient.orcpt && !is_ascii(report.recipient.orcpt->address));
      });
  return needed || smtp::needs_smtputf8(request.to) || (!is_ascii(header) && is_utf8(header));
}

std::string original_message_id(const message::Header& header, Charset charset) {
  const message::Field* field = header.find("Message-ID");
  if (field == nullptr) return {};
  const auto ids = message::parse_message_ids(header.raw_value(*field), 2);
  if (ids.size() != 1 || ids[0].size() > 500) return {};
  const bool fits = charset == Charset::utf8 ? is_utf8(ids[0]) : is_ascii(ids[0]);
  return fits ? ids[0] : std::string();
}

void append_part_head(std::string& out, std::string_view boundary, std::string_view type,
                      std::string_view encoding, std::string_view description) {
  out += fmt::format("--{}\r\nContent-Type: {}\r\n", boundary, type);
  if (encoding != "7bit") out += fmt::format("Content-Transfer-Encoding: {}\r\n", encoding);
  out += fmt::format("Content-Description: {}\r\n\r\n", description);
}

struct Plan {
  Charset charset;
  std::string boundary;
  std::string header;  // the original's, as it goes back
  std::string in_reply_to;
  bool whole = false;
  bool eight_bit_message = false;
};

void append_header(std::string& out, const ReportRequest& request, const Plan& plan,
                   const std::string& message_id) {
  const bool utf8 = plan.charset == Charset::utf8;
  const smtp::Mailbox daemon("MAILER-DAEMON", request.reporting_mta);
  append_field(out, "From", "Mail Delivery System <" + shown_mailbox(daemon, plan.charset) + ">");
  append_field(out, "To", "<" + shown_mailbox(request.to, plan.charset) + ">");
  append_field(out, "Subject", subject_of(request));
  append_field(out, "Date", format_rfc5322_date(request.date));
  append_field(out, "Message-ID", message_id);
  if (!plan.in_reply_to.empty()) {
    append_field(out, "In-Reply-To", plan.in_reply_to);
    append_field(out, "References", plan.in_reply_to);
  }
  append_field(out, "Auto-Submitted", "auto-replied");
  append_field(out, "MIME-Version", "1.0");
  append_field(
      out, "Content-Type",
      fmt::format("multipart/report; report-type=delivery-status; boundary=\"{}\"", plan.boundary));
  if (utf8 || (plan.whole && plan.eight_bit_message)) {
    append_field(out, "Content-Transfer-Encoding", "8bit");
  }
  out += "\r\n";
}

// The part that brings the message back, or its head if the message itself follows.
void append_returned(std::string& out, const Plan& plan) {
  const bool utf8 = plan.charset == Charset::utf8;
  if (plan.whole) {
    append_part_head(out, plan.boundary, utf8 ? "message/global" : "message/rfc822",
                     plan.eight_bit_message ? "8bit" : "7bit", "Your message");
    return;
  }
  if (utf8 && is_utf8(plan.header) && travels_as_it_is(plan.header, true)) {
    append_part_head(out, plan.boundary, "message/global-headers", "8bit",
                     "Header of your message");
    out += plan.header;
  } else if (travels_as_it_is(plan.header, false)) {
    append_part_head(out, plan.boundary, "text/rfc822-headers", "7bit", "Header of your message");
    out += plan.header;
  } else {
    append_part_head(
        out, plan.boundary,
        is_utf8(plan.header) ? "text/rfc822-headers; charset=utf-8" : "text/rfc822-headers",
        "quoted-printable", "Header of your message");
    out += message::encode_quoted_printable(plan.header);
  }
}

}  // namespace

void ReportRequest::take(const smtp::Envelope& envelope) {
  envid = envelope.envid;
  ret = envelope.ret;
  smtputf8 = envelope.smtputf8;
  arrival = envelope.arrival;
  trace_id = envelope.trace_id.empty() ? envelope.id : envelope.trace_id;
  if (envelope.reverse_path) to = *envelope.reverse_path;
}

bool returns_message(const ReportRequest& request, std::uint64_t size) {
  const bool failed =
      std::any_of(request.recipients.begin(), request.recipients.end(),
                  [](const RecipientReport& report) { return report.action == Action::failed; });
  return failed && request.ret == smtp::Ret::full && size <= request.limits.returned_message;
}

std::string Report::text(std::string_view message) const {
  return message_follows ? head + std::string(message) + tail : head + tail;
}

Report build_report(const ReportRequest& request, const Returned& original) {
  check(!request.recipients.empty(), "a report about nobody");
  const message::Header header = message::Header::parse(original.header);
  const std::string_view octets = original.header.substr(0, header.header_end());
  Plan plan;
  plan.charset = speaks_utf8(request, octets) ? Charset::utf8 : Charset::ascii;
  plan.boundary = fmt::format("report.{:016x}{:016x}", request.random[0], request.random[1]);
  plan.whole = original.whole_size && returns_message(request, *original.whole_size);
  plan.eight_bit_message = original.eight_bit || !is_ascii(octets);
  plan.in_reply_to = original_message_id(header, plan.charset);
  if (!plan.whole) {
    plan.header = returned_header(header, request.limits.returned_header);
  }

  Report report;
  report.message_id = message::make_message_id(request.date, request.random[0] ^ request.random[1],
                                               request.reporting_mta);
  const bool utf8 = plan.charset == Charset::utf8;
  append_header(report.head, request, plan, report.message_id);
  append_part_head(report.head, plan.boundary,
                   utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
                   utf8 ? "8bit" : "7bit", "Report for people");
  report.head += text_part(request, plan.charset, plan.whole);
  report.head += "\r\n";
  append_part_head(report.head, plan.boundary,
                   utf8 ? "message/global-delivery-status" : "message/delivery-status",
                   utf8 ? "8bit" : "7bit", "Report for programs");
  report.head += status_part(request, plan.charset);
  report.head += "\r\n";
  append_returned(report.head, plan);
  report.message_follows = plan.whole;
  report.tail = fmt::format("\r\n--{}--\r\n", plan.boundary);
  report.smtputf8 = utf8;
  report.eight_bit = utf8 || (plan.whole && plan.eight_bit_message);
  return report;
}

Report build_report(const ReportRequest& request, std::string_view message) {
  Returned original;
  original.header = message;
  original.whole_size = message.size();
  original.eight_bit = !is_ascii(message);
  return build_report(request, original);
}

}  // namespace posthorn::dsn
