// Logging in to an IMAP server.
#include "libmail/async/files.h"
#include "libmail/base/text.h"
#include "libmail/session/imap_client.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;

Task<ImapResult<void>> ImapClient::log_in(Deadline deadline) {
  auto asked = co_await ask_capabilities(deadline);
  if (!asked) co_return asked;
  const bool may_say_secret = tls_ != nullptr || private_path_ || options_.clear_password;
  const bool bound = tls_ != nullptr && tls_->channel_binding().has_value();
  std::string mechanism =
      choose_mechanism(*options_.login, capabilities().values("AUTH"), may_say_secret, bound);
  if (!mechanism.empty()) {
    auto result = co_await authenticate(std::move(mechanism), deadline);
    co_return result;
  }
  const bool by_command =
      may_say_secret && options_.login->token.empty() && !offers("LOGINDISABLED");
  if (by_command) {
    auto result = co_await say_login(deadline);
    co_return result;
  }
  const bool in_clear = tls_ == nullptr && !private_path_;
  co_return fail(ImapError(ImapError::Kind::login,
                           in_clear ? "the server offers no log-in that is safe without TLS"
                                    : "the server offers no way to log in that we know"));
}

Task<ImapResult<void>> ImapClient::say_login(Deadline deadline) {
  imap::client::Request request =
      imap::client::login(manner(), options_.login->user, options_.login->password);
  auto done = co_await run_plain(std::move(request), deadline);
  if (done) co_return done;
  ImapError error = std::move(done.error());
  if (error.kind == ImapError::Kind::no) error.kind = ImapError::Kind::login;
  co_return fail(std::move(error));
}

Task<ImapResult<void>> ImapClient::authenticate(std::string mechanism, Deadline deadline) {
  std::optional<std::string> binding;
  if (tls_ != nullptr) binding = tls_->channel_binding();
  SaslExchange exchange(mechanism, *options_.login, server_, std::move(binding),
                        capabilities().values("AUTH"));
  std::optional<std::string> unsaid = exchange.first();
  std::optional<std::string> initial;
  if (unsaid && (offers("SASL-IR") || capabilities().rev2()))
    initial = std::exchange(unsaid, std::nullopt);
  const auto id = core_->send(imap::client::authenticate(mechanism, initial));
  ImapSink sink;
  std::string problem;
  while (true) {
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return fail(trouble());
    if (hand_on(*event, sink)) continue;
    if (const auto* const done = std::get_if<imap::client::Done>(&*event);
        done != nullptr && done->id == id) {
      const bool ok = done->status.condition == imap::Condition::ok;
      if (ok && exchange.server_proved()) co_return ImapResult<void>();
      if (ok) problem = "the server doesn't prove that it knows the password";
      ImapError error = refusal("AUTHENTICATE", done->status);
      error.kind = ImapError::Kind::login;
      if (!problem.empty()) error.text = "AUTHENTICATE: " + problem;
      co_return fail(std::move(error));
    }
    const auto* const challenge = std::get_if<imap::client::Continuation>(&*event);
    if (challenge == nullptr) continue;
    if (unsaid) {
      core_->respond(*std::exchange(unsaid, std::nullopt));
      continue;
    }
    const std::string asks = challenge->text;
    auto work = [&exchange, &asks] { return exchange.answer(asks); };
    auto answer = co_await async::blocking(std::move(work));
    if (answer) {
      core_->respond(*answer);
    } else {
      problem = printable(answer.error());
      core_->cancel_exchange();
    }
  }
}

}  // namespace posthorn::session
