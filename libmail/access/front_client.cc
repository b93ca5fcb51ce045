#include "libmail/access/front_client.h"

#include "libmail/base/text.h"

namespace posthorn::access {

using async::Deadline;
using async::Task;

namespace {

constexpr auto handshake_time = std::chrono::seconds(60);
constexpr auto write_time = std::chrono::minutes(2);
// The worker waits for a locked mailbox, and a cold one of 100 000 messages takes its time to list.
constexpr auto worker_time = std::chrono::minutes(3);

std::string metric(std::string_view agent, std::string_view what) {
  return "posthorn_" + std::string(agent) + "_" + std::string(what);
}

}  // namespace

FrontCounters::FrontCounters(service::Metrics& metrics, std::string_view agent)
    : logins(metrics.counter(metric(agent, "logins_total"), "log-ins", "result=\"ok\"")),
      refused(metrics.counter(metric(agent, "logins_total"), "", "result=\"refused\"")),
      sessions(metrics.gauge(metric(agent, "sessions"), "clients connected now")) {}

FrontClient::FrontClient(std::unique_ptr<async::Stream> stream,
                         std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                         std::string_view service, service::Log& log, FrontCounters& counters)
    : stream_(std::move(stream)),
      sasl_(std::move(sasl)),
      settings_(std::move(settings)),
      log_(log),
      counters_(counters),
      client_(stream_->peer().text()) {
  const async::Peer& peer = stream_->peer();
  context_.service = service;
  context_.secured = peer.is_local();
  context_.remote_address = peer.address;
  context_.remote_port = peer.port;
  context_.local_address = peer.local_address;
  context_.local_port = peer.local_port;
}

FrontClient::~FrontClient() = default;

Task<void> FrontClient::serve() {
  counters_.sessions.add(1);
  log_.debug("", "connected", {{"client", client_}});
  login_deadline_ = Deadline::in(settings_.login_time);
  bool ready = true;
  if (settings_.implicit_tls) ready = co_await shake_hands();
  if (ready) co_await greet_and_log_in();
  while (handed_over_) {
    auto rest = co_await pass_octets();
    if (!rest) break;
    handed_over_ = false;
    login_deadline_ = Deadline::in(settings_.login_time);
    co_await log_in_again(std::move(*rest));
  }
  stream_->close();
  link_.close();
  counters_.sessions.add(-1);
}

Task<bool> FrontClient::shake_hands() {
  if (!settings_.tls) co_return false;
  const Deadline deadline = Deadline::in(handshake_time).or_before(login_deadline_);
  auto secured = co_await tls::accept(std::move(stream_), settings_.tls, deadline);
  if (!secured) {
    log_.info("", "tls-failed", {{"client", client_}, {"why", secured.error().text}});
    // The stream went with it; an empty one is put in its place for the end of serve().
    stream_ = std::move(async::make_memory_pair(async::Peer(), async::Peer()).left);
    co_return false;
  }
  context_.secured = true;
  context_.channel_binding = (*secured)->channel_binding();
  tls_version_ = (*secured)->facts().version;
  stream_ = std::move(*secured);
  sasl_->cancel();
  co_return true;
}

Task<std::vector<std::string>> FrontClient::mechanisms() {
  auto names = co_await sasl_->mechanisms(context_);
  co_return names;
}

Task<bool> FrontClient::start_sasl(std::string mechanism, std::optional<std::string> initial) {
  mechanism_ = mechanism;
  user_.clear();
  auto result = co_await sasl_->start(std::move(mechanism), std::move(initial), context_);
  const bool goes_on = co_await on_result(std::move(result));
  co_return goes_on;
}

Task<bool> FrontClient::step_sasl(std::string response) {
  auto result = co_await sasl_->step(std::move(response));
  const bool goes_on = co_await on_result(std::move(result));
  co_return goes_on;
}

Task<bool> FrontClient::log_in(std::string word, std::string user, std::string password) {
  mechanism_ = std::move(word);
  user_ = user;
  std::string response = std::string(1, '\0') + user + std::string(1, '\0') + password;
  auto result = co_await sasl_->start("PLAIN", std::move(response), context_);
  const bool goes_on = co_await on_result(std::move(result));
  co_return goes_on;
}

Task<bool> FrontClient::on_result(session::SaslResult result) {
  using Kind = session::SaslResult::Kind;
  switch (result.kind) {
    case Kind::challenge:
      say_challenge(result.data);
      co_return true;
    case Kind::ok: {
      const bool done = co_await hand_over(std::move(result.user));
      co_return !done;
    }
    case Kind::unavailable:
      log_.warning("", "login-unavailable", {{"client", client_}, {"why", result.reason}});
      say_refused(Refusal::unavailable);
      co_return true;
    case Kind::refused:
    case Kind::malformed:
      break;
  }
  counters_.refused.add();
  if (!result.user.empty()) user_ = result.user;
  log_.info("", "login-refused",
            {{"user", user_},
             {"client", client_},
             {"mechanism", mechanism_},
             {"tls", tls_version_},
             {"why", result.reason}});
  say_refused(Refusal::credentials);
  co_return true;
}

// True if the worker has the client now.
Task<bool> FrontClient::hand_over(std::string user) {
  user_ = user;
  const auto answer = co_await reach_worker(std::move(user));
  if (!answer || !answer->ok) {
    link_.close();
    counters_.refused.add();
    log_.info("", "login-refused",
              {{"user", user_},
               {"client", client_},
               {"mechanism", mechanism_},
               {"why", answer ? answer->text : "the mail worker does not answer"}});
    if (answer) say_answer(*answer);
    if (!answer) {
      WorkerAnswer none;
      say_answer(none);
    }
    co_return false;
  }
  counters_.logins.add();
  log_.info(
      "", "login",
      {{"user", user_}, {"client", client_}, {"mechanism", mechanism_}, {"tls", tls_version_}});
  say_answer(*answer);
  handed_over_ = true;
  co_return true;
}

Task<std::optional<WorkerAnswer>> FrontClient::reach_worker(std::string user) {
  const Deadline deadline = Deadline::in(worker_time);
  async::Endpoint endpoint = settings_.worker;
  const auto connected = co_await link_.connect(std::move(endpoint), deadline);
  if (!connected) {
    log_.error("", "worker-unavailable", {{"why", connected.error()}});
    co_return std::nullopt;
  }
  auto answer = co_await ask_worker(std::move(user), deadline);
  co_return answer;
}

Task<std::optional<std::string>> FrontClient::pass_octets() {
  const std::unique_ptr<ReturnWatch> watch = make_watch();
  if (!watch) {
    sasl_.reset();
    settings_.tls.reset();
  }
  // The worker ends a silent session with a word; this is for a worker that does not.
  const Duration idle = settings_.idle_time + std::chrono::minutes(1);
  std::string said = take_rest();
  auto passed = co_await link_.pass(*stream_, std::move(said), watch.get(), idle);
  log_.info("", "logout",
            {{"user", user_},
             {"client", client_},
             {"in", passed.moved.to_right},
             {"out", passed.moved.to_left}});
  link_.close();
  co_return std::move(passed.returned);
}

Task<bool> FrontClient::write(std::string octets) {
  if (over_) co_return false;
  if (octets.empty()) co_return true;
  const auto written = co_await stream_->write(octets, Deadline::in(write_time));
  over_ = !written;
  co_return written.has_value();
}

Task<Result<std::size_t, IoError>> FrontClient::read(async::Buffer& into) {
  auto count =
      co_await stream_->read(into, Deadline::in(settings_.idle_time).or_before(login_deadline_));
  co_return count;
}

void FrontClient::end() {
  if (handed_over_ || !stream_) return;
  over_ = true;
  stream_->close();
}

}  // namespace posthorn::access
