#include "libmail/message/submission.h"

#include <fmt/format.h>

#include <array>

#include "libmail/base/text.h"

namespace posthorn::message {

namespace {

// At most one of these in a message. RFC 5322 3.6 allows each further originator and destination
// field once as well, but a second To or Cc is common in the wild and every reader copes.
constexpr std::array<std::string_view, 4> once = {"From", "Date", "Message-ID", "Subject"};
constexpr std::array<std::string_view, 4> address_fields = {"From", "To", "Cc", "Reply-To"};

// The standard's spelling of `name` if it is in `known`.
template <std::size_t N>
std::string_view find_name(const std::array<std::string_view, N>& known, std::string_view name) {
  for (const std::string_view candidate : known) {
    if (iequals(candidate, name)) return candidate;
  }
  return {};
}

Problem make_problem(std::string_view field, std::uint32_t line, std::string text) {
  Problem result;
  result.field = field;
  result.line = line;
  result.text = std::move(text);
  return result;
}

std::optional<Problem> check_fault(const Header& header, const SubmissionLimits& limits) {
  if (!header.fault()) return std::nullopt;
  const HeaderFault& fault = *header.fault();
  switch (fault.kind) {
    case HeaderFault::Kind::not_a_field:
      return make_problem("", fault.line,
                          "this is no header field (a name and a colon are missing)");
    case HeaderFault::Kind::too_large:
      return make_problem(
          "", fault.line,
          fmt::format("the header is larger than {} octets", limits.header.header_bytes));
    case HeaderFault::Kind::too_many_fields:
      return make_problem("", fault.line,
                          fmt::format("more than {} header fields", limits.header.fields));
  }
  return std::nullopt;
}

std::uint32_t line_of(const Header& header, const Field& field, std::size_t offset_in_value) {
  std::uint32_t line = field.line;
  for (const char c : header.raw_value(field).substr(0, offset_in_value)) line += c == '\n' ? 1 : 0;
  return line;
}

std::optional<Problem> check_addresses(const Header& header, const Field& field,
                                       std::string_view name, const AddressLimits& limits) {
  const auto list = parse_address_list(header.raw_value(field), limits);
  if (!list) {
    return make_problem(name, line_of(header, field, list.error().offset),
                        "no address list: " + list.error().text);
  }
  if (name == "From" && list->mailboxes.empty() && list->groups.empty()) {
    return make_problem(name, field.line, "no address list: it is empty");
  }
  return std::nullopt;
}

std::optional<Problem> check_fields(const Header& header, const SubmissionLimits& limits) {
  std::array<std::uint32_t, once.size()> first_line{};
  for (const Field& field : header.fields()) {
    const std::string_view name = header.name(field);
    for (std::size_t i = 0; i < once.size(); ++i) {
      if (!iequals(name, once[i])) continue;
      if (first_line[i] != 0) {
        return make_problem(once[i], field.line,
                            fmt::format("a second one, the first is in line {}", first_line[i]));
      }
      first_line[i] = field.line;
    }
    const std::string_view addresses = find_name(address_fields, name);
    if (addresses.empty()) continue;
    if (auto bad = check_addresses(header, field, addresses, limits.addresses)) return bad;
  }
  if (first_line[0] == 0) {
    return make_problem("From", 0,
                        fmt::format("missing, the header ends after line {}", header.lines()));
  }
  return std::nullopt;
}

// What ends the first line: LF in a file of the drop directory, else CRLF.
std::string_view line_end_of(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const bool bare =
      newline != std::string_view::npos && (newline == 0 || bytes[newline - 1] != '\r');
  return bare ? "\n" : "\r\n";
}

Fixed fix(const Header& header, const Stamp& stamp) {
  Fixed fixed;
  const std::string_view bytes = header.bytes();
  std::size_t copied = 0;
  bool has_date = false;
  bool has_message_id = false;
  for (const Field& field : header.fields()) {
    const std::string_view name = header.name(field);
    has_date |= iequals(name, "Date");
    has_message_id |= iequals(name, "Message-ID");
    if (!iequals(name, "Bcc") && !iequals(name, "Resent-Bcc")) continue;
    fixed.header.append(bytes.substr(copied, field.begin - copied));
    copied = field.end;
    ++fixed.removed_bcc;
  }
  fixed.header.append(bytes.substr(copied, header.header_end() - copied));
  const std::string_view eol = line_end_of(bytes);
  if (!fixed.header.empty() && fixed.header.back() != '\n') fixed.header += eol;
  if (!has_date) fixed.header.append("Date: ").append(stamp.date).append(eol);
  if (!has_message_id) fixed.header.append("Message-ID: ").append(stamp.message_id).append(eol);
  fixed.header.append(bytes.substr(header.header_end()));
  fixed.added_date = !has_date;
  fixed.added_message_id = !has_message_id;
  return fixed;
}

}  // namespace

std::string Problem::reply_text() const {
  std::string out = field.empty() ? std::string("header") : field + " field";
  if (line != 0) out += fmt::format(" in line {}", line);
  return out + ": " + text;
}

Result<Fixed, Problem> check_submission(std::string_view header_block, const Stamp& stamp,
                                        const SubmissionLimits& limits) {
  const Header header = Header::parse(header_block, limits.header);
  if (auto bad = check_fault(header, limits)) return fail(std::move(*bad));
  if (auto bad = check_fields(header, limits)) return fail(std::move(*bad));
  return fix(header, stamp);
}

SubmissionFilter::SubmissionFilter(Stamp stamp, SubmissionLimits limits)
    : stamp_(std::move(stamp)), limits_(limits), header_(limits.header.header_bytes) {}

void SubmissionFilter::feed(std::string_view bytes, std::string& out) {
  if (problem_) return;
  if (!in_body_) {
    bytes.remove_prefix(header_.feed(bytes));
    if (header_.state() == HeaderCollector::State::more) return;
    if (header_.state() == HeaderCollector::State::too_large) {
      // What came before the limit may hold a fault that says more: a body without a header, for
      // one.
      std::string so_far = header_.take();
      so_far.append(bytes.substr(0, limits_.header.header_bytes + 1 - so_far.size()));
      const Header header = Header::parse(so_far, limits_.header);
      problem_ = check_fault(header, limits_);
      if (!problem_) problem_ = make_problem("", header.lines(), "the header is too large");
      return;
    }
    check_header(out);
    if (problem_) return;
  }
  out.append(bytes);
}

void SubmissionFilter::finish(std::string& out) {
  if (problem_ || in_body_) return;
  header_.finish();
  check_header(out);
}

void SubmissionFilter::check_header(std::string& out) {
  const std::string block = header_.take();
  auto fixed = check_submission(block, stamp_, limits_);
  if (!fixed) {
    problem_ = std::move(fixed.error());
    return;
  }
  in_body_ = true;
  out.append(fixed->header);
}

}  // namespace posthorn::message
