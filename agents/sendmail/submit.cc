#include "agents/sendmail/submit.h"

#include <fmt/format.h>

#include "libmail/async/socket.h"
#include "libmail/queue/drop.h"
#include "libmail/queue/id.h"
#include "libmail/service/exit_code.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::sendmail {

namespace exit_code = service::exit_code;
using async::Deadline;
using async::Task;
using smtp::Status;

namespace {

constexpr Duration idle_dialogue = std::chrono::minutes(10);

session::SmtpClientOptions client_options(const Places& places, const Caller& caller) {
  session::SmtpClientOptions options;
  options.core.name = caller.hostname;
  options.timeouts.connect = places.patience;
  options.timeouts.greeting = places.patience;
  options.timeouts.command = places.patience;
  options.timeouts.data = places.patience;
  options.timeouts.block = places.patience;
  return options;
}

session::NextHop hop_to(const Places& places) {
  return {smtp::ClientDialect::smtp, async::Endpoint::unix_path(places.socket)};
}

Verdict unavailable(const Status& status) {
  Verdict verdict;
  verdict.why = fmt::format("{} {}", status.enhanced.text(), status.text);
  return verdict;
}

Verdict refused(const Status& status, const std::string& who) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::refused;
  verdict.failure = Failure{exit_code_of(status),
                            fmt::format("{}: {} {}", who, status.enhanced.text(), status.text)};
  return verdict;
}

// After MAIL and all RCPTs: nothing if everybody was accepted.
std::optional<Verdict> envelope_verdict(const smtp::ClientCore& core,
                                        const smtp::Envelope& envelope) {
  const std::optional<Status>& mail = core.mail_status();
  if (!mail || core.rcpt_count() != envelope.recipients.size()) return unavailable(core.trouble());
  if (mail->is_permanent())
    return refused(*mail, fmt::format("sender {}", smtp::format_path(envelope.reverse_path)));
  if (!mail->succeeded()) return unavailable(*mail);
  std::optional<Verdict> verdict;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
    const Status& status = *core.rcpt_status(i);
    if (!status.is_permanent()) continue;
    Verdict one = refused(status, smtp::format_mailbox(envelope.recipients[i].mailbox));
    if (verdict) one.failure.text = verdict->failure.text + "\n" + one.failure.text;
    verdict = std::move(one);
  }
  if (verdict) return verdict;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
    if (!core.rcpt_status(i)->succeeded()) return unavailable(*core.rcpt_status(i));
  return std::nullopt;
}

}  // namespace

int exit_code_of(const Status& status) {
  if (status.is_transient()) return exit_code::try_again;
  const smtp::EnhancedStatus& code = status.enhanced;
  if (code.subject == 1) return exit_code::unknown_user;
  if (code.subject == 7) return exit_code::refused;
  if (code.subject == 6 || (code.subject == 3 && code.detail == 4)) return exit_code::data;
  return exit_code::unavailable;
}

Task<Verdict> submit(const Letter& letter, const Places& places, const Caller& caller) {
  session::SmtpClient client(hop_to(places), client_options(places, caller));
  const Deadline deadline = Deadline::never();
  const auto opened = co_await client.open(deadline);
  if (!opened) co_return unavailable(opened.error());
  (void)co_await client.say_envelope(letter.envelope, deadline);
  std::optional<Verdict> verdict = envelope_verdict(client.core(), letter.envelope);
  if (verdict) {
    client.reset();
    co_await client.quit(deadline);
    co_return std::move(*verdict);
  }
  const bool begun = co_await client.begin_body(deadline);
  if (begun) (void)co_await client.body(letter.message, deadline);
  const std::vector<Status> statuses = co_await client.finish(deadline);
  co_await client.quit(deadline);
  const Status& status = statuses.front();  // SMTP: one for all
  if (status.is_permanent()) co_return refused(status, "message refused");
  if (!status.succeeded()) co_return unavailable(status);
  Verdict taken;
  taken.kind = Verdict::Kind::taken;
  co_return taken;
}

Result<void, Failure> drop(const Letter& letter, const Places& places, const Caller& caller,
                           const std::string& why_not_submitted) {
  const queue::Layout layout(places.queue);
  queue::RealFiles files;
  queue::IdSource ids;
  const std::string name = ids.next(caller.now).str();
  const std::string batch = queue::format_batch(letter.envelope, letter.message);
  if (auto dropped = queue::drop_batch(files, layout.drop(), name, batch); !dropped) {
    const std::string text = fmt::format("submission: {}; drop directory: {}", why_not_submitted,
                                         dropped.error().text());
    return fail(Failure{exit_code::try_again, text});
  }
  async::nudge(layout.nudge());
  return {};
}

Task<Result<std::vector<Status>, Failure>> verify(const smtp::Envelope& envelope,
                                                  const Places& places, const Caller& caller) {
  session::SmtpClient client(hop_to(places), client_options(places, caller));
  const Deadline deadline = Deadline::never();
  const auto opened = co_await client.open(deadline);
  if (!opened) {
    Failure failure{exit_code::try_again, "nobody to ask: " + opened.error().text};
    co_return fail(std::move(failure));
  }
  (void)co_await client.say_envelope(envelope, deadline);
  std::vector<Status> statuses;
  for (std::size_t i = 0; i < client.core().rcpt_count(); ++i)
    statuses.push_back(*client.core().rcpt_status(i));
  client.reset();
  co_await client.quit(deadline);
  co_return statuses;
}

Task<int> speak_smtp(const Places& places) {
  auto ours = async::stdio_stream();
  if (!ours) co_return exit_code::software;
  auto theirs = co_await async::connect(async::Endpoint::unix_path(places.socket),
                                        Deadline::in(places.patience));
  if (!theirs) {
    const std::string_view sorry = "421 4.3.2 Submission is not available, try again later\r\n";
    (void)co_await (*ours)->write(sorry, Deadline::in(places.patience));
    co_return exit_code::try_again;
  }
  (void)co_await async::splice(**ours, **theirs, idle_dialogue);
  co_return exit_code::ok;
}

}  // namespace posthorn::sendmail
