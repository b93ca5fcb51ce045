#include "libmail/smtp/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

constexpr EnhancedStatus bad_connection(4, 4, 2);
constexpr EnhancedStatus protocol_error(4, 5, 0);
constexpr EnhancedStatus tls_needed(4, 7, 4);
constexpr EnhancedStatus login_failed(4, 7, 8);
constexpr std::size_t longest_command = 512;  // RFC 5321 4.5.3.1.4
constexpr EnhancedStatus no_service_now(4, 3, 2);

// The same words as a transient status: what was refused is us or our settings, not the message.
Status demoted(Status status, EnhancedStatus code) {
  if (!status.is_permanent()) return status;
  status.status_class = StatusClass::transient;
  status.enhanced = code;
  return status;
}

// RFC 7504: these two say that no mail is ever taken here. Other 5xx greetings are sent for all
// kinds of passing reasons and must not bounce what another host or another hour would take.
bool is_final_greeting(const Reply& reply) {
  return reply.code == 521 || reply.code == 556;
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)), parser_(options_.reply_limits) {
  say(Awaited::greeting, {});
}

// --- commands out ---

void ClientCore::say(Awaited awaited, std::string_view line, std::size_t rcpt) {
  if (sent_ == commands_.size() && (commands_.empty() || extensions_.pipelining)) {
    output_ += line;
    commands_.push_back(Command{awaited, rcpt, {}});
    ++sent_;
  } else {
    commands_.push_back(Command{awaited, rcpt, std::string(line)});
  }
}

void ClientCore::send_held() {
  if (sent_ != 0 || commands_.empty()) return;
  output_ += commands_.front().held;
  commands_.front().held.clear();
  sent_ = 1;
}

void ClientCore::say_hello(Awaited awaited) {
  const bool lmtp = options_.dialect == ClientDialect::lmtp;
  say(awaited, fmt::format("{} {}\r\n", lmtp ? "LHLO" : "EHLO", options_.name));
}

void ClientCore::quit() {
  if (phase_ == Phase::closed) return;
  close(own(bad_connection, "connection closed by us"));
  output_ += "QUIT\r\n";
}

// --- replies in ---

void ClientCore::receive(std::string_view octets) {
  if (!octets.empty()) heard_ = true;
  while (!octets.empty() && phase_ != Phase::closed) {
    if (phase_ == Phase::handshake) {
      // Somebody put clear text behind the 220 to have it read as if it came through TLS.
      close(own(EnhancedStatus(4, 7, 0),
                "sent octets between the reply to STARTTLS and the handshake"));
      return;
    }
    const Result<bool, ReplyError> whole = parser_.feed(octets);
    if (!whole) {
      const std::string_view awaited = awaited_now();
      close(own(protocol_error,
                fmt::format("sent what is no reply ({}) in place of {}", describe(whole.error()),
                            awaited.empty() ? "nothing" : awaited)));
      return;
    }
    if (*whole) handle(parser_.reply());
  }
}

void ClientCore::handle(const Reply& reply) {
  if (sent_ == 0) return on_unasked(reply);
  const Awaited awaited = commands_.front().awaited;
  const std::size_t rcpt = commands_.front().rcpt;
  if (reply.code == 421 && awaited != Awaited::greeting) return close(status_of(reply));
  bool answered = true;
  if (awaited == Awaited::last_chunk || awaited == Awaited::dot) answered = on_last(reply);
  if (phase_ == Phase::closed) return;
  if (answered) {
    commands_.pop_front();
    --sent_;
  }
  switch (awaited) {
    case Awaited::greeting:
      on_greeting(reply);
      break;
    case Awaited::ehlo:
    case Awaited::helo:
      on_hello(awaited, reply);
      break;
    case Awaited::starttls:
      on_starttls(reply);
      break;
    case Awaited::auth:
    case Awaited::auth_user:
    case Awaited::auth_password:
    case Awaited::auth_token:
    case Awaited::auth_refused:
      on_auth(awaited, reply);
      break;
    case Awaited::xclient:
      on_xclient(reply);
      break;
    case Awaited::ehlo_again:
      on_hello_again(reply);
      break;
    case Awaited::mail:
      on_mail(reply);
      break;
    case Awaited::rcpt:
      on_rcpt(rcpt, reply);
      break;
    case Awaited::data:
      on_data(reply);
      break;
    case Awaited::chunk:
      on_chunk(reply);
      break;
    case Awaited::empty_dot:
      dirty_ = reply.negative();
      break;
    case Awaited::ignored:
    case Awaited::last_chunk:
    case Awaited::dot:
      break;
  }
  if (phase_ != Phase::closed) send_held();
}

// Nothing was asked: a 421 on an idle connection, or a server that refuses a message in its middle.
void ClientCore::on_unasked(const Reply& reply) {
  if (reply.negative()) return close(status_of(reply));
  close(own(protocol_error, fmt::format("sent a reply to nothing: {} {}", reply.code, reply.text)));
}

void ClientCore::on_greeting(const Reply& reply) {
  if (reply.positive()) return say_hello(Awaited::ehlo);
  if (reply.intermediate()) return close(nonsense(reply));
  if (is_final_greeting(reply)) return close(status_of(reply));
  close(demoted(status_of(reply), no_service_now));
}

void ClientCore::on_hello(Awaited awaited, const Reply& reply) {
  if (reply.intermediate()) return close(nonsense(reply));
  if (reply.positive()) {
    server_name_ = reply.text.substr(0, reply.text.find_first_of(" \n"));
    if (awaited == Awaited::ehlo) extensions_ = parse_extensions(reply.text);
    return after_hello();
  }
  const bool lmtp = options_.dialect == ClientDialect::lmtp;
  if (lmtp) return close(demoted(status_of(reply), protocol_error));
  if (awaited == Awaited::helo || !reply.permanent()) return close(status_of(reply));
  say(Awaited::helo, fmt::format("HELO {}\r\n", options_.name));
}

void ClientCore::after_hello() {
  if (!secure_ && options_.tls != TlsLevel::never) {
    if (extensions_.starttls && !starttls_refused_) return say(Awaited::starttls, "STARTTLS\r\n");
    if (options_.tls == TlsLevel::required)
      return close(own(tls_needed, "does not offer STARTTLS, and TLS is required for it"));
  }
  if (options_.login) return say_auth();
  phase_ = Phase::ready;
}

void ClientCore::on_starttls(const Reply& reply) {
  if (reply.positive()) {
    phase_ = Phase::handshake;
    return;
  }
  if (reply.intermediate()) return close(nonsense(reply));
  if (options_.tls == TlsLevel::required) return close(demoted(status_of(reply), tls_needed));
  starttls_refused_ = true;
  after_hello();
}

// The server's greeting for the client that was named: it may refuse that one. What it says of the command is about our
// configuration and its, not about the message.
void ClientCore::on_xclient(const Reply& reply) {
  if (reply.positive()) return;
  if (reply.intermediate()) return close(nonsense(reply));
  constexpr std::array<int, 6> of_the_command = {500, 501, 502, 503, 504, 550};
  const bool ours = std::ranges::find(of_the_command, reply.code) != of_the_command.end();
  close(ours ? demoted(status_of(reply), EnhancedStatus(4, 7, 0)) : status_of(reply));
}

void ClientCore::on_hello_again(const Reply& reply) {
  if (!reply.positive()) return close(reply.negative() ? status_of(reply) : nonsense(reply));
  extensions_ = parse_extensions(reply.text);
}

void ClientCore::secured() {
  check(phase_ == Phase::handshake || phase_ == Phase::opening, "TLS without a handshake phase");
  secure_ = true;
  if (phase_ == Phase::opening) return;  // TLS came before the greeting
  extensions_ = ServerExtensions();
  parser_ = ReplyParser(options_.reply_limits);
  phase_ = Phase::opening;
  say_hello(Awaited::ehlo);
}

// --- AUTH ---

void ClientCore::say_auth() {
  if (!secure_ && !options_.private_path)
    return close(own(tls_needed, "has no TLS, and our password is not sent in clear"));
  if (!options_.login->tokens.empty()) return say_token();
  if (extensions_.offers_auth("PLAIN")) {
    std::string message(1, '\0');
    message += options_.login->user;
    message += '\0';
    message += options_.login->password;
    return say(Awaited::auth, fmt::format("AUTH PLAIN {}\r\n", encode_base64(message)));
  }
  if (extensions_.offers_auth("LOGIN")) return say(Awaited::auth_user, "AUTH LOGIN\r\n");
  close(own(EnhancedStatus(4, 7, 0), "offers neither AUTH PLAIN nor AUTH LOGIN"));
}

void ClientCore::say_token() {
  const auto& tokens = options_.login->tokens;
  const auto offered = std::ranges::find_if(
      tokens, [this](const TokenResponse& one) { return extensions_.offers_auth(one.mechanism); });
  if (offered == tokens.end())
    return close(own(EnhancedStatus(4, 7, 0), "offers no AUTH that takes a token"));
  token_ = *offered;
  const std::string line =
      fmt::format("AUTH {} {}\r\n", token_.mechanism, encode_base64(token_.response));
  // RFC 4954 4: an initial response is for lines of SMTP's length, a longer one answers the 334.
  if (line.size() <= longest_command) return say(Awaited::auth, line);
  say(Awaited::auth_token, fmt::format("AUTH {}\r\n", token_.mechanism));
}

void ClientCore::on_auth(Awaited awaited, const Reply& reply) {
  if (reply.negative()) return close(demoted(status_of(reply), login_failed));
  if (awaited == Awaited::auth_token && reply.intermediate())
    return say(Awaited::auth, encode_base64(token_.response) + "\r\n");
  // Why the token is refused, in JSON; the refusal itself follows our answer (RFC 7628 3.2.3).
  if (awaited == Awaited::auth && reply.intermediate() && !token_.mechanism.empty())
    return say(Awaited::auth_refused, token_.mechanism == "XOAUTH2" ? "\r\n" : "AQ==\r\n");
  if (awaited == Awaited::auth_user && reply.intermediate())
    return say(Awaited::auth_password, encode_base64(options_.login->user) + "\r\n");
  if (awaited == Awaited::auth_password && reply.intermediate())
    return say(Awaited::auth, encode_base64(options_.login->password) + "\r\n");
  if (awaited != Awaited::auth || !reply.positive()) return close(nonsense(reply));
  phase_ = Phase::ready;
}

// --- the end ---

void ClientCore::lost(std::string_view what) {
  if (phase_ == Phase::closed) return;
  const std::string_view awaited = awaited_now();
  if (awaited.empty()) return close(own(bad_connection, what));
  close(own(bad_connection, fmt::format("{} while waiting for {}", what, awaited)));
}

void ClientCore::abandon(const Status& why) {
  if (phase_ != Phase::closed) close(why);
}

void ClientCore::close(Status why) {
  check(!why.succeeded(), "a connection is closed with a success");
  const bool in_transaction = phase_ == Phase::transaction;
  phase_ = Phase::closed;
  commands_.clear();
  sent_ = 0;
  unanswered_ = 0;
  trouble_ = std::move(why);
  if (!in_transaction) return;
  if (!mail_) mail_ = trouble_;
  settle_everyone(trouble_);
}

bool ClientCore::reusable() const {
  if (phase_ != Phase::ready || !commands_.empty()) return false;
  return !extensions_.max_transactions || transactions_ < *extensions_.max_transactions;
}

// --- words ---

std::string_view ClientCore::awaited_now() const {
  if (sent_ == 0) {
    if (body_ == BodyState::open) return "room for more of the message";
    return phase_ == Phase::handshake ? "the TLS handshake" : "";
  }
  switch (commands_.front().awaited) {
    case Awaited::greeting:
      return "the greeting";
    case Awaited::ehlo:
      return options_.dialect == ClientDialect::lmtp ? "the reply to LHLO" : "the reply to EHLO";
    case Awaited::helo:
      return "the reply to HELO";
    case Awaited::starttls:
      return "the reply to STARTTLS";
    case Awaited::auth:
    case Awaited::auth_user:
    case Awaited::auth_password:
    case Awaited::auth_token:
    case Awaited::auth_refused:
      return "the reply to AUTH";
    case Awaited::ignored:
      return "the reply to RSET or XFORWARD";
    case Awaited::xclient:
      return "the reply to XCLIENT";
    case Awaited::ehlo_again:
      return "the reply to EHLO";
    case Awaited::mail:
      return "the reply to MAIL";
    case Awaited::rcpt:
      return "the reply to RCPT";
    case Awaited::data:
      return "the reply to DATA";
    case Awaited::chunk:
      return "the reply to BDAT";
    case Awaited::last_chunk:
    case Awaited::dot:
      return "the reply to the end of the message (it may arrive twice)";
    case Awaited::empty_dot:
      return "the reply to an empty message";
  }
  return "a reply";
}

namespace {

std::string bracketed(const ClientOptions& options) {
  if (options.remote_address.empty()) return options.remote_name;
  return fmt::format("{}[{}]", options.remote_name, options.remote_address);
}

std::string remote_mta(const ClientOptions& options) {
  if (options.remote_address.empty()) return options.remote_name;
  if (options.remote_name.empty()) return fmt::format("[{}]", options.remote_address);
  return fmt::format("{} [{}]", options.remote_name, options.remote_address);
}

}  // namespace

Status ClientCore::status_of(const Reply& reply) const {
  Status status = to_status(reply, remote_mta(options_));
  const std::string host = bracketed(options_);
  if (host.empty()) return status;
  const std::string code = reply.status.none() ? std::string() : reply.status.text() + " ";
  status.text = fmt::format("host {} said: {} {}{}", host, reply.code, code, status.text);
  return status;
}

Status ClientCore::own(EnhancedStatus code, std::string_view words) const {
  const std::string host = bracketed(options_);
  if (host.empty()) return Status(code, printable(words));
  return Status(code, printable(fmt::format("host {}: {}", host, words)), remote_mta(options_));
}

Status ClientCore::nonsense(const Reply& reply) const {
  return own(protocol_error,
             fmt::format("sent {} {} where that is no answer", reply.code, reply.text));
}

}  // namespace posthorn::smtp
