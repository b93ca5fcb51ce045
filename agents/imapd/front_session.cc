#include "agents/imapd/front_session.h"

#include "agents/imapd/return_watch.h"
#include "libmail/base/base64.h"
#include "libmail/imap/response_code.h"

namespace posthorn::imapd {

using async::Task;

namespace {

constexpr std::string_view tag = "F1 ";

}  // namespace

FrontSession::FrontSession(std::unique_ptr<async::Stream> stream,
                           std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                           service::Log& log, access::FrontCounters& counters)
    : FrontDialogue(std::move(stream), std::move(sasl),
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

Task<std::unique_ptr<imap::LoginCore>> FrontSession::make_core() {
  auto settings = co_await core_settings();
  co_return std::make_unique<imap::LoginCore>(std::move(settings));
}

Task<void> FrontSession::tell_secured() {
  auto settings = co_await core_settings();
  core().tls_started(std::move(settings));
}

void FrontSession::say_refused(Refusal why) {
  if (why == Refusal::unavailable)
    return core().refused(imap::no("UNAVAILABLE", "log-ins can't be checked now, try again later"));
  core().refused(imap::no("AUTHENTICATIONFAILED", "log-in failed"));
}

void FrontSession::say_answer(const access::WorkerAnswer& answer) {
  const std::size_t space = answer.code.find(' ');
  imap::ResponseCode code(answer.code.substr(0, space),
                          space == std::string::npos ? "" : answer.code.substr(space + 1));
  if (answer.ok) return core().handed_over(imap::ok(std::move(code), answer.text));
  if (answer.text.empty())
    return core().refused(imap::no("UNAVAILABLE", "mail can't be reached now, try again later"));
  core().refused(imap::no(std::move(code), answer.text));
}

std::unique_ptr<access::ReturnWatch> FrontSession::make_watch() {
  return std::make_unique<UnauthenticateWatch>();
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

}  // namespace posthorn::imapd
