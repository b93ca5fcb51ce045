#include "libmail/imap/server/login_core.h"

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/imap/server/capabilities.h"

namespace posthorn::imap {

using Event = LoginEvent;

LoginCore::LoginCore(LoginSettings settings)
    : settings_(std::move(settings)), reader_(LineReader::Side::server, settings_.limits.lines) {
  output_ = "* OK [CAPABILITY " + capabilities() + "] " + settings_.greeting + "\r\n";
}

std::string LoginCore::capabilities() const {
  LoginCapabilities state;
  state.can_start_tls = settings_.can_start_tls;
  state.plaintext = settings_.plaintext;
  state.mechanisms = settings_.mechanisms;
  return capabilities_before_login(state);
}

bool LoginCore::has_mechanism(std::string_view name) const {
  for (const std::string& mechanism : settings_.mechanisms)
    if (iequals(mechanism, name)) return true;
  return false;
}

void LoginCore::raise(Event event) {
  event_ = std::move(event);
}

void LoginCore::close() {
  state_ = State::closed;
  raise(Event(Event::Kind::close));
}

void LoginCore::untagged(std::string_view text) {
  output_.append("* ").append(text).append("\r\n");
}

std::optional<Event> LoginCore::next() {
  for (;;) {
    if (event_) return std::exchange(event_, std::nullopt);
    if (state_ == State::waiting || state_ == State::closed) return std::nullopt;
    std::string_view rest = input_;
    const LineReader::Event event = reader_.read(rest);
    input_.erase(0, input_.size() - rest.size());
    switch (event) {
      case LineReader::Event::more:
        return std::nullopt;
      case LineReader::Event::literal:
        on_literal();
        break;
      case LineReader::Event::line: {
        const Line line = reader_.take_line();
        if (state_ == State::sasl) {
          on_sasl_line(line);
        } else {
          on_line(line);
        }
        break;
      }
      case LineReader::Event::error:
        on_error(reader_.error());
        break;
      case LineReader::Event::part:
      case LineReader::Event::dropped:
        break;
    }
  }
}

void LoginCore::on_literal() {
  const bool waits = reader_.literal().waits;
  if (reader_.keep() && waits) output_ += "+ go ahead\r\n";
}

void LoginCore::on_error(LineError error) {
  const auto head = parse_command_head(reader_.line().text);
  tag_ = head ? head->tag : "*";
  reader_.give_up();
  if (state_ == State::sasl) {
    raise(Event(Event::Kind::sasl_cancel));
    state_ = State::commands;
    reader_.set_limits(settings_.limits.lines);
  }
  failed(bad(text_of(error)));
}

// BAD; too many end the session.
void LoginCore::failed(const Reply& answer) {
  reply(answer);
  if (++errors_ < settings_.limits.errors) return;
  untagged("BYE too many errors");
  close();
}

void LoginCore::on_line(const Line& line) {
  auto command = parse_command(line);
  if (!command) {
    tag_ = command.error().tag;
    return failed(bad(command.error().text()));
  }
  tag_ = command->tag;
  if (++commands_ > settings_.limits.commands) {
    untagged("BYE too many commands before log-in");
    return close();
  }
  on_command(std::move(*command));
}

void LoginCore::on_command(Command command) {
  if (const auto* simple = std::get_if<Simple>(&command.body)) return on_simple(*simple);
  if (std::holds_alternative<Id>(command.body)) {
    untagged(R"(ID ("name" "Posthorn"))");
    return reply(ok("ID done"));
  }
  if (auto* authenticate = std::get_if<Authenticate>(&command.body))
    return on_authenticate(std::move(*authenticate));
  if (auto* login = std::get_if<Login>(&command.body)) return on_login(std::move(*login));
  failed(bad("log in first"));
}

void LoginCore::on_simple(Simple command) {
  switch (command) {
    case Simple::capability:
      untagged("CAPABILITY " + capabilities());
      return reply(ok("CAPABILITY done"));
    case Simple::noop:
      return reply(ok("NOOP done"));
    case Simple::logout:
      untagged("BYE goodbye");
      reply(ok("LOGOUT done"));
      return close();
    case Simple::starttls:
      if (!settings_.can_start_tls) return failed(bad("there is no TLS to be started"));
      reply(ok("begin TLS now"));
      input_.clear();
      state_ = State::waiting;
      return raise(Event(Event::Kind::start_tls));
    default:
      return failed(bad("log in first"));
  }
}

void LoginCore::on_authenticate(Authenticate command) {
  if (!has_mechanism(command.mechanism)) {
    if (settings_.mechanisms.empty())
      return reply(no("PRIVACYREQUIRED", "there is no mechanism now, start TLS first"));
    return reply(no("CANNOT", "there is no such mechanism"));
  }
  Event event(Event::Kind::sasl_start);
  event.mechanism = std::move(command.mechanism);
  event.initial = std::move(command.initial);
  state_ = State::waiting;
  raise(std::move(event));
}

void LoginCore::on_login(Login command) {
  if (!settings_.plaintext)
    return reply(no("PRIVACYREQUIRED", "no password is taken in clear, start TLS first"));
  Event event(Event::Kind::login);
  event.user = std::move(command.user);
  event.password = std::move(command.password);
  state_ = State::waiting;
  raise(std::move(event));
}

void LoginCore::on_sasl_line(const Line& line) {
  reader_.set_limits(settings_.limits.lines);
  if (line.text == "*") {
    state_ = State::commands;
    raise(Event(Event::Kind::sasl_cancel));
    return reply(bad("AUTHENTICATE cancelled"));
  }
  auto data = decode_base64(line.text);
  if (!data) {
    state_ = State::commands;
    raise(Event(Event::Kind::sasl_cancel));
    return failed(bad("AUTHENTICATE: that is no base64"));
  }
  Event event(Event::Kind::sasl_response);
  event.data = std::move(*data);
  state_ = State::waiting;
  raise(std::move(event));
}

std::string LoginCore::take_rest() {
  state_ = State::closed;
  return std::exchange(input_, {});
}

void LoginCore::tls_started(LoginSettings settings) {
  settings_ = std::move(settings);
  input_.clear();
  reader_ = LineReader(LineReader::Side::server, settings_.limits.lines);
  state_ = State::commands;
}

void LoginCore::challenge(std::string_view octets) {
  output_.append("+ ").append(encode_base64(octets)).append("\r\n");
  Limits limits = settings_.limits.lines;
  limits.line = settings_.limits.response;
  reader_.set_limits(limits);
  state_ = State::sasl;
}

void LoginCore::logged_in(std::string_view words) {
  handed_over(ok(ResponseCode("CAPABILITY", words), "logged in"));
}

void LoginCore::handed_over(const Reply& answer) {
  reply(answer);
  state_ = State::closed;
}

void LoginCore::refused(const Reply& answer) {
  reply(answer);
  state_ = State::commands;
  if (answer.code.is("UNAVAILABLE") || ++logins_ < settings_.limits.logins) return;
  untagged("BYE too many failed log-ins");
  close();
}

void LoginCore::end(std::string_view text) {
  untagged("BYE " + std::string(text));
  close();
}

}  // namespace posthorn::imap
