#include "libmail/smtp/server.h"

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/smtp/replies.h"

namespace posthorn::smtp {

namespace {

// Of a command line that has no end. Whoever sends more is no mail client.
constexpr std::uint64_t max_skipped = 1 << 20;

bool closes_channel(const Reply& reply) {
  return reply.code == 421 || reply.code == 521;
}

const Reply& reply_to(BodyFault fault) {
  switch (fault) {
    case BodyFault::bare_lf:
      return reply::bare_lf;
    case BodyFault::bare_cr:
      return reply::bare_cr;
    case BodyFault::nul:
      return reply::nul_octet;
    case BodyFault::line_too_long:
      return reply::body_line_too_long;
    case BodyFault::none:
      break;
  }
  return reply::try_later;
}

}  // namespace

ServerCore::ServerCore(ServerSettings settings, Client peer) : settings_(std::move(settings)) {
  session_.client = std::move(peer);
  session_.lmtp = settings_.protocol == Protocol::lmtp;
}

void ServerCore::begin_with_tls(TlsInfo tls) {
  session_.tls = std::move(tls);
}

void ServerCore::set_server(std::string address, std::uint16_t port) {
  session_.server_address = std::move(address);
  session_.server_port = port;
}

void ServerCore::start() {
  put_greeting();
}

void ServerCore::put_greeting() {
  put(Reply(220, settings_.hostname + (session_.lmtp ? " LMTP " : " ESMTP ") + settings_.greeting));
}

void ServerCore::start_refusing(const Reply& why) {
  refusing_ = true;
  put(why);
}

void ServerCore::feed(std::string_view octets) {
  check(input_.empty(), "octets are fed before the last ones are used");
  input_ = octets;
}

bool ServerCore::reading_body() const {
  return phase_ == Phase::data || phase_ == Phase::chunk;
}

Event ServerCore::next() {
  check(pending_ == Pending::none, "an event waits for its answer");
  octets_ = {};
  if (then_) {
    const Event event = *std::exchange(then_, std::nullopt);
    if (event == Event::hello) pending_ = Pending::hello;
    return event;
  }
  while (true) {
    if (goodbye_ && phase_ != Phase::closed) {
      put(*goodbye_);
      phase_ = Phase::closed;
    }
    Step step;
    switch (phase_) {
      case Phase::command:
        step = next_command();
        break;
      case Phase::data:
        step = next_data();
        break;
      case Phase::chunk:
        step = next_chunk();
        break;
      case Phase::auth:
        step = next_auth();
        break;
      case Phase::closed:
        step = Event::close;
        break;
    }
    if (step) return *step;
  }
}

ServerCore::Step ServerCore::next_command() {
  octets_ = {};
  std::string_view line;
  switch (take_line(line, settings_.limits.command_line)) {
    case Line::none:
      return Event::need_input;
    case Line::whole:
      break;
    case Line::too_long:
      return refuse(reply::line_too_long);
    case Line::bad_end:
      return refuse(reply::bad_line_end);
    case Line::endless:
      return hang_up(reply::too_many_errors);
  }
  const Utf8 utf8 = envelope_ && envelope_->smtputf8 ? Utf8::allowed : Utf8::refused;
  auto command = parse_command(line, utf8);
  storage_ = command_verb(line);
  octets_ = storage_;
  if (!command) return syntax_error(command.error());
  return run(*command);
}

ServerCore::Step ServerCore::next_data() {
  if (input_.empty()) return Event::need_input;
  const std::size_t before = input_.size();
  const std::string_view run = dots_.step(input_);
  if (Step step = take_body(run, before - input_.size())) return step;
  if (dots_.done()) return end_of_body();
  return std::nullopt;
}

ServerCore::Step ServerCore::next_chunk() {
  if (chunk_left_ == 0) return end_of_chunk();
  if (input_.empty()) return Event::need_input;
  const std::size_t length = std::min<std::uint64_t>(chunk_left_, input_.size());
  const std::string_view run = input_.substr(0, length);
  input_.remove_prefix(length);
  chunk_left_ -= length;
  if (body_refusal() == nullptr) lines_.feed(run);
  return take_body(run, length);
}

// Message octets, for which `used` octets of input were read.
ServerCore::Step ServerCore::take_body(std::string_view octets, std::size_t used) {
  const std::uint64_t limit = settings_.limits.message_size;
  if (limit != 0 && body_octets_ + octets.size() > limit && !body_refused_) {
    body_refused_ = reply::message_too_big;
  }
  if (const Reply* why = body_refusal()) {
    discarded_ += used;
    if (discarded_ > settings_.limits.discarded) return hang_up(*why);
    return std::nullopt;
  }
  if (octets.empty()) return std::nullopt;
  body_octets_ += octets.size();
  octets_ = octets;
  return Event::body;
}

void ServerCore::begin_body() {
  dots_ = DotDecoder(settings_.limits.body_line);
  lines_ = LineChecker(settings_.limits.body_line);
  body_octets_ = 0;
  discarded_ = 0;
  body_refused_.reset();
}

const Reply* ServerCore::body_refusal() const {
  if (body_refused_) return &*body_refused_;
  const BodyFault fault = phase_ == Phase::data ? dots_.fault() : lines_.fault();
  return fault == BodyFault::none ? nullptr : &reply_to(fault);
}

ServerCore::Step ServerCore::end_of_chunk() {
  if (chunk_last_ && envelope_) lines_.finish();
  if (chunk_last_ && body_refusal() == nullptr) return end_of_body();
  phase_ = Phase::command;
  if (body_refusal() == nullptr) {
    put(reply::chunk_ok);
    return std::nullopt;
  }
  // RFC 3030 2: after a failed chunk the transaction is lost; what follows of it finds none.
  const Reply why = *body_refusal();
  if (chunk_last_) {
    put_for_body(why);
  } else {
    put(why);
  }
  count_error();
  return drop_transaction();
}

ServerCore::Step ServerCore::end_of_body() {
  if (const Reply* why = body_refusal()) {
    put_for_body(*why);
    count_error();
    phase_ = Phase::command;
    return drop_transaction();
  }
  envelope_->size = body_octets_;
  pending_ = Pending::message_end;
  phase_ = Phase::command;
  return Event::message_end;
}

// LMTP answers the body once for each recipient (RFC 2033 4.2).
void ServerCore::put_for_body(const Reply& reply) {
  const bool many = session_.lmtp && envelope_ && !envelope_->recipients.empty();
  for (std::size_t i = many ? envelope_->recipients.size() : 1; i > 0; --i) put(reply);
}

ServerCore::Step ServerCore::drop_transaction() {
  const bool had_one = envelope_.has_value();
  envelope_.reset();
  forwarded_.reset();
  forwarded_ident_.clear();
  recipients_refused_ = false;
  in_chunks_ = false;
  body_refused_.reset();
  return had_one ? Step(Event::reset) : std::nullopt;
}

ServerCore::Step ServerCore::next_auth() {
  std::string_view line;
  const Line taken = take_line(line, settings_.limits.auth_line);
  if (taken == Line::none) return Event::need_input;
  if (taken == Line::endless) return hang_up(reply::too_many_errors);
  phase_ = Phase::command;
  if (taken == Line::whole && line != "*") {
    if (auto response = decode_base64(line)) {
      storage_ = std::move(*response);
      octets_ = storage_;
      pending_ = Pending::auth;
      return Event::auth_response;
    }
  }
  const bool cancelled = taken == Line::whole && line == "*";
  put(cancelled ? reply::auth_cancelled : reply::auth_bad_base64);
  count_error();
  return Event::auth_cancelled;
}

// The next line without its CRLF. It lies in what was fed, or in storage_.
ServerCore::Line ServerCore::take_line(std::string_view& line, std::size_t limit) {
  const std::size_t newline = input_.find('\n');
  const bool whole = newline != std::string_view::npos;
  const std::string_view octets = input_.substr(0, whole ? newline + 1 : input_.size());
  input_.remove_prefix(octets.size());
  if (skipped_ > 0 || partial_.size() + octets.size() > limit) {
    skipped_ += partial_.size() + octets.size();
    partial_.clear();
    if (skipped_ > max_skipped) return Line::endless;
    if (!whole) return Line::none;
    skipped_ = 0;
    return Line::too_long;
  }
  if (!whole) {
    partial_.append(octets);
    return Line::none;
  }
  line = octets;
  if (!partial_.empty()) {
    storage_ = std::move(partial_);
    partial_.clear();
    storage_.append(octets);
    line = storage_;
  }
  if (!line.ends_with("\r\n")) return Line::bad_end;
  line.remove_suffix(2);
  return Line::whole;
}

ServerCore::Step ServerCore::syntax_error(const SyntaxError& error) {
  if (refusing_) return refuse(reply::service_refused);
  switch (error.fault) {
    case SyntaxFault::unknown_command:
      return refuse(with_text(reply::unknown_command, error.text));
    case SyntaxFault::not_smtp:
      return hang_up(reply::not_smtp);
    case SyntaxFault::bad_argument:
      return refuse(Reply(501, {5, 5, 4}, error.text));
    case SyntaxFault::bad_sender:
      return refuse(Reply(501, {5, 1, 7}, error.text));
    case SyntaxFault::bad_recipient:
      return refuse(Reply(501, {5, 1, 3}, error.text));
    case SyntaxFault::needs_smtputf8:
      return refuse(reply::needs_utf8);
    case SyntaxFault::bad_base64:
      return refuse(reply::auth_bad_base64);
    case SyntaxFault::unknown_parameter:
      return refuse(Reply(555, {5, 5, 4}, error.text));
    case SyntaxFault::bad_chunk:
      return hang_up(Reply(501, {5, 5, 4}, error.text));
  }
  return refuse(reply::unknown_command);
}

ServerCore::Step ServerCore::refuse(const Reply& reply) {
  put(reply);
  count_error();
  return Event::refused;
}

// An error of the client's. Too many of them end the session.
void ServerCore::count_error() {
  const ServerLimits& limits = settings_.limits;
  ++errors_;
  ++errors_in_a_row_;
  const bool enough =
      settings_.unlimited ? errors_in_a_row_ >= limits.errors_in_a_row : errors_ >= limits.errors;
  if (enough) goodbye_ = reply::too_many_errors;
}

ServerCore::Step ServerCore::hang_up(const Reply& reply) {
  put(reply);
  phase_ = Phase::closed;
  return Event::close;
}

void ServerCore::put(const Reply& reply) {
  append_reply(output_, reply);
  last_reply_ = reply;
  if (!reply.negative()) errors_in_a_row_ = 0;
}

void ServerCore::answer(const Reply& reply) {
  const Pending pending = std::exchange(pending_, Pending::none);
  const bool in_chunk = pending == Pending::data && in_chunks_;  // answered behind the chunk
  if (closes_channel(reply) && !in_chunk) phase_ = Phase::closed;
  switch (pending) {
    case Pending::xclient:
      if (!reply.positive()) return start_refusing(reply);
      return put_greeting();
    case Pending::hello:
      greeted_ = reply.positive();
      if (greeted_) return put_hello();
      return put(reply);
    case Pending::mail:
      if (!reply.positive()) (void)drop_transaction();
      return put(reply);
    case Pending::rcpt:
      if (reply.positive()) {
        envelope_->recipients.push_back(std::move(recipient_));
      } else {
        recipients_refused_ = true;
        if (reply.permanent()) ++refused_recipients_;
      }
      put(reply);
      if (refused_recipients_ >= settings_.limits.refused_recipients && !settings_.unlimited) {
        goodbye_ = reply::too_many_errors;
      }
      return;
    case Pending::data:
      if (in_chunks_) {
        if (reply.negative()) body_refused_ = reply;
        return;
      }
      if (!reply.negative()) {
        phase_ = Phase::data;
        return put(reply.intermediate() ? reply : reply::start_body);
      }
      put(reply);
      then_ = drop_transaction();
      return;
    case Pending::query:
      return put(reply);
    case Pending::none:
    case Pending::message_end:
    case Pending::auth:
    case Pending::tls:
      break;
  }
  check(false, "an answer to nothing");
}

void ServerCore::answer_message(const std::vector<Reply>& replies) {
  check(std::exchange(pending_, Pending::none) == Pending::message_end, "no message has ended");
  const std::size_t expected = session_.lmtp ? envelope_->recipients.size() : 1;
  check(replies.size() == expected, "a message is answered once, in LMTP once per recipient");
  for (const Reply& reply : replies) put(reply);
  if (!session_.lmtp && closes_channel(replies.front())) phase_ = Phase::closed;
  idle_commands_ = 0;
  (void)drop_transaction();
}

void ServerCore::refuse_body(const Reply& why) {
  if (!body_refused_) body_refused_ = why;
}

void ServerCore::challenge(std::string_view octets) {
  check(std::exchange(pending_, Pending::none) == Pending::auth, "no AUTH is under way");
  phase_ = Phase::auth;
  // Not put(): a challenge is longer than a reply may be.
  output_.append("334 ").append(encode_base64(octets)).append("\r\n");
}

void ServerCore::authenticated(std::string user) {
  check(std::exchange(pending_, Pending::none) == Pending::auth, "no AUTH is under way");
  session_.user = std::move(user);
  session_.mechanism = auth_.mechanism;
  put(reply::auth_ok);
}

void ServerCore::refuse_auth(const Reply& why) {
  check(std::exchange(pending_, Pending::none) == Pending::auth, "no AUTH is under way");
  put(why);
  if (++auth_failures_ >= settings_.limits.auth_attempts && !settings_.unlimited) {
    goodbye_ = reply::too_many_errors;
  }
}

void ServerCore::tls_started(TlsInfo tls) {
  check(std::exchange(pending_, Pending::none) == Pending::tls, "no STARTTLS is under way");
  session_.tls = std::move(tls);
  session_.extended = false;
  session_.user.clear();
  session_.mechanism.clear();
  session_.client.helo.clear();
  session_.client.protocol.clear();
  mechanisms_.clear();
  forwarded_.reset();
  forwarded_ident_.clear();
  greeted_ = false;
}

void ServerCore::set_auth_mechanisms(std::vector<std::string> names) {
  mechanisms_ = std::move(names);
}

void ServerCore::shut_down(const Reply& why) {
  goodbye_ = why;
  pending_ = Pending::none;
}

}  // namespace posthorn::smtp
