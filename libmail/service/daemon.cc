#include "libmail/service/daemon.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "libmail/base/text.h"

namespace posthorn::service {

using async::Deadline;
using async::Task;

void notify_supervisor(const std::string& state) {
  static const std::string path = [] {
    const char* text = std::getenv("NOTIFY_SOCKET");
    std::string found = text != nullptr ? text : "";
    ::unsetenv("NOTIFY_SOCKET");
    return found;
  }();
  sockaddr_un address{};
  if (path.size() < 2 || path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = 0;  // the abstract name space
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  // Nobody there: then nobody waits for it.
  (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<sockaddr*>(&address), length);
}

void RunOptions::describe(OptionTable& table, std::string_view instance) {
  ops = {"unix:run/" + std::string(instance) + ".ops"};
  table.group("Running");
  table.add("user", user, "the user we become when root starts us in the system's site").at_start();
  table.add_listeners("ops", ops,
                      "where operators ask and command us: HTTP with /metrics, /health and verbs");
  table.add("log-level", log_level, "what is logged").one_of({"error", "warning", "info", "debug"});
  table.add("log-format", log_format, "how it is logged").one_of({"kv", "json"});
  table.add("drain-time", drain_time, "after SIGTERM sessions have this long to end").at_start();
  table.add("lockdown", lockdown, "Landlock and seccomp").one_of({"full", "log", "off"}).at_start();
}

Lockdown RunOptions::how() const {
  return lockdown == "full"  ? Lockdown::full
         : lockdown == "log" ? Lockdown::log_only
                             : Lockdown::off;
}

void RunOptions::apply(Log& log) const {
  Log::Format format = Log::Format::kv;
  Level level = Level::info;
  check(parse_log_format(log_format, format) && parse_log_level(log_level, level),
        "one_of() has checked these");
  log.set(format, level);
}

RunningDaemon::RunningDaemon(Agent& agent, Settings& settings, OptionTable& table,
                             RunOptions& options, Log& log, std::vector<OpenListeners> open)
    : agent_(agent),
      settings_(settings),
      table_(table),
      options_(options),
      log_(log),
      open_(std::move(open)) {
  for (OpenListeners& listeners : open_) {
    datagrams_[listeners.name] = std::move(listeners.datagrams);
    for (const Fd& socket : listeners.sockets)
      bound_[listeners.name].push_back(bound_endpoint(socket.get()));
    if (listeners.stdio) bound_[listeners.name].emplace_back("stdio:");
  }
}

RunningDaemon::~RunningDaemon() = default;

void RunningDaemon::serve(std::string_view name, Session session, const ServeLimits& limits) {
  const auto open = std::ranges::find(open_, name, &OpenListeners::name);
  check(open != open_.end(), "serve() names a listener option that listens_on() agreed to");
  auto stdio_ended = [this] { stop("the session on standard input has ended", exit_code::ok); };
  acceptors_.push_back(std::make_unique<Acceptor>(std::move(*open), std::move(session), limits,
                                                  log_, metrics_, std::move(stdio_ended)));
  open_.erase(open);
}

std::vector<std::string> RunningDaemon::listening(std::string_view name) const {
  const auto found = bound_.find(name);
  return found == bound_.end() ? std::vector<std::string>() : found->second;
}

std::vector<int> RunningDaemon::datagram_sockets(std::string_view name) const {
  std::vector<int> sockets;
  const auto found = datagrams_.find(name);
  if (found == datagrams_.end()) return sockets;
  for (const Fd& socket : found->second) sockets.push_back(socket.get());
  return sockets;
}

void RunningDaemon::stop(std::string_view why, int code) {
  if (stopping_.is_set()) return;
  log_.info("", "stopping", {{"why", why}});
  notify_supervisor("STOPPING=1");
  exit_code_ = code;
  for (const auto& acceptor : acceptors_) acceptor->stop_accepting();
  ops_.stop();
  stopping_.set();
}

Task<int> RunningDaemon::run(LockdownReport report) {
  on_term_ =
      std::make_unique<async::SignalWatch>(SIGTERM, [this] { stop("SIGTERM", exit_code::ok); });
  on_int_ = std::make_unique<async::SignalWatch>(SIGINT, [this] { stop("SIGINT", exit_code::ok); });
  const int code = co_await start_and_serve(std::move(report));
  on_hup_.reset();
  co_await finish();
  log_.info("", "stopped", {{"exit", code}});
  on_term_.reset();
  on_int_.reset();
  co_return code;
}

Task<int> RunningDaemon::start_and_serve(LockdownReport report) {
  add_own_verbs();
  auto started = co_await agent_.start(*this);
  if (!started) {
    const bool unavailable = started.error().starts_with("unavailable:");
    log_.error("", "start-failed", {{"why", started.error()}});
    stop("it could not start", exit_code_);
    co_return unavailable ? exit_code::unavailable : exit_code::config;
  }
  const auto confined = confine_calls(agent_.confinement(site()), options_.how(), report);
  if (!confined) {
    log_.error("", "lockdown-failed", {{"why", confined.error().text()}});
    stop("it could not lock itself in", exit_code_);
    co_return exit_code::unavailable;
  }
  if (!accept_all()) co_return exit_code::unavailable;
  on_hup_ = std::make_unique<async::SignalWatch>(SIGHUP, [this] { reload(); });
  for (const auto& [name, endpoints] : bound_) {
    for (const std::string& endpoint : endpoints)
      log_.info("", "listening", {{"option", name}, {"on", endpoint}});
  }
  std::string notes;
  for (const std::string& note : report.notes) notes += (notes.empty() ? "" : "; ") + note;
  log_.info("", "ready",
            {{"version", version},
             {"landlock", report.landlock_abi},
             {"seccomp", report.seccomp},
             {"notes", notes}});
  log_.flush();
  notify_supervisor("READY=1");
  co_await stopping_.wait();
  co_return exit_code_;
}

bool RunningDaemon::accept_all() {
  for (const auto& acceptor : acceptors_) {
    const auto begun = acceptor->start();
    if (begun) continue;
    log_.error("", "listen-failed", {{"why", begun.error().text()}});
    stop("it could not listen", exit_code_);
    return false;
  }
  return true;
}

// Sessions first, then what the agent holds open, then its tasks; all within drain_time.
Task<void> RunningDaemon::finish() {
  const Deadline deadline = Deadline::in(options_.drain_time);
  std::size_t given_up = 0;
  for (const auto& acceptor : acceptors_) {
    acceptor->stop_accepting();
    const bool ended = co_await acceptor->join(deadline);
    if (!ended) given_up += acceptor->sessions();
  }
  co_await agent_.drain(*this, deadline.or_before(Deadline::in(options_.drain_time)));
  const bool tasks_ended = co_await join_tasks(Deadline::in(std::chrono::seconds(1)));
  if (given_up > 0 || !tasks_ended)
    log_.warning("", "gave-up", {{"sessions", given_up}, {"tasks", scope_.running()}});
}

Task<bool> RunningDaemon::join_tasks(Deadline deadline) {
  while (scope_.running() > 0) {
    if (deadline.passed()) co_return false;
    co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(5)));
  }
  co_return true;
}

void RunningDaemon::reload() {
  notify_supervisor("RELOADING=1");
  auto reloaded = settings_.reload();
  if (reloaded.errors.empty()) {
    reloaded.errors = agent_.check(site());
    if (!reloaded.errors.empty()) settings_.undo();
  }
  for (const std::string& error : reloaded.errors)
    log_.error("", "reload-refused", {{"why", error}});
  for (const std::string& key : reloaded.needs_restart)
    log_.warning("", "needs-restart", {{"key", key}});
  if (reloaded.errors.empty()) {
    options_.apply(log_);
    for (const std::string& key : reloaded.changed) log_.info("", "changed", {{"key", key}});
    const auto done = agent_.reload(*this);
    if (!done) log_.error("", "reload-refused", {{"why", done.error()}});
    if (done) log_.info("", "reloaded", {{"changed", reloaded.changed.size()}});
  }
  notify_supervisor("READY=1");
}

void RunningDaemon::add_own_verbs() {
  const WallTime began = wall_now();
  metrics_.gauge("posthorn_start_time_seconds", "when the process started, Unix time",
                 [began] { return static_cast<double>(began.time_since_epoch().count()) / 1e6; });
  metrics_.gauge("posthorn_cpu_seconds", "processor time used, user and system", [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  });
  ops_.get("/metrics", [this](OpsRequest) { return show_metrics(); });
  ops_.get("/health", [this](OpsRequest) { return show_health(); });
  ops_.get("/options", [this](OpsRequest) { return show_options(); });
  const bool listens = std::ranges::find(open_, "ops", &OpenListeners::name) != open_.end();
  if (listens)
    serve(
        "ops", [this](Connection connection) { return serve_ops(std::move(connection)); },
        ops_limits_);
}

Task<OpsReply> RunningDaemon::show_metrics() {
  OpsReply reply(metrics_.text());
  reply.content_type = metrics_type;
  co_return std::move(reply);
}

Task<OpsReply> RunningDaemon::show_health() {
  co_return OpsReply(stopping_.is_set() ? "{\"status\":\"stopping\"}\n" : "{\"status\":\"ok\"}\n");
}

Task<OpsReply> RunningDaemon::show_options() {
  OpsReply reply(print_config(table_, agent_.name(), agent_.purpose()));
  reply.content_type = "application/toml";
  co_return std::move(reply);
}

Task<void> RunningDaemon::serve_ops(Connection connection) {
  co_await ops_.serve(std::move(connection.stream));
}

}  // namespace posthorn::service
