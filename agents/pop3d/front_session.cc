#include "agents/pop3d/front_session.h"

#include "libmail/async/socket.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::pop3d {

using async::Deadline;
using async::Task;
using pop3::Event;
using pop3::Reply;

namespace {

constexpr auto handshake_time = std::chrono::seconds(60);
constexpr auto write_time = std::chrono::minutes(2);
// The worker waits for a locked mailbox, and a cold one of 100 000 messages takes its time to list.
constexpr auto worker_time = std::chrono::minutes(3);
constexpr std::size_t worker_line = 1024;

Reply no_worker() {
  return {false, pop3::code::system_temporary, "mailboxes can't be opened now, try again later"};
}

}  // namespace

FrontCounters::FrontCounters(service::Metrics& metrics)
    : logins(metrics.counter("posthorn_pop3d_logins_total", "log-ins", "result=\"ok\"")),
      refused(metrics.counter("posthorn_pop3d_logins_total", "", "result=\"refused\"")),
      sessions(metrics.gauge("posthorn_pop3d_sessions", "clients connected now")) {}

FrontSession::FrontSession(std::unique_ptr<async::Stream> stream,
                           std::unique_ptr<session::SaslServer> sasl, FrontSettings settings,
                           service::Log& log, FrontCounters& counters)
    : stream_(std::move(stream)),
      sasl_(std::move(sasl)),
      settings_(std::move(settings)),
      log_(log),
      counters_(counters),
      client_(stream_->peer().text()) {
  const async::Peer& peer = stream_->peer();
  context_.service = "pop3";
  context_.secured = peer.is_local();
  context_.remote_address = peer.address;
  context_.remote_port = peer.port;
  context_.local_address = peer.local_address;
  context_.local_port = peer.local_port;
}

FrontSession::~FrontSession() = default;

pop3::Settings FrontSession::core_settings() const {
  pop3::Settings settings;
  settings.limits = settings_.limits;
  settings.can_stls = settings_.tls != nullptr && !context_.secured;
  settings.plaintext = context_.secured || settings_.plaintext_in_clear;
  settings.delete_after_retr = settings_.delete_after_retr;
  return settings;
}

Task<void> FrontSession::serve() {
  counters_.sessions.add(1);
  log_.debug("", "connected", {{"client", client_}});
  login_deadline_ = Deadline::in(settings_.login_time);
  bool ready = true;
  if (settings_.implicit_tls) ready = co_await shake_hands();
  if (ready) co_await greet_and_log_in();
  if (handed_over_) co_await pass_octets();
  stream_->close();
  if (worker_) worker_->close();
  counters_.sessions.add(-1);
}

Task<bool> FrontSession::shake_hands() {
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
  co_return true;
}

// What may be offered now: it changes with TLS.
Task<void> FrontSession::prepare() {
  auto names = co_await sasl_->mechanisms(context_);
  core_->settings().mechanisms = std::move(names);
  core_->settings().plaintext = context_.secured || settings_.plaintext_in_clear;
}

Task<void> FrontSession::greet_and_log_in() {
  core_ = std::make_unique<pop3::ServerCore>(core_settings());
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
    const auto count = co_await stream_->read(
        input_, Deadline::in(settings_.idle_time).or_before(login_deadline_));
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
  switch (event.kind) {
    case Event::Kind::start_tls: {
      const bool done = co_await start_tls();
      co_return done;
    }
    case Event::Kind::login: {
      mechanism_ = "USER";
      user_ = event.user;
      std::string response =
          std::string(1, '\0') + event.user + std::string(1, '\0') + event.password;
      auto result = co_await sasl_->start("PLAIN", std::move(response), context_);
      const bool goes_on = co_await on_result(std::move(result));
      co_return goes_on;
    }
    case Event::Kind::sasl_start: {
      const bool goes_on = co_await start_sasl(std::move(event));
      co_return goes_on;
    }
    case Event::Kind::sasl_response: {
      auto result = co_await sasl_->step(std::move(event.data));
      const bool goes_on = co_await on_result(std::move(result));
      co_return goes_on;
    }
    case Event::Kind::sasl_cancel:
      sasl_->cancel();
      co_return true;
    case Event::Kind::retrieve:
    case Event::Kind::commit:  // TRANSACTION is the worker's
    case Event::Kind::close:
      co_return false;
  }
  co_return false;
}

Task<bool> FrontSession::start_tls() {
  const bool written = co_await flush();
  if (!written) co_return false;
  input_.clear();
  const bool secured = co_await shake_hands();
  if (!secured) co_return false;
  core_->tls_started();
  sasl_->cancel();
  co_await prepare();
  co_return true;
}

Task<bool> FrontSession::start_sasl(Event event) {
  mechanism_ = event.mechanism;
  user_.clear();
  auto result =
      co_await sasl_->start(std::move(event.mechanism), std::move(event.initial), context_);
  const bool goes_on = co_await on_result(std::move(result));
  co_return goes_on;
}

Task<bool> FrontSession::on_result(session::SaslResult result) {
  using Kind = session::SaslResult::Kind;
  switch (result.kind) {
    case Kind::challenge:
      core_->challenge(result.data);
      co_return true;
    case Kind::ok: {
      const bool done = co_await hand_over(std::move(result.user));
      co_return !done;
    }
    case Kind::unavailable:
      log_.warning("", "login-unavailable", {{"client", client_}, {"why", result.reason}});
      core_->refused(pop3::code::system_temporary, "log-ins can't be checked now, try again later");
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
  core_->refused(pop3::code::authentication, "log-in failed");
  co_return true;
}

// True if the worker has the client now.
Task<bool> FrontSession::hand_over(std::string user) {
  user_ = user;
  Reply reply = co_await ask_worker(std::move(user));
  if (!reply.ok) {
    worker_.reset();
    counters_.refused.add();
    log_.info(
        "", "login-refused",
        {{"user", user_}, {"client", client_}, {"mechanism", mechanism_}, {"why", reply.text}});
    core_->refused(reply.code, reply.text);
    co_return false;
  }
  counters_.logins.add();
  log_.info(
      "", "login",
      {{"user", user_}, {"client", client_}, {"mechanism", mechanism_}, {"tls", tls_version_}});
  core_->handed_over(reply);
  handed_over_ = true;
  co_return true;
}

Task<Reply> FrontSession::ask_worker(std::string user) {
  const Deadline deadline = Deadline::in(worker_time);
  async::Endpoint endpoint = settings_.worker;
  auto connected = co_await async::connect(std::move(endpoint), deadline);
  if (!connected) {
    log_.error("", "worker-unavailable", {{"why", connected.error().text()}});
    co_return no_worker();
  }
  worker_ = std::move(*connected);
  auto line = co_await hear_worker(deadline);
  const std::string ask = "AUTH EXTERNAL " + encode_base64(user) + "\r\n";
  if (line && line->compare(0, 3, "+OK") == 0) {
    const auto written = co_await worker_->write(ask, deadline);
    if (written) line = co_await hear_worker(deadline);
    if (!written) line = fail(written.error().text());
  }
  const auto reply = line ? pop3::parse_reply(*line) : std::nullopt;
  if (!reply) {
    log_.error("", "worker-unavailable", {{"why", line ? "it does not speak POP3" : line.error()}});
    co_return no_worker();
  }
  co_return *reply;
}

// One line of the worker's.
Task<Result<std::string, std::string>> FrontSession::hear_worker(Deadline deadline) {
  for (;;) {
    const std::string_view held = worker_input_.view();
    const std::size_t end = held.find('\n');
    if (end != std::string_view::npos) {
      std::string line(trim(held.substr(0, end)));
      worker_input_.consume(end + 1);
      co_return std::move(line);
    }
    if (held.size() > worker_line) co_return fail(std::string("its line is too long"));
    const auto count = co_await worker_->read(worker_input_, deadline);
    if (!count) co_return fail(count.error().text());
    if (*count == 0) co_return fail(std::string("it closed the connection"));
  }
}

Task<void> FrontSession::pass_octets() {
  // What the client said behind its log-in, and what the worker said behind its +OK, go first.
  std::string rest = core_->take_rest();
  rest += input_.view();
  core_.reset();
  sasl_.reset();
  input_.clear();
  input_.shrink();
  const Deadline deadline = Deadline::in(write_time);
  if (!rest.empty()) {
    const auto written = co_await worker_->write(rest, deadline);
    if (!written) co_return;
  }
  if (!worker_input_.empty()) {
    const auto written = co_await stream_->write(worker_input_.view(), deadline);
    if (!written) co_return;
    worker_input_.clear();
  }
  worker_input_.shrink();
  // The worker ends a silent session with a word; this is for a worker that does not.
  const Duration idle = settings_.idle_time + std::chrono::minutes(1);
  const auto moved = co_await async::splice(*stream_, *worker_, idle);
  log_.info("", "logout",
            {{"user", user_}, {"client", client_}, {"in", moved.to_right}, {"out", moved.to_left}});
}

Task<bool> FrontSession::flush() {
  if (over_ || !core_->has_output()) co_return !over_;
  const std::string octets = core_->take_output();
  const auto written = co_await stream_->write(octets, Deadline::in(write_time));
  over_ = !written;
  co_return written.has_value();
}

void FrontSession::end() {
  if (handed_over_ || !stream_) return;
  over_ = true;
  stream_->close();
}

}  // namespace posthorn::pop3d
