#include "libmail/session/auth_client.h"

#include <unistd.h>

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
namespace dovecot = sasl::dovecot;

namespace {

constexpr std::string_view binding_flag = "cbind=tls-exporter";
constexpr std::string_view plus_mechanism = "SCRAM-SHA-256-PLUS";

bool has_flag(const dovecot::Mechanism& mechanism, std::string_view flag) {
  return std::find(mechanism.flags.begin(), mechanism.flags.end(), flag) != mechanism.flags.end();
}

bool is_plus(const dovecot::Mechanism& mechanism) {
  const std::string_view name = mechanism.name;
  return name.size() > 5 && iequals(name.substr(name.size() - 5), "-PLUS");
}

bool shows_password(const dovecot::Mechanism& mechanism) {
  return has_flag(mechanism, "plaintext") || iequals(mechanism.name, "PLAIN") ||
         iequals(mechanism.name, "LOGIN");
}

// Lower is stronger; what we don't know stands between SCRAM and the ones that show the password.
constexpr int weakest = 4;
int weakness(const std::string& name) {
  if (name == plus_mechanism) return 0;
  if (name == "SCRAM-SHA-256") return 1;
  if (name == "PLAIN") return 3;
  if (name == "LOGIN") return weakest;
  return 2;
}

SaslResult result_of(dovecot::Ok ok) {
  SaslResult result(SaslResult::Kind::ok);
  result.user = std::move(ok.user);
  result.data = ok.additional_data.value_or("");
  return result;
}

SaslResult result_of(dovecot::Fail no) {
  SaslResult result(no.temporary ? SaslResult::Kind::unavailable : SaslResult::Kind::refused);
  result.user = std::move(no.user);
  result.reason = no.reason.empty() ? no.code : no.reason;
  return result;
}

}  // namespace

// The question that is on its way, or the exchange that goes on between two steps.
struct AuthClient::Request {
  async::Event answered;
  SaslResult result;
  bool lost = false;  // the connection went before the answer came
};

class AuthExchange final : public SaslServer {
 public:
  explicit AuthExchange(AuthClient& client) : client_(client) {}
  ~AuthExchange() override { cancel(); }

  Task<std::vector<std::string>> mechanisms(const SaslContext& context) override {
    const auto opened =
        co_await client_.connection_.open(Deadline::in(client_.options_.connect_time));
    if (!opened) {
      client_.log_.warning("", "auth-unavailable", {{"why", opened.error()}});
      co_return std::vector<std::string>();
    }
    co_return client_.mechanisms_for(context);
  }

  Task<SaslResult> start(std::string mechanism, std::optional<std::string> initial,
                         const SaslContext& context) override {
    cancel();
    for (int attempt = 0;; ++attempt) {
      const auto opened =
          co_await client_.connection_.open(Deadline::in(client_.options_.connect_time));
      if (!opened) {
        client_.log_.warning("", "auth-unavailable", {{"why", opened.error()}});
        co_return unavailable(opened.error());
      }
      begin(mechanism, initial, context);
      SaslResult result = co_await answer();
      // A server that restarted took nothing of this: once more, from the start.
      if (request_.lost && attempt == 0) continue;
      co_return std::move(result);
    }
  }

  Task<SaslResult> step(std::string response) override {
    if (held_) {
      const bool expected = response.empty();
      SaslResult result = *std::exchange(held_, std::nullopt);
      if (!expected) result = SaslResult(SaslResult::Kind::malformed);
      co_return std::move(result);
    }
    if (id_ == 0 || request_.lost) {
      id_ = 0;
      co_return unavailable("the auth server went away in the middle of the exchange");
    }
    request_.answered.reset();
    client_.connection_.send(
        dovecot::format_client_line(dovecot::Continue(id_, std::move(response))));
    SaslResult result = co_await answer();
    co_return std::move(result);
  }

  void cancel() override {
    held_.reset();
    if (id_ == 0) return;
    if (client_.waiting_.erase(id_) > 0)
      client_.connection_.send(dovecot::format_client_line(dovecot::Cancel{id_}));
    id_ = 0;
  }

 private:
  static SaslResult unavailable(std::string why) {
    SaslResult result(SaslResult::Kind::unavailable);
    result.reason = std::move(why);
    return result;
  }

  void begin(const std::string& mechanism, const std::optional<std::string>& initial,
             const SaslContext& context) {
    dovecot::AuthRequest ask;
    ask.id = client_.next_id_++;
    if (client_.next_id_ == 0) client_.next_id_ = 1;
    ask.mechanism = upper(mechanism);
    ask.service = context.service;
    ask.secured = context.secured;
    ask.local_ip = context.local_address;
    ask.remote_ip = context.remote_address;
    ask.local_port = context.local_port;
    ask.remote_port = context.remote_port;
    if (client_.offers_plus_ && ask.mechanism.compare(0, 6, "SCRAM-") == 0)
      ask.channel_binding = context.channel_binding;
    ask.initial_response = initial;
    id_ = ask.id;
    request_.answered.reset();
    request_.lost = false;
    client_.waiting_[id_] = &request_;
    client_.connection_.send(dovecot::format_client_line(ask));
  }

  Task<SaslResult> answer() {
    const bool in_time =
        co_await request_.answered.wait_until(Deadline::in(client_.options_.answer_time));
    if (!in_time) {
      cancel();
      co_return unavailable("the auth server did not answer in time");
    }
    SaslResult result = std::move(request_.result);
    if (result.kind != SaslResult::Kind::challenge) id_ = 0;
    if (result.kind == SaslResult::Kind::ok && !result.data.empty()) {
      // SMTP and POP3 have no room for it in their success replies: one more challenge carries it.
      SaslResult last(SaslResult::Kind::challenge);
      last.data = std::exchange(result.data, {});
      held_ = std::move(result);
      co_return std::move(last);
    }
    co_return std::move(result);
  }

  AuthClient& client_;
  AuthClient::Request request_;
  std::uint32_t id_ = 0;  // 0: no exchange is going on
  std::optional<SaslResult> held_;
};

AuthClient::AuthClient(async::Endpoint server, AuthClientOptions options, service::Log& log)
    : options_(options), log_(log), connection_(std::move(server), *this) {}

AuthClient::~AuthClient() = default;

std::unique_ptr<SaslServer> AuthClient::make_server() {
  return std::make_unique<AuthExchange>(*this);
}

std::string AuthClient::on_open() {
  announced_.clear();
  offers_plus_ = false;
  return dovecot::format_client_line(dovecot::Version()) +
         dovecot::format_client_line(dovecot::Cpid{static_cast<std::uint64_t>(::getpid())});
}

std::string AuthClient::on_line(const std::string& line) {
  auto message = dovecot::parse_server_line(line);
  if (!message) return message.error();
  if (auto* mechanism = std::get_if<dovecot::Mechanism>(&*message)) {
    mechanism->name = upper(mechanism->name);
    if (mechanism->name == plus_mechanism && has_flag(*mechanism, binding_flag))
      offers_plus_ = true;
    announced_.push_back(std::move(*mechanism));
  } else if (std::holds_alternative<dovecot::Done>(*message)) {
    connection_.ready();
  } else if (auto* more = std::get_if<dovecot::Continue>(&*message)) {
    SaslResult result(SaslResult::Kind::challenge);
    result.data = std::move(more->data);
    answer(more->id, std::move(result));
  } else if (auto* ok = std::get_if<dovecot::Ok>(&*message)) {
    if (ok->user.empty()) return "OK without a user";
    const std::uint32_t id = ok->id;
    answer(id, result_of(std::move(*ok)));
  } else if (auto* no = std::get_if<dovecot::Fail>(&*message)) {
    const std::uint32_t id = no->id;
    answer(id, result_of(std::move(*no)));
  }
  return {};  // VERSION was checked by the parser; SPID, CUID and COOKIE are for others
}

void AuthClient::answer(std::uint32_t id, SaslResult result) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;  // cancelled meanwhile
  Request& request = *found->second;
  if (result.kind != SaslResult::Kind::challenge) waiting_.erase(found);
  request.result = std::move(result);
  request.answered.set();
}

void AuthClient::on_lost(const std::string& why) {
  if (!waiting_.empty())
    log_.warning("", "auth-lost", {{"why", why}, {"waiting", waiting_.size()}});
  for (const auto& [id, request] : std::exchange(waiting_, {})) {
    request->lost = true;
    request->result = SaslResult(SaslResult::Kind::unavailable);
    request->result.reason = why;
    request->answered.set();
  }
}

std::vector<std::string> AuthClient::mechanisms_for(const SaslContext& context) const {
  std::vector<std::string> names;
  for (const auto& mechanism : announced_) {
    if (is_plus(mechanism)) {
      if (context.channel_binding && has_flag(mechanism, binding_flag))
        names.push_back(mechanism.name);
      continue;
    }
    if (has_flag(mechanism, "private") || has_flag(mechanism, "anonymous")) continue;
    if (shows_password(mechanism) && !context.secured && !options_.plaintext_in_clear) continue;
    names.push_back(mechanism.name);
  }
  std::vector<std::string> ordered;
  for (int rank = 0; rank <= weakest; ++rank) {
    for (const auto& name : names) {
      if (weakness(name) == rank) ordered.push_back(name);
    }
  }
  return ordered;
}

}  // namespace posthorn::session
