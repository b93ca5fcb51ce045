#include "agents/pop3d/pop3d.h"

#include <pwd.h>
#include <unistd.h>

#include <filesystem>

#include "libmail/async/socket.h"
#include "libmail/session/certificate.h"

namespace posthorn::pop3d {

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

bool Pop3d::listens_on(std::string_view listener) const {
  if (listener == "listen" || listener == "listen-tls") return !options_.worker;
  if (listener == "worker-listen") return options_.worker;
  return true;
}

service::Confinement Pop3d::confinement(const Site& site) {
  service::Confinement confinement;
  confinement.read.push_back(site.path("conf"));
  if (options_.worker) {
    // No network, unless the operator has put the userdb there.
    confinement.internet = service::is_inet(options_.userdb);
    for (const std::string& directory : options_.mail_directories)
      confinement.write.push_back(site.path(directory));
    return confinement;
  }
  confinement.read.push_back(service::directory_of(options_.tls.tls_cert));
  confinement.read.push_back(service::directory_of(options_.tls.tls_key));
  return confinement;
}

Result<void, std::string> Pop3d::before_lockdown(const Site& site,
                                                 std::vector<service::OpenListeners>&) {
  if (options_.worker) {
    front_pipe_ = Fd(take_front_pipe());
    // Landlock opens only what exists when it begins.
    for (const std::string& directory : options_.mail_directories) {
      std::error_code error;
      std::filesystem::create_directories(site.path(directory), error);
      if (error)
        return fail("make the directory " + site.path(directory) + ": " + error.message() +
                    " (mail_directories)");
    }
    return {};
  }
  if (!options_.worker_at.empty()) return {};
  const std::string listen = service::endpoint_of(site, options_.worker_listen.front()).text();
  auto started = OwnWorker::start(worker_arguments(command_line_, site, listen));
  if (!started) return fail(started.error());
  own_worker_ = std::move(*started);
  return {};
}

Task<Result<void, std::string>> Pop3d::start(Daemon& daemon) {
  daemon_ = &daemon;
  daemon.scope().spawn(end_sessions_when_stopping());
  if (options_.worker) co_return start_worker(daemon);
  auto started = co_await start_front(daemon);
  co_return started;
}

// ---- the front ----

Result<void, std::string> Pop3d::load_front(Daemon& daemon) {
  FrontSettings settings;
  const bool own = options_.worker_at.empty();
  settings.worker = service::endpoint_of(daemon.site(),
                                         own ? options_.worker_listen.front() : options_.worker_at);
  settings.plaintext_in_clear = options_.plaintext_in_clear;
  settings.delete_after_retr = options_.delete_after_retr;
  settings.limits = options_.limits;
  settings.login_time = options_.login_time;
  settings.idle_time = options_.idle_time;
  auto context = session::load_certificate(options_.tls, daemon.log(), {"pop3"});
  if (!context) return fail(context.error());
  settings.tls = std::move(*context);
  front_ = std::move(settings);
  options_.serve.refusal = "-ERR [SYS/TEMP] too many connections, try again later\r\n";
  options_.serve_tls = options_.serve;
  options_.serve_tls.refusal.clear();  // the client expects TLS first
  return {};
}

Task<Result<void, std::string>> Pop3d::start_front(Daemon& daemon) {
  auto loaded = load_front(daemon);
  if (!loaded) co_return loaded;
  if (own_worker_) {
    own_worker_->watch([this] { daemon_->stop("its mail worker has ended", exit_try_again); });
    const bool answers = co_await worker_answers();
    if (!answers)
      co_return fail("unavailable: the mail worker does not answer at " + front_.worker.text());
  }
  session::AuthClientOptions ask;
  ask.plaintext_in_clear = options_.plaintext_in_clear;
  auth_ = std::make_unique<session::AuthClient>(service::endpoint_of(daemon.site(), options_.auth),
                                                ask, daemon.log());
  front_counters_ = std::make_unique<FrontCounters>(daemon.metrics());
  daemon.serve(
      "listen", [this](Connection client) { return serve_client(std::move(client), false); },
      options_.serve);
  daemon.serve(
      "listen-tls", [this](Connection client) { return serve_client(std::move(client), true); },
      options_.serve_tls);
  co_return loaded;
}

Task<bool> Pop3d::worker_answers() {
  const Deadline deadline = Deadline::in(worker_start_time);
  while (!deadline.passed() && !daemon_->stopping().is_set()) {
    async::Endpoint endpoint = front_.worker;
    const auto connected = co_await async::connect(std::move(endpoint), deadline);
    if (connected) co_return true;
    co_await async::sleep_until(deadline.or_before(Deadline::in(worker_retry)));
  }
  co_return false;
}

Task<void> Pop3d::serve_client(Connection connection, bool implicit_tls) {
  FrontSettings settings = front_;
  settings.implicit_tls = implicit_tls;
  FrontSession session(std::move(connection.stream), auth_->make_server(), std::move(settings),
                       daemon_->log(), *front_counters_);
  fronts_.insert(&session);
  co_await session.serve();
  fronts_.erase(&session);
}

// ---- the worker ----

void Pop3d::load_worker(Daemon& daemon) {
  auto settings = std::make_shared<WorkerSettings>();
  settings->mail_location = options_.full_location(daemon.site());
  for (const std::string& directory : options_.mail_directories)
    settings->mail_directories.push_back(daemon.site().path(directory));
  settings->delete_after_retr = options_.delete_after_retr;
  settings->mark_seen = options_.mark_seen;
  settings->refuse_utf8 = options_.refuse_utf8;
  settings->lock_time = options_.lock_time;
  settings->idle_time = options_.idle_time;
  settings->limits = options_.limits;
  worker_ = std::move(settings);
}

Result<void, std::string> Pop3d::start_worker(Daemon& daemon) {
  load_worker(daemon);
  if (front_pipe_) {
    front_watch_ = std::make_unique<async::FdWatch>(front_pipe_.get(), [this](bool, bool) {
      front_watch_->want(false, false);
      daemon_->stop("its front is ending");
    });
    front_watch_->want(true, false);
  }
  front_uid_ = ::getuid();
  if (!options_.front_user.empty()) {
    const passwd* entry = ::getpwnam(options_.front_user.c_str());
    if (entry == nullptr)
      return fail("there is no user \"" + options_.front_user + "\" (front_user)");
    front_uid_ = entry->pw_uid;
  }
  session::UserdbOptions ask;
  ask.service = "pop3";
  userdb_ = std::make_unique<session::UserdbClient>(
      service::endpoint_of(daemon.site(), options_.userdb), ask, daemon.log());
  worker_counters_ = std::make_unique<WorkerCounters>(daemon.metrics());
  options_.serve_worker.refusal =
      "-ERR [SYS/TEMP] too many mailboxes are open, try again later\r\n";
  daemon.serve(
      "worker-listen", [this](Connection front) { return serve_front(std::move(front)); },
      options_.serve_worker);
  return {};
}

Task<void> Pop3d::serve_front(Connection connection) {
  const async::Peer& peer = connection.stream->peer();
  const bool is_unix = peer.kind == async::Peer::Kind::unix_socket;
  const bool is_trusted = is_unix && (peer.uid == front_uid_ || peer.uid == 0);
  WorkerSession session(std::move(connection.stream), is_trusted, *userdb_, files_, worker_,
                        daemon_->log(), *worker_counters_);
  workers_.insert(&session);
  co_await session.serve();
  workers_.erase(&session);
}

// ---- both ----

Result<void, std::string> Pop3d::reload(Daemon& daemon) {
  if (!options_.worker) return load_front(daemon);
  load_worker(daemon);
  return {};
}

Task<void> Pop3d::end_sessions_when_stopping() {
  co_await daemon_->stopping().wait();
  if (own_worker_) own_worker_->stop();
  for (FrontSession* session : std::set<FrontSession*>(fronts_)) session->end();
  for (WorkerSession* session : std::set<WorkerSession*>(workers_)) session->end();
}

Task<void> Pop3d::drain(Daemon&, Deadline) {
  if (auth_) co_await auth_->stop();
  if (userdb_) co_await userdb_->stop();
  front_watch_.reset();
  own_worker_.reset();
}

}  // namespace posthorn::pop3d
