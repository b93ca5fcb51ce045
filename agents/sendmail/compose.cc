#include "agents/sendmail/compose.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/address_list.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/message_id.h"
#include "libmail/message/submission.h"
#include "libmail/service/exit_code.h"
#include "libmail/smtp/address.h"

namespace posthorn::sendmail {

namespace exit_code = service::exit_code;

namespace {

Failure bad(int code, std::string text) {
  return Failure{code, std::move(text)};
}

Result<smtp::Mailbox, Failure> to_mailbox(message::Address address, const Caller& caller) {
  if (address.domain.empty()) address.domain = caller.domain;
  const std::string text = address.addr_spec();
  auto mailbox = smtp::parse_mailbox(text, smtp::Utf8::allowed);
  if (!mailbox)
    return fail(bad(exit_code::data, fmt::format("bad address '{}': {}", printable(text),
                                                 smtp::describe(mailbox.error()))));
  return std::move(*mailbox);
}

std::string quoted(std::string_view what, std::string_view text) {
  return fmt::format("{} '{}'", what, printable(text, 200));
}

// The mailboxes of a field body or of a word on the command line.
Result<std::vector<smtp::Mailbox>, Failure> parse_addresses(std::string_view text,
                                                            const Caller& caller,
                                                            const std::string& where) {
  const auto list = message::parse_address_list(text);
  if (!list) return fail(bad(exit_code::data, fmt::format("{}: {}", where, list.error().text)));
  std::vector<smtp::Mailbox> mailboxes;
  for (const message::Address& address : list->mailboxes) {
    auto mailbox = to_mailbox(address, caller);
    if (!mailbox) return fail(bad(mailbox.error().exit_code, where + ": " + mailbox.error().text));
    mailboxes.push_back(std::move(*mailbox));
  }
  return mailboxes;
}

Result<smtp::ReversePath, Failure> sender_of(const Arguments& arguments, const Caller& caller) {
  const std::string text = arguments.sender.value_or(caller.login);
  if (arguments.sender && (trim(text).empty() || trim(text) == "<>")) return smtp::ReversePath();
  const auto mailboxes = parse_addresses(text, caller, quoted("sender", text));
  if (!mailboxes) return fail(mailboxes.error());
  if (mailboxes->size() != 1)
    return fail(
        bad(exit_code::usage, fmt::format("sender '{}' is not one address", printable(text))));
  return smtp::ReversePath(mailboxes->front());
}

// Nobody gets a message twice because he stands in To and Cc.
void add_recipient(smtp::Envelope& envelope, smtp::Mailbox mailbox, const Arguments& arguments) {
  const bool known =
      std::any_of(envelope.recipients.begin(), envelope.recipients.end(),
                  [&](const smtp::Recipient& one) { return one.mailbox == mailbox; });
  if (known) return;
  smtp::Recipient recipient(std::move(mailbox));
  recipient.notify = arguments.notify;
  envelope.recipients.push_back(std::move(recipient));
}

// RFC 5322 3.6.6: a resent message goes to its Resent fields.
Result<void, Failure> add_from_header(smtp::Envelope& envelope, const message::Header& header,
                                      const Arguments& arguments, const Caller& caller) {
  const bool resent = header.find("Resent-To") != nullptr || header.find("Resent-Cc") != nullptr ||
                      header.find("Resent-Bcc") != nullptr;
  const std::string prefix = resent ? "Resent-" : "";
  for (const char* name : {"To", "Cc", "Bcc"}) {
    for (const message::Field* field : header.find_all(prefix + name)) {
      const std::string where = fmt::format("{}{} field in line {}", prefix, name, field->line);
      auto mailboxes = parse_addresses(header.raw_value(*field), caller, where);
      if (!mailboxes) return fail(mailboxes.error());
      for (smtp::Mailbox& mailbox : *mailboxes)
        add_recipient(envelope, std::move(mailbox), arguments);
    }
  }
  return {};
}

// Where the header ends: before the empty line, or before the first line that is no field.
struct Parts {
  std::string header;  // without the empty line
  std::string body;
};

Parts split_message(std::string input) {
  if (input.starts_with("From ")) input.erase(0, input.find("\r\n") + 2);
  const message::Header header = message::Header::parse(input);
  std::size_t end = header.header_end();
  std::size_t body = header.body();
  if (header.fault() && header.fault()->kind == message::HeaderFault::Kind::not_a_field) {
    end = header.fault()->offset;
    body = end;
  }
  Parts parts;
  parts.header = input.substr(0, end);
  parts.body = input.substr(body);
  return parts;
}

}  // namespace

std::string format_from(const std::string& full_name, const std::string& addr_spec) {
  const std::string name = is_utf8(full_name) ? message::encode_phrase(full_name) : std::string();
  return name.empty() ? addr_spec : fmt::format("{} <{}>", name, addr_spec);
}

Result<smtp::Envelope, Failure> make_envelope(const Arguments& arguments, const Caller& caller) {
  smtp::Envelope envelope;
  auto sender = sender_of(arguments, caller);
  if (!sender) return fail(sender.error());
  envelope.reverse_path = std::move(*sender);
  envelope.ret = arguments.ret;
  envelope.envid = arguments.envid;
  envelope.smtputf8 = arguments.smtputf8;
  envelope.requiretls = arguments.requiretls;
  for (const std::string& word : arguments.recipients) {
    auto mailboxes = parse_addresses(word, caller, quoted("recipient", word));
    if (!mailboxes) return fail(mailboxes.error());
    for (smtp::Mailbox& mailbox : *mailboxes)
      add_recipient(envelope, std::move(mailbox), arguments);
  }
  return envelope;
}

Result<Letter, Failure> compose(std::string input, const Arguments& arguments,
                                const Caller& caller) {
  auto envelope = make_envelope(arguments, caller);
  if (!envelope) return fail(envelope.error());
  Parts parts = split_message(std::move(input));
  const message::Header header = message::Header::parse(parts.header);
  if (arguments.recipients_from_header) {
    if (auto added = add_from_header(*envelope, header, arguments, caller); !added)
      return fail(added.error());
  }
  if (envelope->recipients.empty()) {
    const std::string_view hint = arguments.recipients_from_header ? "; To, Cc and Bcc name nobody"
                                                                   : "; name them, or use -t";
    return fail(bad(exit_code::usage, fmt::format("no recipients{}", hint)));
  }

  std::string complete;
  if (header.find("From") == nullptr) {
    const smtp::Mailbox author =
        envelope->reverse_path.value_or(smtp::Mailbox(caller.login, caller.domain));
    const std::string& name = arguments.full_name.empty() ? caller.full_name : arguments.full_name;
    complete = "From: " + format_from(name, smtp::format_mailbox(author)) + "\r\n";
  }
  complete += parts.header + "\r\n";
  message::Stamp stamp;
  stamp.date = format_rfc5322_date(caller.now);
  stamp.message_id = message::make_message_id(caller.now, caller.random, caller.hostname);
  const auto fixed = message::check_submission(complete, stamp);
  if (!fixed) return fail(bad(exit_code::data, fixed.error().reply_text()));

  Letter letter;
  letter.message = fixed->header + parts.body;
  letter.envelope = std::move(*envelope);
  letter.envelope.size = letter.message.size();
  letter.envelope.body = arguments.body.value_or(
      is_ascii(letter.message) ? smtp::Body::seven_bit : smtp::Body::eight_bit_mime);
  const auto beyond_ascii = [](const smtp::Recipient& one) {
    return smtp::needs_smtputf8(one.mailbox);
  };
  const smtp::ReversePath& sender = letter.envelope.reverse_path;
  if (sender && smtp::needs_smtputf8(*sender)) letter.envelope.smtputf8 = true;
  if (std::any_of(letter.envelope.recipients.begin(), letter.envelope.recipients.end(),
                  beyond_ascii))
    letter.envelope.smtputf8 = true;
  return letter;
}

}  // namespace posthorn::sendmail
