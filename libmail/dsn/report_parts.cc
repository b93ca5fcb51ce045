#include "libmail/dsn/report_parts.h"

#include <fmt/format.h>

#include <array>

#include "libmail/base/text.h"
#include "libmail/dsn/explain.h"
#include "libmail/dsn/remote.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::dsn {

namespace {

constexpr std::array order = {Action::failed, Action::delayed, Action::delivered, Action::relayed,
                              Action::expanded};

std::string_view opening(Action action) {
  switch (action) {
    case Action::failed:
      return "Your message could not be delivered to the following recipients. It will not be "
             "tried again.";
    case Action::delayed:
      return "Your message could not be delivered to the following recipients yet. You need not "
             "send it "
             "again: the attempts go on.";
    case Action::delivered:
      return "Your message was delivered to the following recipients.";
    case Action::relayed:
      return "Your message was passed on for the following recipients to mail systems that may "
             "send no "
             "further reports.";
    case Action::expanded:
      return "Your message was passed on to everybody whom the following addresses stand for.";
  }
  return "";
}

// "unknown[192.0.2.1]" and the like give the address alone.
std::string mta_name(std::string_view name, std::string_view address) {
  if (!name.empty() && name != "unknown") return std::string(name);
  return address.empty() ? std::string(name) : fmt::format("[{}]", address);
}

std::string typed_address(const smtp::OriginalRecipient& recipient, Charset charset) {
  std::string type;
  for (const char c : recipient.type) {
    if (is_alnum(c) || c == '-') type += c;
  }
  if (type.empty()) type = "rfc822";
  if (iequals(type, "utf-8") && charset == Charset::ascii && is_utf8(recipient.address)) {
    return "utf-8;" + smtp::encode_utf8_addr(recipient.address, true);
  }
  return type + ";" + clean_text(recipient.address, charset, 2000);
}

void append_typed(std::string& out, std::string_view name, const smtp::OriginalRecipient& recipient,
                  Charset charset) {
  append_field(out, name, typed_address(recipient, charset));
}

void append_text_of(std::string& out, const ReportRequest& request, const RecipientReport& report,
                    Charset charset) {
  const std::string mailbox = shown_mailbox(report.recipient.mailbox, charset);
  out += "<" + mailbox + ">\r\n";
  if (report.recipient.orcpt && !iequals(report.recipient.orcpt->address, mailbox)) {
    append_wrapped(
        out, "    ",
        "(you wrote to " + clean_text(report.recipient.orcpt->address, charset, 500) + ")");
  }
  const bool bad = report.action == Action::failed || report.action == Action::delayed;
  if (bad) append_wrapped(out, "    ", explain(report.status.enhanced));
  const RemoteSide side = remote_side(report, charset, request.limits.text);
  if (!side.reply.empty()) {
    append_wrapped(out, "    ", fmt::format("The mail system {} said:", side.shown));
    append_wrapped(out, "        ", side.reply);
  } else if (bad && !side.own_text.empty()) {
    append_wrapped(out, "    ", side.own_text);
  }
  if (report.action == Action::delayed && report.will_retry_until) {
    append_wrapped(out, "    ",
                   "It will be tried until " + format_rfc5322_date(*report.will_retry_until) + ".");
  }
  out += "\r\n";
}

void append_status_of(std::string& out, const ReportRequest& request, const RecipientReport& report,
                      Charset charset) {
  out += "\r\n";
  if (report.recipient.orcpt)
    append_typed(out, "Original-Recipient", *report.recipient.orcpt, charset);
  const bool utf8 = smtp::needs_smtputf8(report.recipient.mailbox);
  const smtp::OriginalRecipient final_recipient(utf8 ? "utf-8" : "rfc822",
                                                smtp::format_mailbox(report.recipient.mailbox));
  append_typed(out, "Final-Recipient", final_recipient, charset);
  append_field(out, "Action", action_name(report.action));
  append_field(out, "Status", report.status.enhanced.text());
  const RemoteSide side = remote_side(report, charset, request.limits.text);
  if (!side.name.empty()) append_field(out, "Remote-MTA", "dns; " + side.name);
  if (!side.reply.empty()) {
    append_field(out, "Diagnostic-Code", "smtp; " + side.reply);
  } else if (!side.own_text.empty() && !report.status.succeeded()) {
    append_field(out, "Diagnostic-Code", "X-Posthorn; " + side.own_text);
  }
  if (report.last_attempt) {
    append_field(out, "Last-Attempt-Date", format_rfc5322_date(*report.last_attempt));
  }
  if (report.will_retry_until) {
    append_field(out, "Will-Retry-Until", format_rfc5322_date(*report.will_retry_until));
  }
}

}  // namespace

std::string shown_mailbox(const smtp::Mailbox& mailbox, Charset charset) {
  const std::string text = smtp::format_mailbox(mailbox);
  if (charset == Charset::ascii && !is_ascii(text) && is_utf8(text)) {
    return smtp::encode_utf8_addr(text, true);
  }
  return clean_text(text, charset, 2000);
}

RemoteSide remote_side(const RecipientReport& report, Charset charset, std::size_t limit) {
  RemoteSide side;
  const std::string text = clean_text(report.status.text, charset, limit);
  if (auto words = parse_remote_text(text)) {
    side.name = mta_name(words->name, words->address);
    side.shown = fmt::format("{} [{}]", words->name, words->address);
    side.reply = std::move(words->reply);
  } else if (!report.status.remote_mta.empty()) {
    const std::string host = clean_text(report.status.remote_mta, charset, 400);
    side.name = host.substr(0, host.find(' '));
    side.shown = host;
    side.reply = fmt::format("{} {} {}", smtp::to_reply(report.status).code,
                             report.status.enhanced.text(), text);
  } else {
    side.own_text = text;
  }
  return side;
}

std::string subject_of(const ReportRequest& request) {
  if (request.to_postmaster) return "A message without a sender was not delivered";
  for (const Action action : order) {
    for (const RecipientReport& report : request.recipients) {
      if (report.action != action) continue;
      switch (action) {
        case Action::failed:
          return "Your message was not delivered";
        case Action::delayed:
          return "Your message is delayed";
        case Action::delivered:
          return "Your message was delivered";
        case Action::relayed:
          return "Your message was passed on";
        case Action::expanded:
          return "Your message was passed on to several recipients";
      }
    }
  }
  return "About your message";
}

std::string text_part(const ReportRequest& request, Charset charset, bool message_returned) {
  std::string out;
  append_wrapped(out, "", fmt::format("This is the mail system of {}.", request.reporting_mta));
  out += "\r\n";
  if (request.to_postmaster) {
    append_wrapped(
        out, "",
        "The message below has no sender (it is a report itself), so nobody but you can be told. "
        "What its sender would have read:");
    out += "\r\n";
  }
  for (const Action action : order) {
    bool opened = false;
    for (const RecipientReport& report : request.recipients) {
      if (report.action != action) continue;
      if (!opened) {
        append_wrapped(out, "", opening(action));
        out += "\r\n";
      }
      opened = true;
      append_text_of(out, request, report, charset);
    }
  }
  append_wrapped(out, "",
                 fmt::format("The second part of this report is for programs, the third holds {}.",
                             message_returned ? "your message" : "the header of your message"));
  if (!request.trace_id.empty()) {
    append_wrapped(out, "",
                   fmt::format("Whoever runs this mail system finds the message in the logs as {}.",
                               clean_text(request.trace_id, Charset::ascii, 100)));
  }
  return out;
}

std::string status_part(const ReportRequest& request, Charset charset) {
  std::string out;
  if (request.envid)
    append_field(out, "Original-Envelope-Id", clean_text(*request.envid, charset, 1000));
  append_field(out, "Reporting-MTA", "dns; " + clean_text(request.reporting_mta, charset, 300));
  if (request.arrival != WallTime{}) {
    append_field(out, "Arrival-Date", format_rfc5322_date(request.arrival));
  }
  for (const RecipientReport& report : request.recipients)
    append_status_of(out, request, report, charset);
  return out;
}

}  // namespace posthorn::dsn
