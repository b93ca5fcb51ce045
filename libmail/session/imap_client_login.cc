// Logging in: which mechanism, and its exchange.
#include <algorithm>

#include "libmail/async/files.h"
#include "libmail/base/base64.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/sasl/client.h"
#include "libmail/session/imap_client.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using imap::client::Core;

namespace {

struct NoSink final : ImapSink {};

// RFC 7628 3.1.
std::string bearer_response(const ImapLogin& login, const async::Endpoint& server) {
  std::string response = "n,a=" + login.user + ",\x01";
  if (server.kind == async::Endpoint::Kind::inet)
    response += "host=" + server.host + "\x01port=" + std::to_string(server.port) + '\x01';
  return response + "auth=Bearer " + login.token + "\x01\x01";
}

// One exchange: what to say to each challenge.
class Exchange {
 public:
  Exchange(std::string mechanism, const ImapLogin& login, const async::Endpoint& server,
           std::optional<std::string> binding, bool offers_plus)
      : mechanism_(std::move(mechanism)), login_(login) {
    if (mechanism_ == "PLAIN") first_ = sasl::plain_response(login.user, login.password);
    if (mechanism_ == "XOAUTH2")
      first_ = "user=" + login.user + "\x01" + "auth=Bearer " + login.token + "\x01\x01";
    if (mechanism_ == "OAUTHBEARER") first_ = bearer_response(login, server);
    if (mechanism_.compare(0, 5, "SCRAM") != 0) return;
    sasl::ScramClient::Options options;
    options.user = login.user;
    options.password = login.password;
    options.nonce = encode_base64(random_octets(18));
    options.channel_binding = std::move(binding);
    options.server_offers_plus = offers_plus;
    scram_.emplace(std::move(options));
    first_ = scram_->first();
  }

  // Nothing: the server speaks first (LOGIN).
  [[nodiscard]] const std::optional<std::string>& first() const { return first_; }
  // May take long: SCRAM's key derivation.
  [[nodiscard]] Result<std::string, std::string> answer(const std::string& challenge) {
    ++step_;
    if (mechanism_ == "LOGIN" && step_ <= 2) return step_ == 1 ? login_.user : login_.password;
    // An error message in JSON; the refusal follows our answer.
    if (mechanism_ == "XOAUTH2" && step_ == 1) return std::string();
    if (mechanism_ == "OAUTHBEARER" && step_ == 1) return std::string("\x01");
    if (scram_ && step_ == 1) return scram_->final(challenge);
    if (scram_ && step_ == 2) return prove(challenge);
    return fail(std::string("the server asks for more than the mechanism has"));
  }
  // SCRAM's last word may come with the OK (RFC 5802 section 5: not in IMAP), so it must have come before.
  [[nodiscard]] bool server_proved() const { return !scram_ || proved_; }

 private:
  Result<std::string, std::string> prove(const std::string& challenge) {
    const Result<void, std::string> finished = scram_->finish(challenge);
    if (!finished) return fail(finished.error());
    proved_ = true;
    return std::string();
  }

  std::string mechanism_;
  const ImapLogin& login_;
  std::optional<std::string> first_;
  std::optional<sasl::ScramClient> scram_;
  int step_ = 0;
  bool proved_ = false;
};

}  // namespace

// "" if there is none that may be used.
std::string ImapClient::choose_mechanism() const {
  const ImapLogin& login = *options_.login;
  const std::vector<std::string> offered = capabilities().values("AUTH");
  const auto has = [&offered](std::string_view name) {
    return std::any_of(offered.begin(), offered.end(),
                       [name](const std::string& one) { return iequals(one, name); });
  };
  if (!login.mechanism.empty()) return upper(login.mechanism);
  const bool may_say_secret = tls_ != nullptr || private_path_ || options_.clear_password;
  if (!login.token.empty()) {
    if (!may_say_secret) return "";
    for (const char* name : {"OAUTHBEARER", "XOAUTH2"})
      if (has(name)) return name;
    return "";
  }
  const bool bound = tls_ != nullptr && tls_->channel_binding().has_value();
  if (bound && has("SCRAM-SHA-256-PLUS")) return "SCRAM-SHA-256-PLUS";
  if (has("SCRAM-SHA-256")) return "SCRAM-SHA-256";
  if (!may_say_secret) return "";
  if (has("PLAIN")) return "PLAIN";
  if (!capabilities().has("LOGINDISABLED")) return "LOGIN COMMAND";
  return has("LOGIN") ? "LOGIN" : "";
}

Task<ImapResult<void>> ImapClient::log_in(Deadline deadline) {
  auto asked = co_await ask_capabilities(deadline);
  if (!asked) co_return asked;
  const std::string mechanism = choose_mechanism();
  if (mechanism.empty()) {
    co_return fail(ImapError(ImapError::Kind::login,
                             tls_ == nullptr && !private_path_
                                 ? "the server offers no log-in that is safe without TLS"
                                 : "the server offers no way to log in that we know"));
  }
  const bool plain_command = mechanism == "LOGIN COMMAND";
  if (plain_command) {
    auto result = co_await say_login(deadline);
    co_return result;
  }
  auto result = co_await authenticate(mechanism, deadline);
  co_return result;
}

Task<ImapResult<void>> ImapClient::say_login(Deadline deadline) {
  auto done = co_await run_plain(
      imap::client::login(manner(), options_.login->user, options_.login->password), deadline);
  if (done) co_return done;
  ImapError error = std::move(done.error());
  if (error.kind == ImapError::Kind::no) error.kind = ImapError::Kind::login;
  co_return fail(std::move(error));
}

Task<ImapResult<void>> ImapClient::authenticate(std::string mechanism, Deadline deadline) {
  std::optional<std::string> binding;
  if (tls_ != nullptr) binding = tls_->channel_binding();
  const std::vector<std::string> offered = capabilities().values("AUTH");
  const bool plus =
      std::find(offered.begin(), offered.end(), "SCRAM-SHA-256-PLUS") != offered.end();
  Exchange exchange(mechanism, *options_.login, server_, std::move(binding),
                    plus && mechanism != "SCRAM-SHA-256");
  std::optional<std::string> unsaid = exchange.first();
  const bool initial = unsaid && (capabilities().has("SASL-IR") || capabilities().rev2());
  std::optional<std::string> first;
  if (initial) first = std::exchange(unsaid, std::nullopt);
  const auto id = core_->send(imap::client::authenticate(mechanism, first));
  NoSink sink;
  std::string problem;
  while (true) {
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return fail(trouble());
    if (hand_on(*event, sink)) continue;
    if (const auto* const done = std::get_if<imap::client::Done>(&*event);
        done != nullptr && done->id == id) {
      const bool ok = done->status.condition == imap::Condition::ok;
      if (ok && problem.empty() && exchange.server_proved()) co_return ImapResult<void>();
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
    const std::optional<std::string> octets = decode_base64(trim(challenge->text));
    auto work = [&exchange, &octets] { return exchange.answer(octets.value_or("")); };
    auto answer = co_await async::blocking(std::move(work));
    if (octets && answer) {
      core_->respond(*answer);
    } else {
      problem = octets ? printable(answer.error()) : "the server's challenge is no base64";
      core_->cancel_exchange();
    }
  }
}

}  // namespace posthorn::session
