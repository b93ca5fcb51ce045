#include "agents/authd/auth_session.h"

#include <unistd.h>

#include "libmail/base/base64.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::authd {

using async::Deadline;
using async::Task;
using sasl::Step;
namespace dovecot = sasl::dovecot;

namespace {

constexpr std::size_t cookie_size = 16;
constexpr std::size_t nonce_size = 18;

bool shows_password(const std::string& mechanism) {
  return mechanism == "PLAIN" || mechanism == "LOGIN";
}

}  // namespace

struct AuthSession::Exchange {
  dovecot::AuthRequest request;
  std::unique_ptr<sasl::ServerMechanism> machine;
  Step step;
  std::string user;         // as the users file spells it, once it is known
  bool disabled = false;    // `nologin`
  bool cancelled = false;   // by the client, or because the connection goes
  std::string answer;       // the client's, to the last challenge
  bool bad_answer = false;  // which was no base64
  async::Event answered;

  explicit Exchange(dovecot::AuthRequest asked) : request(std::move(asked)) {}
};

AuthSession::AuthSession(std::unique_ptr<async::Stream> stream, Verifier& verifier,
                         service::Log& log, std::uint64_t number)
    : stream_(std::move(stream)),
      verifier_(verifier),
      log_(log),
      number_(number),
      outbox_(*stream_) {}

AuthSession::~AuthSession() = default;

std::string AuthSession::handshake() const {
  std::string lines = dovecot::format_server_line(dovecot::Version());
  const auto announce = [&lines](const char* name, std::vector<std::string> flags) {
    lines += dovecot::format_server_line(dovecot::Mechanism{name, std::move(flags)});
  };
  if (verifier_.users().all_have_scram()) {
    announce("SCRAM-SHA-256", {"mutual-auth"});
    // `private` keeps it from clients that know nothing of channel bindings and would offer it to everybody.
    announce("SCRAM-SHA-256-PLUS",
             {"private", "mutual-auth", "channel-binding", "cbind=tls-exporter"});
  }
  announce("PLAIN", {"plaintext"});
  announce("LOGIN", {"plaintext"});
  lines += dovecot::format_server_line(dovecot::Spid{std::to_string(::getpid())});
  lines += dovecot::format_server_line(dovecot::Cuid{number_});
  lines += dovecot::format_server_line(dovecot::Cookie{hex(random_octets(cookie_size))});
  return lines + dovecot::format_server_line(dovecot::Done());
}

Task<void> AuthSession::serve() {
  scope_.spawn(outbox_.run());
  outbox_.add(handshake());
  for (;;) {
    // Clients keep their connection and are silent most of the time.
    const Deadline deadline = has_pid_ ? Deadline::never() : Deadline::in(handshake_time);
    const auto count = co_await stream_->read(buffer_, deadline);
    if (!count || *count == 0) break;
    if (!take_lines()) break;
    const bool alive = co_await outbox_.wait_for_room();
    if (!alive) break;
  }
  for (const auto& [id, exchange] : exchanges_) {
    exchange->cancelled = true;
    exchange->answered.set();
  }
  outbox_.close();
  co_await scope_.join();
  stream_->close();
}

bool AuthSession::take_lines() {
  lines_.feed(buffer_.view());
  buffer_.clear();
  while (const auto line = lines_.next()) {
    if (!take_line(*line)) return false;
  }
  if (lines_.too_long()) protocol_error("a line of more than 16384 octets");
  return !lines_.too_long();
}

// False ends the session.
bool AuthSession::take_line(const std::string& line) {
  auto message = dovecot::parse_client_line(line);
  if (!message) {
    protocol_error(message.error());
    return false;
  }
  if (std::holds_alternative<dovecot::Version>(*message)) {
    has_version_ = true;
  } else if (std::holds_alternative<dovecot::Cpid>(*message)) {
    has_pid_ = true;
  } else if (!has_version_ || !has_pid_) {
    protocol_error("a request before VERSION and CPID");
    return false;
  } else if (auto* request = std::get_if<dovecot::AuthRequest>(&*message)) {
    return on_auth(std::move(*request));
  } else if (auto* answer = std::get_if<dovecot::Continue>(&*message)) {
    on_continue(std::move(*answer));
  } else if (const auto* cancel = std::get_if<dovecot::Cancel>(&*message)) {
    const auto found = exchanges_.find(cancel->id);
    if (found != exchanges_.end()) {
      found->second->cancelled = true;
      found->second->answered.set();
    }
  }
  return true;
}

bool AuthSession::on_auth(dovecot::AuthRequest request) {
  if (exchanges_.contains(request.id)) {
    protocol_error("an id that is in use");
    return false;
  }
  request.mechanism = upper(request.mechanism);
  auto exchange = std::make_shared<Exchange>(std::move(request));
  if (exchanges_.size() >= most_exchanges) {
    refuse_for_now(*exchange, "too many exchanges at once");
    return true;
  }
  exchanges_[exchange->request.id] = exchange;
  scope_.spawn(run(std::move(exchange)));
  return true;
}

void AuthSession::on_continue(dovecot::Continue answer) {
  const auto found = exchanges_.find(answer.id);
  // Nobody waits for it: the exchange has timed out, or the client speaks out of turn.
  if (found == exchanges_.end() || found->second->answered.is_set()) return;
  found->second->answer = std::move(answer.data);
  found->second->bad_answer = answer.bad_data;
  found->second->answered.set();
}

Task<void> AuthSession::run(std::shared_ptr<Exchange> exchange) {
  const dovecot::AuthRequest& request = exchange->request;
  sasl::ServerOptions options;
  options.channel_binding = request.channel_binding;
  options.nonce = encode_base64(random_octets(nonce_size));
  const bool in_clear = !request.secured && !verifier_.options().plaintext_in_clear;
  if (request.bad_data) {
    Step no;
    no.detail = "an initial response that is no base64";
    refuse(*exchange, no);
  } else if (shows_password(request.mechanism) && in_clear) {
    Step no;
    no.detail = "a password in clear on a connection that is not secured";
    refuse(*exchange, no);
  } else {
    exchange->machine = sasl::make_server_mechanism(request.mechanism, std::move(options));
    if (!exchange->machine) {
      Step no;
      no.detail = "no such mechanism, or no channel binding for it";
      refuse(*exchange, no);
    } else {
      bool goes_on = true;
      std::optional<std::string_view> initial;
      if (request.initial_response) initial = *request.initial_response;
      exchange->step = exchange->machine->start(initial);
      while (goes_on && !exchange->cancelled) goes_on = co_await drive(exchange);
    }
  }
  exchanges_.erase(request.id);
  close_if_idle();
}

// One step; false if it was the last.
Task<bool> AuthSession::drive(std::shared_ptr<Exchange> exchange) {
  switch (exchange->step.kind) {
    case Step::Kind::challenge: {
      const bool answered = co_await ask_client(exchange, exchange->step.data);
      if (answered) exchange->step = exchange->machine->respond(exchange->answer);
      co_return answered;
    }
    case Step::Kind::need_keys: {
      const bool goes_on = co_await find_keys(exchange);
      co_return goes_on;
    }
    case Step::Kind::check_password: {
      const bool goes_on = co_await check_password(exchange);
      co_return goes_on;
    }
    case Step::Kind::success: {
      if (!exchange->step.data.empty() && !exchange->request.final_resp_ok) {
        const bool answered = co_await ask_client(exchange, exchange->step.data);
        if (!answered) co_return false;
      }
      succeed(*exchange);
      co_return false;
    }
    case Step::Kind::failure:
      refuse(*exchange, exchange->step);
      co_return false;
  }
  co_return false;
}

// False if no answer came: cancelled, or too late.
Task<bool> AuthSession::ask_client(std::shared_ptr<Exchange> exchange, std::string challenge) {
  exchange->answered.reset();
  outbox_.add(
      dovecot::format_server_line(dovecot::Continue(exchange->request.id, std::move(challenge))));
  const bool in_time = co_await exchange->answered.wait_until(Deadline::in(answer_time));
  if (!in_time) {
    Step late;
    late.detail = "no answer in time";
    late.user = exchange->step.user;
    refuse(*exchange, late);
  }
  if (in_time && !exchange->cancelled && exchange->bad_answer) {
    Step bad;
    bad.detail = "an answer that is no base64";
    bad.user = exchange->step.user;
    refuse(*exchange, bad);
    co_return false;
  }
  co_return in_time && !exchange->cancelled;
}

Task<bool> AuthSession::find_keys(std::shared_ptr<Exchange> exchange) {
  const std::string& client = exchange->request.remote_ip;
  const bool admitted = co_await verifier_.wait_turn(client, exchange->step.user);
  if (!admitted) {
    refuse_for_now(*exchange, "too many attempts");
    co_return false;
  }
  const Verifier::Keys found = verifier_.keys_of(exchange->step.user);
  exchange->user = found.user;
  exchange->disabled = found.disabled;
  exchange->step = exchange->machine->keys(found.keys, found.known);
  co_return true;
}

Task<bool> AuthSession::check_password(std::shared_ptr<Exchange> exchange) {
  const std::string& client = exchange->request.remote_ip;
  const bool admitted = co_await verifier_.wait_turn(client, exchange->step.user);
  if (!admitted) {
    refuse_for_now(*exchange, "too many attempts");
    co_return false;
  }
  const auto verdict =
      co_await verifier_.verify(exchange->step.user, std::move(exchange->step.password));
  if (verdict.unavailable) {
    refuse_for_now(*exchange, "too much to do");
    co_return false;
  }
  exchange->user = verdict.user;
  exchange->disabled = verdict.disabled;
  exchange->step = exchange->machine->checked(verdict.good);
  co_return true;
}

void AuthSession::succeed(Exchange& exchange) {
  const dovecot::AuthRequest& request = exchange.request;
  if (exchange.disabled) {
    verifier_.note(false, request.remote_ip, exchange.user, request.mechanism, request.service,
                   "nologin");
    dovecot::Fail no;
    no.id = request.id;
    no.user = exchange.user;
    no.code = "user_disabled";
    outbox_.add(dovecot::format_server_line(no));
    return;
  }
  verifier_.note(true, request.remote_ip, exchange.user, request.mechanism, request.service, "");
  dovecot::Ok ok;
  ok.id = request.id;
  ok.user = exchange.user;
  if (!exchange.step.data.empty() && request.final_resp_ok) ok.additional_data = exchange.step.data;
  outbox_.add(dovecot::format_server_line(ok));
}

void AuthSession::refuse(Exchange& exchange, const Step& step) {
  const dovecot::AuthRequest& request = exchange.request;
  // A client that hangs up is no guesser; a name that was never said is nobody's failure.
  if (!exchange.cancelled)
    verifier_.note(false, request.remote_ip, step.user, request.mechanism, request.service,
                   step.detail);
  dovecot::Fail no;
  no.id = request.id;
  no.user = step.user;
  no.not_authorized = step.refusal == sasl::Refusal::not_authorized && !step.user.empty();
  outbox_.add(dovecot::format_server_line(no));
}

void AuthSession::refuse_for_now(Exchange& exchange, std::string_view why) {
  dovecot::Fail no;
  no.id = exchange.request.id;
  no.temporary = true;
  no.code = "temp_fail";
  no.reason = std::string(why);
  outbox_.add(dovecot::format_server_line(no));
}

void AuthSession::protocol_error(std::string_view why) {
  log_.warning("", "protocol-error", {{"peer", stream_->peer().text()}, {"why", why}});
}

void AuthSession::retire(Retire how) {
  retired_ = true;
  if (how == Retire::now) {
    for (const auto& [id, exchange] : exchanges_) {
      exchange->cancelled = true;
      exchange->answered.set();
    }
    outbox_.close(true);
  }
  close_if_idle();
}

void AuthSession::close_if_idle() {
  // serve() sees the end of the stream and does the rest.
  if (retired_ && exchanges_.empty()) outbox_.close(true);
}

}  // namespace posthorn::authd
