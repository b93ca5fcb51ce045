#include "libmail/queue/batch.h"

#include "libmail/smtp/command.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::queue {
namespace {

constexpr std::size_t piece_octets = 64 << 10;

}  // namespace

BatchError BatchReader::error(std::string text) const {
  BatchError found;
  found.line = line_number_;
  found.text = std::move(text);
  return found;
}

bool BatchReader::take_line(std::string_view& input) {
  if (line_done_) {
    line_.clear();
    line_done_ = false;
  }
  const std::size_t line_feed = input.find('\n');
  line_ += input.substr(0, line_feed);
  if (line_feed == std::string_view::npos) {
    input = {};
    return false;
  }
  input.remove_prefix(line_feed + 1);
  if (line_.ends_with('\r')) line_.pop_back();
  line_done_ = true;
  ++line_number_;
  return true;
}

Result<BatchReader::Event, BatchError> BatchReader::next(std::string_view& input) {
  text_.clear();
  if (message_ended_) {
    message_ended_ = false;
    return Event::message;
  }
  while (!input.empty()) {
    const bool whole = take_line(input);
    const std::size_t limit = in_message_ ? limits_.text_line : limits_.command_line;
    if (line_.size() > limit) return fail(error("a line is too long"));
    if (!whole) break;
    if (!in_message_) {
      Result<Event, BatchError> event = on_command();
      if (!event || *event != Event::more) return event;
      continue;
    }
    if (line_ == ".") {
      in_message_ = false;
      message_ended_ = !text_.empty();  // the last piece comes out first
      return message_ended_ ? Event::text : Event::message;
    }
    // CR and NUL would mean something else to the next host than to us.
    const bool is_clean = line_.find_first_of(std::string_view("\r\0", 2)) == std::string::npos;
    if (!is_clean) return fail(error("a bare CR or a NUL in the message"));
    text_.append(line_, line_.starts_with('.') ? 1 : 0).append("\r\n");
    if (text_.size() >= piece_octets) return Event::text;
  }
  return text_.empty() ? Event::more : Event::text;
}

Result<BatchReader::Event, BatchError> BatchReader::on_command() {
  if (line_.empty()) return Event::more;
  const smtp::Utf8 utf8 = envelope_.smtputf8 ? smtp::Utf8::allowed : smtp::Utf8::refused;
  Result<smtp::Command, smtp::SyntaxError> command = smtp::parse_command(line_, utf8);
  if (!command) return fail(error(command.error().text));
  if (auto* mail = std::get_if<smtp::Mail>(&*command)) {
    if (has_mail_) return fail(error("MAIL within a transaction"));
    has_mail_ = true;
    envelope_ = smtp::Envelope();
    envelope_.reverse_path = std::move(mail->reverse_path);
    envelope_.ret = mail->ret;
    envelope_.envid = std::move(mail->envid);
    envelope_.body = mail->body.value_or(smtp::Body::seven_bit);
    envelope_.smtputf8 = mail->smtputf8;
    envelope_.requiretls = mail->requiretls;
    envelope_.auth = std::move(mail->auth);
    envelope_.size = mail->size.value_or(0);
    return Event::more;
  }
  if (auto* rcpt = std::get_if<smtp::Rcpt>(&*command)) {
    if (!has_mail_) return fail(error("RCPT before MAIL"));
    if (envelope_.recipients.size() >= limits_.recipients) {
      return fail(error("too many recipients"));
    }
    envelope_.recipients.push_back(std::move(rcpt->recipient));
    return Event::more;
  }
  if (std::holds_alternative<smtp::Data>(*command)) {
    if (!has_mail_ || envelope_.recipients.empty()) return fail(error("DATA without recipients"));
    in_message_ = true;
    has_mail_ = false;
    return Event::envelope;
  }
  const bool resets = std::holds_alternative<smtp::Rset>(*command) ||
                      std::holds_alternative<smtp::Helo>(*command) ||
                      std::holds_alternative<smtp::Ehlo>(*command);
  if (resets) has_mail_ = false;
  const bool harmless = resets || std::holds_alternative<smtp::Noop>(*command) ||
                        std::holds_alternative<smtp::Quit>(*command);
  if (harmless) return Event::more;
  return fail(error(smtp::command_verb(line_) + " has no meaning in a batch"));
}

Result<void, BatchError> BatchReader::finish() {
  if (in_message_) return fail(error("the final dot is missing"));
  const bool in_line = !line_done_ && !line_.empty();
  if (has_mail_ || in_line) return fail(error("it ends in the middle of a transaction"));
  return {};
}

void BatchWriter::begin(std::string& out, const smtp::Envelope& envelope) {
  out += "MAIL FROM:" + smtp::format_path(envelope.reverse_path);
  if (envelope.body == smtp::Body::eight_bit_mime) out += " BODY=8BITMIME";
  if (envelope.smtputf8) out += " SMTPUTF8";
  if (envelope.requiretls) out += " REQUIRETLS";
  if (envelope.ret == smtp::Ret::full) out += " RET=FULL";
  if (envelope.ret == smtp::Ret::headers) out += " RET=HDRS";
  if (envelope.envid) out += " ENVID=" + smtp::encode_xtext(*envelope.envid);
  out += "\r\n";
  const smtp::Utf8 utf8 = envelope.smtputf8 ? smtp::Utf8::allowed : smtp::Utf8::refused;
  for (const smtp::Recipient& recipient : envelope.recipients) {
    out += "RCPT TO:" + smtp::format_path(recipient.mailbox);
    if (!recipient.notify.unspecified()) {
      out += " NOTIFY=" + smtp::format_notify(recipient.notify);
    }
    if (recipient.orcpt) out += " ORCPT=" + smtp::format_orcpt(*recipient.orcpt, utf8);
    out += "\r\n";
  }
  out += "DATA\r\n";
}

void BatchWriter::text(std::string& out, std::string_view body_piece) {
  dots_.encode(body_piece, out);
}

void BatchWriter::end(std::string& out) {
  dots_.finish(out);
}

std::string format_batch(const smtp::Envelope& envelope, std::string_view message) {
  std::string out;
  BatchWriter writer;
  writer.begin(out, envelope);
  writer.text(out, message);
  writer.end(out);
  return out;
}

}  // namespace posthorn::queue
