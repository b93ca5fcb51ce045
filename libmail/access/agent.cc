#include "libmail/access/agent.h"

#include <pwd.h>
#include <unistd.h>

#include <filesystem>

#include "libmail/async/socket.h"
#include "libmail/session/certificate.h"

namespace posthorn::access {

using async::Deadline;
using async::Task;
using service::Connection;
using service::Daemon;
using service::Site;

namespace {

constexpr auto worker_start_time = std::chrono::seconds(10);
constexpr auto worker_retry = std::chrono::milliseconds(20);
constexpr int exit_try_again = 75;

}  // namespace

bool AccessAgent::listens_on(std::string_view listener) const {
  if (listener == "listen" || listener == "listen-tls") return !shared_.worker;
  if (listener == "worker-listen") return shared_.worker;
  return true;
}

service::Confinement AccessAgent::confinement(const Site& site) {
  service::Confinement confinement;
  confinement.read.push_back(site.path("conf"));
  if (shared_.worker) {
    // No network, unless the operator has put the userdb there.
    confinement.internet = service::is_inet(shared_.userdb);
    for (const std::string& directory : shared_.mail_directories)
      confinement.write.push_back(site.path(directory));
    return confinement;
  }
  confinement.read.push_back(service::directory_of(shared_.tls.tls_cert));
  confinement.read.push_back(service::directory_of(shared_.tls.tls_key));
  return confinement;
}

Result<void, std::string> AccessAgent::before_lockdown(const Site& site,
                                                       std::vector<service::OpenListeners>&) {
  if (shared_.worker) {
    front_pipe_ = Fd(take_front_pipe());
    // Landlock opens only what exists when it begins.
    for (const std::string& directory : shared_.mail_directories) {
      std::error_code error;
      std::filesystem::create_directories(site.path(directory), error);
      if (error)
        return fail("make the directory " + site.path(directory) + ": " + error.message() +
                    " (mail_directories)");
    }
    return {};
  }
  if (!shared_.worker_at.empty()) return {};
  const std::string listen = service::endpoint_of(site, shared_.worker_listen.front()).text();
  auto started = OwnWorker::start(worker_arguments(protocol_.agent, command_line_, site, listen));
  if (!started) return fail(started.error());
  own_worker_ = std::move(*started);
  return {};
}

Task<Result<void, std::string>> AccessAgent::start(Daemon& daemon) {
  daemon_ = &daemon;
  daemon.scope().spawn(end_sessions_when_stopping());
  if (shared_.worker) co_return start_worker();
  auto started = co_await start_front();
  co_return started;
}

// ---- the front ----

async::Endpoint AccessAgent::worker_endpoint() const {
  const bool own = shared_.worker_at.empty();
  return service::endpoint_of(daemon_->site(),
                              own ? shared_.worker_listen.front() : shared_.worker_at);
}

Result<void, std::string> AccessAgent::reload_front() {
  FrontSettings settings;
  settings.worker = worker_endpoint();
  settings.plaintext_in_clear = shared_.plaintext_in_clear;
  settings.login_time = shared_.login_time;
  settings.idle_time = shared_.idle_time;
  auto context =
      session::load_certificate(shared_.tls, daemon_->log(), {std::string(protocol_.service)});
  if (!context) return fail(context.error());
  settings.tls = std::move(*context);
  load_front(std::move(settings));
  shared_.serve.refusal = protocol_.too_many_clients;
  shared_.serve_tls = shared_.serve;
  shared_.serve_tls.refusal.clear();  // the client expects TLS first
  return {};
}

Task<Result<void, std::string>> AccessAgent::start_front() {
  auto loaded = reload_front();
  if (!loaded) co_return loaded;
  if (own_worker_) {
    own_worker_->watch([this] { daemon_->stop("its mail worker has ended", exit_try_again); });
    const bool answers = co_await worker_answers(worker_endpoint());
    if (!answers)
      co_return fail("unavailable: the mail worker does not answer at " + worker_endpoint().text());
  }
  session::AuthClientOptions ask;
  ask.plaintext_in_clear = shared_.plaintext_in_clear;
  auth_ = std::make_unique<session::AuthClient>(service::endpoint_of(daemon_->site(), shared_.auth),
                                                ask, daemon_->log());
  front_counters_ = std::make_unique<FrontCounters>(daemon_->metrics(), protocol_.agent);
  daemon_->serve(
      "listen", [this](Connection client) { return serve_client(std::move(client), false); },
      shared_.serve);
  daemon_->serve(
      "listen-tls", [this](Connection client) { return serve_client(std::move(client), true); },
      shared_.serve_tls);
  co_return loaded;
}

Task<bool> AccessAgent::worker_answers(async::Endpoint worker) {
  const Deadline deadline = Deadline::in(worker_start_time);
  while (!deadline.passed() && !daemon_->stopping().is_set()) {
    async::Endpoint endpoint = worker;
    const auto connected = co_await async::connect(std::move(endpoint), deadline);
    if (connected) co_return true;
    co_await async::sleep_until(deadline.or_before(Deadline::in(worker_retry)));
  }
  co_return false;
}

// ---- the worker ----

Result<void, std::string> AccessAgent::start_worker() {
  load_worker(shared_.mail_places(daemon_->site()));
  if (front_pipe_) {
    front_watch_ = std::make_unique<async::FdWatch>(front_pipe_.get(), [this](bool, bool) {
      front_watch_->want(false, false);
      daemon_->stop("its front is ending");
    });
    front_watch_->want(true, false);
  }
  front_uid_ = ::getuid();
  if (!shared_.front_user.empty()) {
    const passwd* entry = ::getpwnam(shared_.front_user.c_str());
    if (entry == nullptr)
      return fail("there is no user \"" + shared_.front_user + "\" (front_user)");
    front_uid_ = entry->pw_uid;
  }
  session::UserdbOptions ask;
  ask.service = protocol_.service;
  userdb_ = std::make_unique<session::UserdbClient>(
      service::endpoint_of(daemon_->site(), shared_.userdb), ask, daemon_->log());
  auto opened = open_worker(*daemon_);
  if (!opened) return opened;
  shared_.serve_worker.refusal = protocol_.too_many_mailboxes;
  daemon_->serve(
      "worker-listen", [this](Connection front) { return accept_front(std::move(front)); },
      shared_.serve_worker);
  return {};
}

Task<void> AccessAgent::accept_front(Connection connection) {
  const async::Peer& peer = connection.stream->peer();
  const bool is_unix = peer.kind == async::Peer::Kind::unix_socket;
  const bool is_trusted = is_unix && (peer.uid == front_uid_ || peer.uid == 0);
  return serve_front(std::move(connection), is_trusted);
}

// ---- both ----

Result<void, std::string> AccessAgent::reload(Daemon& daemon) {
  if (!shared_.worker) return reload_front();
  load_worker(shared_.mail_places(daemon.site()));
  return {};
}

Task<void> AccessAgent::end_sessions_when_stopping() {
  co_await daemon_->stopping().wait();
  if (own_worker_) own_worker_->stop();
  end_sessions();
}

Task<void> AccessAgent::drain(Daemon&, Deadline) {
  if (auth_) co_await auth_->stop();
  if (userdb_) co_await userdb_->stop();
  front_watch_.reset();
  own_worker_.reset();
}

}  // namespace posthorn::access
