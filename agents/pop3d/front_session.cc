#include "agents/pop3d/front_session.h"

#include "libmail/base/base64.h"

namespace posthorn::pop3d {

using async::Task;

FrontSession::FrontSession(std::unique_ptr<async::Stream> stream,
                           std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                           service::Log& log, access::FrontCounters& counters)
    : FrontDialogue(std::move(stream), std::move(sasl),
                    static_cast<const access::FrontSettings&>(settings), "pop3", log, counters),
      settings_(std::move(settings)) {}

FrontSession::~FrontSession() = default;

Task<std::unique_ptr<pop3::ServerCore>> FrontSession::make_core() {
  pop3::Settings settings;
  settings.limits = settings_.limits;
  settings.can_stls = can_start_tls();
  settings.plaintext = takes_plaintext();
  settings.delete_after_retr = settings_.delete_after_retr;
  settings.mechanisms = co_await mechanisms();
  co_return std::make_unique<pop3::ServerCore>(std::move(settings));
}

Task<void> FrontSession::tell_secured() {
  core().tls_started();
  auto names = co_await mechanisms();
  core().settings().mechanisms = std::move(names);
  core().settings().plaintext = takes_plaintext();
}

void FrontSession::say_refused(Refusal why) {
  if (why == Refusal::unavailable)
    return core().refused(pop3::code::system_temporary,
                          "log-ins can't be checked now, try again later");
  core().refused(pop3::code::authentication, "log-in failed");
}

void FrontSession::say_answer(const access::WorkerAnswer& answer) {
  if (answer.ok) return core().handed_over(pop3::Reply(true, answer.code, answer.text));
  if (answer.text.empty())
    return core().refused(pop3::code::system_temporary,
                          "mailboxes can't be opened now, try again later");
  core().refused(answer.code, answer.text);
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

}  // namespace posthorn::pop3d
