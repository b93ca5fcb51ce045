#include "libmail/dsn/parse.h"

#include <array>

#include "libmail/base/text.h"
#include "libmail/message/header.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::dsn {

namespace {

using message::Field;
using message::Header;

struct ContentType {
  std::string type;  // lower case
  std::string boundary;
};

// The value of a quoted-string or token that `text` begins with.
std::string parameter_value(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.front() != '"') {
    return std::string(text.substr(0, text.find_first_of("; \t(")));
  }
  std::string out;
  for (std::size_t i = 1; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

ContentType content_type(const Header& header) {
  ContentType result;
  const Field* field = header.find("Content-Type");
  if (field == nullptr) return {"text/plain", ""};
  const std::string value = header.value(*field);
  result.type = lower(trim(std::string_view(value).substr(0, value.find(';'))));
  const std::string lowered = lower(value);
  for (std::size_t at = lowered.find("boundary"); at != std::string::npos;
       at = lowered.find("boundary", at + 1)) {
    std::size_t equals = at + 8;
    while (equals < value.size() && is_space(value[equals])) ++equals;
    if (equals >= value.size() || value[equals] != '=') continue;
    result.boundary = parameter_value(std::string_view(value).substr(equals + 1));
    break;
  }
  return result;
}

// The parts of a multipart body, each with header and without the line end before the next boundary.
std::vector<std::string_view> split_parts(std::string_view body, const std::string& boundary,
                                          std::size_t most) {
  std::vector<std::string_view> parts;
  const std::string delimiter = "--" + boundary;
  std::size_t begin = std::string_view::npos;
  for (std::size_t line = 0; line < body.size() && parts.size() < most;) {
    const std::size_t newline = body.find('\n', line);
    const std::size_t next = newline == std::string_view::npos ? body.size() : newline + 1;
    const std::string_view text = trim(body.substr(line, next - line));
    if (text == delimiter || text == delimiter + "--") {
      if (begin != std::string_view::npos) {
        std::string_view part = body.substr(begin, line - begin);
        if (part.ends_with("\n")) part.remove_suffix(part.ends_with("\r\n") ? 2 : 1);
        parts.push_back(part);
      }
      begin = text == delimiter ? next : std::string_view::npos;
    }
    line = next;
  }
  if (begin != std::string_view::npos && parts.size() < most) parts.push_back(body.substr(begin));
  return parts;
}

// "rfc822; ann@example.org"
smtp::OriginalRecipient typed(const std::string& value) {
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string::npos) return {"", std::string(trim(value))};
  smtp::OriginalRecipient result(lower(trim(std::string_view(value).substr(0, semicolon))),
                                 std::string(trim(std::string_view(value).substr(semicolon + 1))));
  if (result.type == "utf-8") {
    if (auto decoded = smtp::decode_utf8_addr(result.address)) result.address = std::move(*decoded);
  }
  return result;
}

std::optional<Action> parse_action(const std::string& value) {
  constexpr std::array actions = {Action::failed, Action::delayed, Action::delivered,
                                  Action::relayed, Action::expanded};
  for (const Action action : actions) {
    if (iequals(trim(value.substr(0, value.find('('))), action_name(action))) return action;
  }
  return std::nullopt;
}

std::string text_of(const Header& group, std::string_view name) {
  const Field* field = group.find(name);
  return field == nullptr ? std::string() : group.value(*field);
}

Result<ParsedRecipient, std::string> parse_recipient(const Header& group) {
  ParsedRecipient recipient;
  if (group.find("Original-Recipient") != nullptr) {
    recipient.original_recipient = typed(text_of(group, "Original-Recipient"));
  }
  recipient.final_recipient = typed(text_of(group, "Final-Recipient"));
  if (recipient.final_recipient.address.empty())
    return fail(std::string("a recipient without Final-Recipient"));
  const auto action = parse_action(text_of(group, "Action"));
  if (!action) return fail("no Action that is known: " + printable(text_of(group, "Action"), 40));
  recipient.action = *action;
  const std::string status = text_of(group, "Status");
  std::string_view rest = status;
  const auto enhanced = smtp::take_enhanced_status(rest);
  if (!enhanced) return fail("no Status: " + printable(status, 40));
  recipient.status = *enhanced;
  recipient.remote_mta = typed(text_of(group, "Remote-MTA")).address;
  const smtp::OriginalRecipient diagnostic = typed(text_of(group, "Diagnostic-Code"));
  recipient.diagnostic_type = diagnostic.type;
  recipient.diagnostic = diagnostic.address;
  recipient.last_attempt_date = text_of(group, "Last-Attempt-Date");
  recipient.will_retry_until = text_of(group, "Will-Retry-Until");
  return recipient;
}

// Groups of fields, separated by empty lines.
Result<void, std::string> parse_status(std::string_view body, ParsedReport& report) {
  bool first = true;
  while (!body.empty()) {
    const Header group = Header::parse(body);
    if (!group.fields().empty()) {
      if (first) {
        report.reporting_mta = typed(text_of(group, "Reporting-MTA")).address;
        report.arrival_date = text_of(group, "Arrival-Date");
        if (group.find("Original-Envelope-Id") != nullptr) {
          report.envid = text_of(group, "Original-Envelope-Id");
        }
        first = false;
      } else {
        if (report.recipients.size() >= max_parsed_recipients)
          return fail(std::string("too many recipients"));
        auto recipient = parse_recipient(group);
        if (!recipient) return fail(std::move(recipient.error()));
        report.recipients.push_back(std::move(*recipient));
      }
    }
    if (group.body() == 0) break;
    body.remove_prefix(group.body());
  }
  if (report.recipients.empty()) return fail(std::string("the delivery-status names no recipient"));
  return {};
}

bool is_encoded(const Header& header) {
  const Field* field = header.find("Content-Transfer-Encoding");
  if (field == nullptr) return false;
  const std::string encoding = header.value(*field);
  return !iequals(encoding, "7bit") && !iequals(encoding, "8bit") && !iequals(encoding, "binary");
}

}  // namespace

Result<ParsedReport, std::string> parse_report(std::string_view text) {
  const Header header = Header::parse(text);
  const ContentType type = content_type(header);
  if (type.type != "multipart/report")
    return fail("not multipart/report but " + printable(type.type, 80));
  if (type.boundary.empty()) return fail(std::string("multipart/report without a boundary"));
  ParsedReport report;
  bool has_status = false;
  std::size_t number = 0;
  for (const std::string_view part : split_parts(text.substr(header.body()), type.boundary, 16)) {
    const Header part_header = Header::parse(part);
    const std::string_view body = part.substr(part_header.body());
    const std::string part_type = content_type(part_header).type;
    ++number;
    if (part_type == "message/delivery-status" || part_type == "message/global-delivery-status") {
      if (has_status) continue;
      if (is_encoded(part_header)) return fail(std::string("the delivery-status is encoded"));
      auto parsed = parse_status(body, report);
      if (!parsed) return fail(std::move(parsed.error()));
      has_status = true;
    } else if (!has_status && number == 1) {
      report.text = body;
    } else if (has_status && report.returned_type.empty()) {
      report.returned_type = part_type;
      report.returned = body;
    }
  }
  if (!has_status) return fail(std::string("no part is a delivery-status"));
  return report;
}

}  // namespace posthorn::dsn
