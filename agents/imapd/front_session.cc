#include "agents/imapd/front_session.h"

#include "libmail/base/base64.h"
#include "libmail/imap/response_code.h"

namespace posthorn::imapd {

using async::Task;
using imap::LoginEvent;

namespace {

constexpr std::string_view tag = "F1 ";

}  // namespace

FrontSession::FrontSession(std::unique_ptr<async::Stream> stream,
                           std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                           service::Log& log, access::FrontCounters& counters)
    : FrontClient(std::move(stream), std::move(sasl),
                  static_cast<const access::FrontSettings&>(settings), "imap", log, counters),
      limits_(settings.limits) {}

FrontSession::~FrontSession() = default;

// What may be offered now: it changes with TLS.
Task<imap::LoginSettings> FrontSession::core_settings() {
  imap::LoginSettings settings;
  settings.limits = limits_;
  settings.can_start_tls = can_start_tls();
  settings.plaintext = takes_plaintext();
  settings.mechanisms = co_await mechanisms();
  co_return settings;
}

Task<void> FrontSession::greet_and_log_in() {
  auto settings = co_await core_settings();
  core_ = std::make_unique<imap::LoginCore>(std::move(settings));
  for (;;) {
    while (auto event = core_->next()) {
      const bool goes_on = co_await handle(std::move(*event));
      if (!goes_on) {
        co_await flush();
        co_return;
      }
    }
    const bool written = co_await flush();
    if (!written) co_return;
    const auto count = co_await read(input_);
    if (!count && count.error().code == IoError::timed_out) {
      core_->end("too slow, goodbye");
      continue;
    }
    if (!count || *count == 0) co_return;
    core_->feed(input_.view());
    input_.clear();
  }
}

// False ends the time before log-in, whether the client goes or is handed over.
Task<bool> FrontSession::handle(LoginEvent event) {
  bool goes_on = false;
  switch (event.kind) {
    case LoginEvent::Kind::start_tls:
      goes_on = co_await start_tls();
      break;
    case LoginEvent::Kind::login:
      goes_on = co_await log_in("LOGIN", std::move(event.user), std::move(event.password));
      break;
    case LoginEvent::Kind::sasl_start:
      goes_on = co_await start_sasl(std::move(event.mechanism), std::move(event.initial));
      break;
    case LoginEvent::Kind::sasl_response:
      goes_on = co_await step_sasl(std::move(event.data));
      break;
    case LoginEvent::Kind::sasl_cancel:
      cancel_sasl();
      goes_on = true;
      break;
    case LoginEvent::Kind::close:
      break;
  }
  co_return goes_on;
}

Task<bool> FrontSession::start_tls() {
  const bool written = co_await flush();
  if (!written) co_return false;
  input_.clear();
  const bool secured = co_await shake_hands();
  if (!secured) co_return false;
  auto settings = co_await core_settings();
  core_->tls_started(std::move(settings));
  co_return true;
}

void FrontSession::say_refused(Refusal why) {
  if (why == Refusal::unavailable)
    return core_->refused(imap::no("UNAVAILABLE", "log-ins can't be checked now, try again later"));
  core_->refused(imap::no("AUTHENTICATIONFAILED", "log-in failed"));
}

void FrontSession::say_answer(const access::WorkerAnswer& answer) {
  const std::size_t space = answer.code.find(' ');
  imap::ResponseCode code(answer.code.substr(0, space),
                          space == std::string::npos ? "" : answer.code.substr(space + 1));
  if (answer.ok) return core_->handed_over(imap::ok(std::move(code), answer.text));
  if (answer.text.empty())
    return core_->refused(imap::no("UNAVAILABLE", "mail can't be reached now, try again later"));
  core_->refused(imap::no(std::move(code), answer.text));
}

Task<std::optional<access::WorkerAnswer>> FrontSession::ask_worker(std::string user,
                                                                   async::Deadline deadline) {
  auto line = co_await link().hear(deadline);
  if (line && line->starts_with("* OK")) {
    std::string ask = std::string(tag) + "AUTHENTICATE EXTERNAL " + encode_base64(user) + "\r\n";
    const auto said = co_await link().say(std::move(ask), deadline);
    if (!said) line = fail(said.error());
    // Untagged responses come first, if any.
    while (line && !line->starts_with(tag)) line = co_await link().hear(deadline);
  }
  const bool ok = line && line->starts_with(std::string(tag) + "OK ");
  const bool no = line && line->starts_with(std::string(tag) + "NO ");
  if (!ok && !no) {
    log().error("", "worker-unavailable",
                {{"why", line ? "it does not speak IMAP" : line.error()}});
    co_return std::nullopt;
  }
  const auto status = imap::parse_status_text(ok ? imap::Condition::ok : imap::Condition::no,
                                              std::string_view(*line).substr(tag.size() + 3));
  access::WorkerAnswer answer;
  answer.ok = ok;
  answer.code = status.code.name;
  if (!status.code.arguments.empty()) answer.code += " " + status.code.arguments;
  answer.text = status.text;
  co_return answer;
}

std::string FrontSession::take_rest() {
  std::string rest = core_->take_rest();
  rest += input_.view();
  core_.reset();
  input_.clear();
  input_.shrink();
  return rest;
}

Task<bool> FrontSession::flush() {
  std::string octets = core_->take_output();
  const bool written = co_await write(std::move(octets));
  co_return written;
}

}  // namespace posthorn::imapd
