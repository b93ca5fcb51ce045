#include "libmail/milter/change.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/smtp/command.h"

namespace posthorn::milter {

namespace {

std::string with_brackets(std::string_view path) {
  path = trim(path);
  if (!path.empty() && path.front() == '<') return std::string(path);
  return fmt::format("<{}>", path);
}

bool is_one_line(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

Result<smtp::Recipient, std::string> parse_recipient(const AddRecipient& change) {
  if (!is_one_line(change.path) || !is_one_line(change.parameters)) {
    return fail(std::string("a recipient of more than one line"));
  }
  const std::string line =
      fmt::format("RCPT TO:{} {}", with_brackets(change.path), trim(change.parameters));
  auto command = smtp::parse_command(trim(line), smtp::Utf8::allowed);
  auto* rcpt = command ? std::get_if<smtp::Rcpt>(&*command) : nullptr;
  if (rcpt == nullptr || rcpt->recipient.mailbox.domain.empty()) {
    return fail(fmt::format("\"{}\" is no recipient", printable(change.path, 200)));
  }
  return std::move(rcpt->recipient);
}

Result<smtp::Mailbox, std::string> parse_path(std::string_view path) {
  const AddRecipient alone{std::string(path), {}};
  auto recipient = parse_recipient(alone);
  if (!recipient) return fail(std::move(recipient.error()));
  return std::move(recipient->mailbox);
}

Result<void, std::string> replace_sender(const ChangeSender& change, smtp::Envelope& envelope) {
  if (!is_one_line(change.path) || !is_one_line(change.parameters)) {
    return fail(std::string("a sender of more than one line"));
  }
  std::string line =
      fmt::format("MAIL FROM:{} {}", with_brackets(change.path), trim(change.parameters));
  if (!is_ascii(change.path)) line += " SMTPUTF8";
  auto command = smtp::parse_command(trim(line), smtp::Utf8::allowed);
  auto* mail = command ? std::get_if<smtp::Mail>(&*command) : nullptr;
  if (mail == nullptr) {
    return fail(fmt::format("\"{}\" is no sender", printable(change.path, 200)));
  }
  envelope.reverse_path = std::move(mail->reverse_path);
  envelope.smtputf8 = envelope.smtputf8 || mail->smtputf8;
  if (mail->ret != smtp::Ret::unspecified) envelope.ret = mail->ret;
  if (mail->envid) envelope.envid = std::move(mail->envid);
  if (mail->body) envelope.body = *mail->body;
  return {};
}

class Apply {
 public:
  Apply(bool leading_space, HeaderEdit& header, smtp::Envelope& envelope)
      : leading_space_(leading_space), header_(header), envelope_(envelope) {}
  using Applied = Result<void, std::string>;

  Applied operator()(const AddField& change) { return header_.apply(change, leading_space_); }
  Applied operator()(const InsertField& change) { return header_.apply(change, leading_space_); }
  Applied operator()(const ChangeField& change) { return header_.apply(change, leading_space_); }
  Applied operator()(const ReplaceBody&) { return {}; }
  Applied operator()(const AddRecipient& change) {
    auto added = parse_recipient(change);
    if (!added) return fail(std::move(added.error()));
    if (find(added->mailbox) != envelope_.recipients.end()) return {};
    envelope_.smtputf8 = envelope_.smtputf8 || smtp::needs_smtputf8(added->mailbox);
    envelope_.recipients.push_back(std::move(*added));
    return {};
  }
  Applied operator()(const DeleteRecipient& change) {
    const auto deleted = parse_path(change.path);
    if (!deleted) return fail(deleted.error());
    const auto found = find(*deleted);
    if (found != envelope_.recipients.end()) envelope_.recipients.erase(found);
    return {};
  }
  Applied operator()(const ChangeSender& change) { return replace_sender(change, envelope_); }
  Applied operator()(const Quarantine& change) {
    envelope_.hold_reason = change.reason.empty() ? "a filter wants it" : printable(change.reason);
    return {};
  }

 private:
  std::vector<smtp::Recipient>::iterator find(const smtp::Mailbox& mailbox) {
    return std::find_if(
        envelope_.recipients.begin(), envelope_.recipients.end(),
        [&mailbox](const smtp::Recipient& each) { return each.mailbox == mailbox; });
  }

  bool leading_space_;
  HeaderEdit& header_;
  smtp::Envelope& envelope_;
};

}  // namespace

Result<void, std::string> apply(const Change& change, bool leading_space, HeaderEdit& header,
                                smtp::Envelope& envelope) {
  return std::visit(Apply(leading_space, header, envelope), change);
}

}  // namespace posthorn::milter
