// ClientCore's transactions: MAIL, RCPT, the body, and who gets which status.
#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/smtp/client.h"
#include "libmail/smtp/client_lines.h"

namespace posthorn::smtp {

namespace {

// True if every CR stands before an LF and every LF behind a CR. Written so that the compiler
// compares many octets at once: it looks at every octet of every message.
bool has_clean_lines(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() == '\n' || text.back() == '\r') return false;
  unsigned stray = 0;
  for (std::size_t i = 1; i < text.size(); ++i)
    stray |= static_cast<unsigned>(text[i - 1] == '\r') ^ static_cast<unsigned>(text[i] == '\n');
  return stray == 0;
}

// A stray CR or LF becomes a space: the size stays, and nobody sees a line end that we don't see.
void neutralise(std::string& text, std::size_t begin) {
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
      ++i;
    } else if (text[i] == '\r' || text[i] == '\n') {
      text[i] = ' ';
    }
  }
}

}  // namespace

// --- envelope ---

std::optional<Status> ClientCore::refusal(const Envelope& envelope) const {
  const ServerExtensions& server = extensions_;
  const bool utf8 =
      envelope.smtputf8 || (envelope.reverse_path && !has_ascii_form(*envelope.reverse_path));
  if (utf8 && !server.smtputf8)
    return own(EnhancedStatus(5, 6, 7), "does not offer SMTPUTF8, which this message needs");
  // An LMTP agent is the last hop or one of ours; the requirement is about hops over a network (RFC
  // 8689 4.2.1).
  const bool network = options_.dialect == ClientDialect::smtp;
  if (envelope.requiretls && network && !(server.requiretls && (secure_ || options_.private_path)))
    return own(EnhancedStatus(5, 7, 30),
               "does not offer REQUIRETLS over TLS, which the sender requires");
  if (envelope.body == Body::eight_bit_mime && !server.eight_bit_mime &&
      options_.refuse_unoffered_8bit)
    return own(EnhancedStatus(5, 6, 3), "does not offer 8BITMIME, which this message needs");
  if (server.size_limit != 0 && envelope.size > server.size_limit)
    return own(EnhancedStatus(5, 3, 4), fmt::format("takes {} octets, and this message has {}",
                                                    server.size_limit, envelope.size));
  return std::nullopt;
}

void ClientCore::mail(const Envelope& envelope) {
  check(phase_ == Phase::ready, "MAIL on an SMTP connection that is not ready");
  phase_ = Phase::transaction;
  mail_.reset();
  mail_code_ = 0;
  rcpts_.clear();
  rcpts_.reserve(envelope.recipients.size());
  next_final_ = 0;
  body_ = BodyState::none;
  body_begun_ = false;
  carried_cr_ = false;
  heard_ = false;
  dots_.reset();

  std::optional<Status> refused = refusal(envelope);
  if (refused) return refuse_mail(std::move(*refused));
  utf8_ = extensions_.smtputf8 && envelope.smtputf8 ? Utf8::allowed : Utf8::refused;
  if (envelope.reverse_path && !has_ascii_form(*envelope.reverse_path)) utf8_ = Utf8::allowed;
  if (dirty_) say(Awaited::ignored, "RSET\r\n");
  dirty_ = false;
  introduce(envelope);
  say(Awaited::mail, mail_line(envelope, extensions_, utf8_));
  ++unanswered_;
}

// What comes behind XCLIENT is another session: nothing is sent before its greeting and its reply to EHLO are here.
void ClientCore::introduce(const Envelope& envelope) {
  const std::string line = options_.xclient ? xclient_line(envelope, extensions_) : std::string();
  if (!line.empty()) {
    if (line == introduced_) return;
    introduced_ = line;
    extensions_.pipelining = false;  // until EHLO is answered
    say(Awaited::xclient, line);
    return say_hello(Awaited::ehlo_again);
  }
  if (!options_.xforward) return;
  for (const std::string& each : xforward_lines(envelope, extensions_)) {
    say(Awaited::ignored, each);
  }
}

std::size_t ClientCore::rcpt(const Recipient& recipient) {
  const std::size_t index = rcpts_.size();
  Fate& fate = rcpts_.emplace_back();
  const bool mail_refused = mail_ && !mail_->succeeded();
  if (mail_refused) {
    fate.reply = fate.final = mail_;
  } else if (utf8_ == Utf8::refused && !has_ascii_form(recipient.mailbox)) {
    fate.reply =
        own(EnhancedStatus(5, 6, 7), "gets no address beyond ASCII: SMTPUTF8 is not in use");
    fate.final = fate.reply;
  } else if (extensions_.max_recipients && index >= *extensions_.max_recipients) {
    fate.reply = own(EnhancedStatus(4, 5, 3),
                     fmt::format("takes {} recipients a message", *extensions_.max_recipients));
    fate.final = fate.reply;
  } else {
    say(Awaited::rcpt, rcpt_line(recipient, extensions_, utf8_), index);
    ++unanswered_;
  }
  return index;
}

void ClientCore::on_mail(const Reply& reply) {
  --unanswered_;
  if (reply.intermediate()) return close(nonsense(reply));
  mail_code_ = reply.code;
  Status status = status_of(reply);
  if (!reply.positive()) return refuse_mail(std::move(status));
  mail_ = std::move(status);
  dirty_ = true;
}

void ClientCore::refuse_mail(Status status) {
  mail_ = std::move(status);
  settle_everyone(*mail_);
  drop_held();
}

void ClientCore::on_rcpt(std::size_t index, const Reply& reply) {
  --unanswered_;
  if (reply.intermediate()) return close(nonsense(reply));
  Fate& fate = rcpts_[index];
  if (fate.final) {
    // MAIL was refused and the recipient with it. A server that takes it all the same gets no
    // message.
    if (reply.positive()) dirty_ = true;
    return;
  }
  fate.reply = status_of(reply);
  fate.code = reply.code;
  // RFC 5321 4.5.3.1.10: some say "too many recipients" as if it were for good.
  if (reply.code == 552 && reply.status == EnhancedStatus(5, 5, 3)) {
    fate.reply->status_class = StatusClass::transient;
    fate.reply->enhanced.status_class = 4;
    fate.code = 452;
  }
  if (!reply.positive()) fate.final = fate.reply;
  if (!body_wanted()) drop_held();
}

// What was held back need not be said any more: nobody takes the message.
void ClientCore::drop_held() {
  while (commands_.size() > sent_) {
    const Awaited awaited = commands_.back().awaited;
    if (awaited == Awaited::mail || awaited == Awaited::rcpt) --unanswered_;
    commands_.pop_back();
  }
  if (body_ == BodyState::asked && sent_ == 0) body_ = BodyState::none;
}

std::size_t ClientCore::accepted() const {
  return static_cast<std::size_t>(std::count_if(rcpts_.begin(), rcpts_.end(), [](const Fate& fate) {
    return fate.reply && fate.reply->succeeded() && !fate.final;
  }));
}

// --- body ---

void ClientCore::begin_body() {
  check(phase_ != Phase::transaction || body_ == BodyState::none,
        "a second body in one transaction");
  if (!body_wanted()) return;
  if (extensions_.chunking) {
    body_ = BodyState::open;
  } else {
    body_ = BodyState::asked;
    say(Awaited::data, "DATA\r\n");
  }
}

bool ClientCore::body_open() const {
  if (phase_ != Phase::transaction || body_ != BodyState::open || !body_wanted()) return false;
  return !extensions_.chunking || extensions_.pipelining || commands_.empty();
}

bool ClientCore::body_wanted() const {
  if (phase_ != Phase::transaction) return false;
  return std::any_of(rcpts_.begin(), rcpts_.end(), [](const Fate& fate) { return !fate.final; });
}

void ClientCore::body(std::string_view piece, LastPiece last) {
  if (phase_ != Phase::transaction) return;
  check(body_ == BodyState::open, "message octets without an open body");
  body_begun_ = true;
  if (extensions_.chunking) return append_chunk(piece, last);
  dots_->encode(piece, output_);
  if (last == LastPiece::no) return;
  dots_->finish(output_);
  body_ = BodyState::ended;
  commands_.push_back(Command{Awaited::dot, 0, {}});
  ++sent_;
}

void ClientCore::append_chunk(std::string_view piece, LastPiece last) {
  const bool hold_cr = last == LastPiece::no && !piece.empty() && piece.back() == '\r';
  if (hold_cr) piece.remove_suffix(1);
  const std::size_t size = piece.size() + (carried_cr_ ? 1 : 0);
  if (size != 0 || last == LastPiece::yes) {
    append_bdat(output_, size, last == LastPiece::yes);
    const std::size_t begin = output_.size();
    if (carried_cr_) output_ += '\r';
    output_ += piece;
    if (!has_clean_lines(std::string_view(output_).substr(begin))) neutralise(output_, begin);
    const Awaited awaited = last == LastPiece::yes ? Awaited::last_chunk : Awaited::chunk;
    commands_.push_back(Command{awaited, 0, {}});
    ++sent_;
  }
  carried_cr_ = hold_cr;
  if (last == LastPiece::yes) body_ = BodyState::ended;
}

void ClientCore::on_data(const Reply& reply) {
  if (reply.positive()) return close(nonsense(reply));
  if (reply.negative()) {
    settle_accepted(status_of(reply), reply.code);
    body_ = BodyState::none;
    return;
  }
  if (accepted() != 0) {
    dots_.emplace();
    body_ = BodyState::open;
    return;
  }
  // RFC 2920 3.1: the server waits for a message to nobody.
  body_ = BodyState::ended;
  output_ += ".\r\n";
  if (options_.dialect == ClientDialect::lmtp) {
    // One reply for each of no recipients: some servers send one all the same, so this connection
    // is done.
    return quit();
  }
  say(Awaited::empty_dot, {});
}

void ClientCore::on_chunk(const Reply& reply) {
  if (reply.positive()) return;
  if (reply.intermediate()) return close(nonsense(reply));
  // Which replies a server still sends to chunks behind a refused one is anybody's guess.
  const Status status = status_of(reply);
  settle_accepted(status, reply.code);
  close(status);
}

bool ClientCore::on_last(const Reply& reply) {
  const std::size_t open = accepted();
  if (reply.intermediate()) {
    close(nonsense(reply));
    return true;
  }
  if (options_.dialect == ClientDialect::smtp || open == 0) {
    if (open != 0) settle_accepted(status_of(reply), reply.code);
  } else {
    while (rcpts_[next_final_].final) ++next_final_;
    rcpts_[next_final_].final = status_of(reply);
    rcpts_[next_final_].final_code = reply.code;
    if (open > 1) return false;
  }
  // A refused BDAT leaves the server's state unknown (RFC 3030 2); DATA ends its transaction in any
  // case.
  dirty_ = extensions_.chunking && reply.negative();
  ++transactions_;
  phase_ = Phase::ready;
  return true;
}

// --- the end ---

bool ClientCore::finished() const {
  if (phase_ == Phase::closed) return true;
  if (!commands_.empty()) return false;
  return std::all_of(rcpts_.begin(), rcpts_.end(),
                     [](const Fate& fate) { return fate.final.has_value(); });
}

std::vector<Status> ClientCore::results() const {
  std::vector<Status> statuses;
  statuses.reserve(rcpts_.size());
  for (const Fate& fate : rcpts_) {
    check(fate.final.has_value(), "results of a transaction that is not finished");
    statuses.push_back(*fate.final);
  }
  return statuses;
}

void ClientCore::settle_accepted(const Status& status, int code) {
  for (Fate& fate : rcpts_) {
    if (!fate.reply || !fate.reply->succeeded() || fate.final) continue;
    fate.final = status;
    fate.final_code = code;
  }
}

void ClientCore::settle_everyone(const Status& status) {
  for (Fate& fate : rcpts_) {
    if (!fate.reply) fate.reply = status;
    if (!fate.final) fate.final = status;
  }
}

void ClientCore::reset() {
  if (phase_ != Phase::transaction) return;
  // Behind DATA or a chunk there is no way to say RSET.
  if (body_begun_ || body_ == BodyState::asked)
    return close(own(EnhancedStatus(4, 4, 2), "given up in the middle of a message"));
  drop_held();
  for (Command& command : commands_)
    if (command.awaited == Awaited::mail || command.awaited == Awaited::rcpt)
      command.awaited = Awaited::ignored;
  unanswered_ = 0;
  rcpts_.clear();
  body_ = BodyState::none;
  dirty_ = true;
  phase_ = Phase::ready;
}

}  // namespace posthorn::smtp
