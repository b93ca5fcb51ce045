#include "agents/mua/submission.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/mua/command.h"
#include "agents/mua/secret.h"
#include "libmail/base/text.h"
#include "libmail/sasl/client.h"
#include "libmail/service/exit_code.h"
#include "libmail/service/options.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::mua {

namespace exit_code = service::exit_code;
using async::Deadline;
using async::Task;
using Kind = MailError::Kind;

namespace {

MailError from_status(const smtp::Status& status, const std::string& about) {
  const std::string text = fmt::format("{}{}{} {}", about, about.empty() ? "" : ": ",
                                       status.enhanced.text(), status.text);
  if (status.is_transient()) {
    return {Kind::try_again, text};
  }
  if (status.enhanced.subject == 1) return {Kind::not_found, text};
  if (status.enhanced.subject == 7) return {Kind::refused, text};
  return {Kind::bad_data, text};
}

// Before the envelope: a log-in refused, no TLS or a bad certificate (4.7.8, 4.7.4 and 4.7.5 of the client itself) is not
// mended by waiting; everything else that is transient may be.
MailError from_opening(const smtp::Status& status, const std::string& host) {
  MailError error = from_status(status, host);
  const bool ours =
      status.enhanced.detail == 4 || status.enhanced.detail == 5 || status.enhanced.detail == 8;
  if (status.is_transient() && status.enhanced.subject == 7 && ours) error.kind = Kind::refused;
  return error;
}

Mail<smtp::Envelope> make_envelope(const Letter& letter) {
  smtp::Envelope envelope;
  const auto mailbox = [](const std::string& text) -> Mail<smtp::Mailbox> {
    auto parsed = smtp::parse_mailbox(text, smtp::Utf8::allowed);
    if (parsed) return std::move(*parsed);
    return fail(MailError(Kind::bad_data,
                          fmt::format("{}: {}", printable(text), smtp::describe(parsed.error()))));
  };
  auto from = mailbox(letter.from);
  if (!from) return fail(from.error());
  envelope.reverse_path = *from;
  envelope.smtputf8 = smtp::needs_smtputf8(*from);
  const auto notify = smtp::parse_notify(letter.notify);
  for (const std::string& text : letter.recipients) {
    auto to = mailbox(text);
    if (!to) return fail(to.error());
    envelope.smtputf8 = envelope.smtputf8 || smtp::needs_smtputf8(*to);
    auto& recipient = envelope.recipients.emplace_back(std::move(*to));
    if (notify) recipient.notify = *notify;
  }
  if (letter.ret == "FULL") envelope.ret = smtp::Ret::full;
  if (letter.ret == "HDRS") envelope.ret = smtp::Ret::headers;
  const auto header = letter.message.header();
  if (!header) return fail(header.error());
  if (!is_ascii(*header)) envelope.smtputf8 = true;
  const auto read = letter.message.each([&](std::string_view text) {
    if (!is_ascii(text)) envelope.body = smtp::Body::eight_bit_mime;
    return envelope.body != smtp::Body::eight_bit_mime;
  });
  if (!read) return fail(read.error());
  envelope.size = letter.message.size();
  return envelope;
}

smtp::Credentials credentials_of(const Server& server, const session::MailLogin& login) {
  smtp::Credentials credentials{login.user, login.password, {}};
  if (login.token.empty()) return credentials;
  credentials.tokens = {{"OAUTHBEARER", sasl::oauthbearer_response(login.user, login.token,
                                                                   server.host, server.port)},
                        {"XOAUTH2", sasl::xoauth2_response(login.user, login.token)}};
  return credentials;
}

Mail<session::SmtpClientOptions> client_options(const Server& server,
                                                const session::MailLogin& login) {
  session::SmtpClientOptions options;
  options.core.name = service::HostOptions().hostname;
  options.core.remote_name = server.host;
  // Who wrote tls = "none" wants a password to pass in clear.
  options.core.private_path = server.tls == TlsMode::never;
  options.core.tls =
      server.tls == TlsMode::starttls ? smtp::TlsLevel::required : smtp::TlsLevel::never;
  options.implicit_tls = server.tls == TlsMode::implicit;
  options.tls_name = server.tls_name;
  auto context = tls_context(server);
  if (!context) return fail(context.error());
  options.tls_context = std::move(*context);
  if (!login.user.empty()) options.core.login = credentials_of(server, login);
  return options;
}

// After MAIL and all RCPTs: why nobody is to get it; nothing if everybody was accepted.
std::optional<MailError> envelope_error(const smtp::ClientCore& core,
                                        const smtp::Envelope& envelope) {
  const auto& mail = core.mail_status();
  if (!mail || core.rcpt_count() != envelope.recipients.size())
    return from_status(core.trouble(), "");
  if (!mail->succeeded())
    return from_status(*mail, "sender " + smtp::format_path(envelope.reverse_path));
  std::optional<MailError> worst;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
    const auto& status = core.rcpt_status(i);
    if (!status) return from_status(core.trouble(), "");
    if (status->succeeded()) continue;
    MailError one = from_status(*status, smtp::format_mailbox(envelope.recipients[i].mailbox));
    if (!worst)
      worst = std::move(one);
    else if (status->is_permanent() && worst->kind == Kind::try_again)
      std::swap(*worst, one);
    else
      worst->text += "; " + one.text;
  }
  return worst;
}

Task<Mail<void>> submit_by_smtp(const Server& server, std::string account, const Letter& letter,
                                Deadline deadline) {
  auto envelope = make_envelope(letter);
  if (!envelope) co_return fail(envelope.error());
  const auto login = co_await find_log_in(server, std::move(account), deadline);
  if (!login) co_return fail(login.error());
  auto options = client_options(server, *login);
  if (!options) co_return fail(options.error());
  session::SmtpClient client(session::NextHop(smtp::ClientDialect::smtp, server.endpoint()),
                             std::move(*options));
  const auto opened = co_await client.open(deadline);
  if (!opened) co_return fail(from_opening(opened.error(), server.host));
  (void)co_await client.say_envelope(*envelope, deadline);
  auto trouble = envelope_error(client.core(), *envelope);
  if (trouble) {
    client.reset();
    co_await client.quit(deadline);
    co_return fail(std::move(*trouble));
  }
  // From here on only silence counts (RFC 5321 4.5.3.2: 3 minutes a piece, 10 for the reply to the last dot): who goes away
  // before that reply sends the message twice.
  const bool begun = co_await client.begin_body(deadline);
  for (std::uint64_t at = 0; begun && at < letter.message.size(); at += Octets::piece) {
    const auto piece = letter.message.read(at);
    if (!piece) client.reset();  // the connection ends in the middle of the message: nobody gets it
    if (!piece) co_return fail(piece.error());
    const bool wanted = co_await client.body(*piece, Deadline::never());
    if (!wanted) break;
  }
  const auto statuses = co_await client.finish(Deadline::never());
  co_await client.quit(deadline);
  if (!statuses.front().succeeded()) co_return fail(from_status(statuses.front(), "message"));
  co_return Mail<void>();
}

MailError sendmail_error(const std::string& program, int code) {
  const std::string text = fmt::format("{} ended with {}", program, code);
  switch (code) {
    case exit_code::data:
    case exit_code::usage:
      return {Kind::bad_data, text};
    case exit_code::unknown_user:
      return {Kind::not_found, text};
    case exit_code::refused:
      return {Kind::refused, text};
    case exit_code::try_again:
      return {Kind::try_again, text};
    default:
      return {Kind::unavailable, text};
  }
}

Task<Mail<void>> submit_by_sendmail(const Account& account, const Letter& letter,
                                    Deadline deadline) {
  // Line ends as programs write them to sendmail.
  OctetsWriter text;
  std::string lines;
  bool after_cr = false;
  Mail<void> kept;
  const auto read = letter.message.each([&](std::string_view crlf) {
    lines.clear();
    for (const char c : crlf) {
      if (after_cr && c != '\n') lines += '\r';
      after_cr = c == '\r';
      if (!after_cr) lines += c;
    }
    kept = text.append(lines);
    return kept.has_value();
  });
  if (!read) co_return fail(read.error());
  if (!kept) co_return fail(kept.error());
  const auto written = text.finish();
  if (!written) co_return fail(written.error());
  auto input = file_of(*written);
  if (!input) co_return fail(input.error());
  CommandCall call;
  call.argv = account.sendmail;
  std::vector<std::string> more = {"-f", letter.from};
  if (!letter.notify.empty()) more.insert(more.end(), {"-N", lower(letter.notify)});
  if (!letter.ret.empty()) more.insert(more.end(), {"-R", lower(letter.ret)});
  more.emplace_back("--");
  more.insert(more.end(), letter.recipients.begin(), letter.recipients.end());
  // A command line for the shell gets them as "$@".
  const bool shell = call.argv.size() == 3 && call.argv[0] == "/bin/sh" && call.argv[1] == "-c";
  if (shell) call.argv[2] += " \"$@\"";
  if (shell) call.argv.emplace_back("sendmail");
  call.argv.insert(call.argv.end(), more.begin(), more.end());
  call.input = input->get();
  call.keep_output = true;
  const std::string program = shell ? account.sendmail[2] : account.sendmail[0];
  const auto done = co_await run_command(std::move(call), deadline);
  if (!done) co_return fail(done.error());
  if (done->code != 0) co_return fail(sendmail_error(program, done->code));
  co_return Mail<void>();
}

}  // namespace

bool is_worth_another_try(const MailError& error) {
  return error.kind == Kind::try_again || error.kind == Kind::unavailable;
}

Task<Mail<void>> submit(const Account& account, const Letter& letter, Deadline deadline) {
  if (!account.submission.empty()) {
    auto done = co_await submit_by_smtp(account.submission, account.name, letter, deadline);
    co_return done;
  }
  if (account.sendmail.empty()) {
    co_return fail(MailError(Kind::config, "the account says no way to send",
                             "a table [accounts.NAME.submission] or sendmail = [...]"));
  }
  auto done = co_await submit_by_sendmail(account, letter, deadline);
  co_return done;
}

}  // namespace posthorn::mua
