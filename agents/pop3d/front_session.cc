#include "agents/pop3d/front_session.h"

#include "libmail/base/base64.h"

namespace posthorn::pop3d {

using async::Task;
using pop3::Event;

FrontSession::FrontSession(std::unique_ptr<async::Stream> stream,
                           std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                           service::Log& log, access::FrontCounters& counters)
    : FrontClient(std::move(stream), std::move(sasl),
                  static_cast<const access::FrontSettings&>(settings), "pop3", log, counters),
      settings_(std::move(settings)) {}

FrontSession::~FrontSession() = default;

// What may be offered now: it changes with TLS.
Task<void> FrontSession::prepare() {
  auto names = co_await mechanisms();
  core_->settings().mechanisms = std::move(names);
  core_->settings().plaintext = takes_plaintext();
}

Task<void> FrontSession::greet_and_log_in() {
  pop3::Settings settings;
  settings.limits = settings_.limits;
  settings.can_stls = can_start_tls();
  settings.plaintext = takes_plaintext();
  settings.delete_after_retr = settings_.delete_after_retr;
  core_ = std::make_unique<pop3::ServerCore>(std::move(settings));
  co_await prepare();
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
      core_->end("", "too slow, goodbye");
      continue;
    }
    if (!count || *count == 0) co_return;
    core_->feed(input_.view());
    input_.clear();
  }
}

// False ends the time before log-in, whether the client goes or is handed over.
Task<bool> FrontSession::handle(Event event) {
  bool goes_on = false;
  switch (event.kind) {
    case Event::Kind::start_tls:
      goes_on = co_await start_tls();
      break;
    case Event::Kind::login:
      goes_on = co_await log_in("USER", std::move(event.user), std::move(event.password));
      break;
    case Event::Kind::sasl_start:
      goes_on = co_await start_sasl(std::move(event.mechanism), std::move(event.initial));
      break;
    case Event::Kind::sasl_response:
      goes_on = co_await step_sasl(std::move(event.data));
      break;
    case Event::Kind::sasl_cancel:
      cancel_sasl();
      goes_on = true;
      break;
    case Event::Kind::retrieve:
    case Event::Kind::commit:  // TRANSACTION is the worker's
    case Event::Kind::close:
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
  core_->tls_started();
  co_await prepare();
  co_return true;
}

void FrontSession::say_refused(Refusal why) {
  if (why == Refusal::unavailable)
    return core_->refused(pop3::code::system_temporary,
                          "log-ins can't be checked now, try again later");
  core_->refused(pop3::code::authentication, "log-in failed");
}

void FrontSession::say_answer(const access::WorkerAnswer& answer) {
  if (answer.ok) return core_->handed_over(pop3::Reply(true, answer.code, answer.text));
  if (answer.text.empty())
    return core_->refused(pop3::code::system_temporary,
                          "mailboxes can't be opened now, try again later");
  core_->refused(answer.code, answer.text);
}

Task<std::optional<access::WorkerAnswer>> FrontSession::ask_worker(std::string user,
                                                                   async::Deadline deadline) {
  auto line = co_await link().hear(deadline);
  if (line && line->compare(0, 3, "+OK") == 0) {
    std::string ask = "AUTH EXTERNAL " + encode_base64(user) + "\r\n";
    const auto said = co_await link().say(std::move(ask), deadline);
    if (said) line = co_await link().hear(deadline);
    if (!said) line = fail(said.error());
  }
  const auto reply = line ? pop3::parse_reply(*line) : std::nullopt;
  if (!reply) {
    log().error("", "worker-unavailable",
                {{"why", line ? "it does not speak POP3" : line.error()}});
    co_return std::nullopt;
  }
  access::WorkerAnswer answer;
  answer.ok = reply->ok;
  answer.code = reply->code;
  answer.text = reply->text;
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

}  // namespace posthorn::pop3d
