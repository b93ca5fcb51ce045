#include "agents/deliverd/deliverd.h"

#include <unistd.h>

#include "libmail/service/exit_code.h"
#include "libmail/smtp/replies.h"

namespace posthorn::deliverd {

using async::Task;

std::vector<std::string> Deliverd::check(const service::Site& site) {
  std::vector<std::string> problems = options_.check(site);
  // What stands ready, and what we may touch, is for one or the other.
  const bool is_other = delivery_ != nullptr && has_programs() != (programs_ != nullptr);
  if (is_other)
    problems.emplace_back("exec: between mailboxes and a program only a restart changes");
  if (filters_ != nullptr && needs_internet() && !has_internet_)
    problems.emplace_back(
        "milters: we have locked ourselves in, and reach inet: only from a restart on");
  return problems;
}

bool Deliverd::needs_internet() const {
  // A mail worker knows no network (LMTP's listeners are open already), unless the operator has put somebody there.
  return options_.filters.ask_by_inet() || (!has_programs() && service::is_inet(options_.userdb));
}

service::Confinement Deliverd::confinement(const service::Site& site) {
  service::Confinement confinement;
  confinement.read = {site.path("conf")};
  // A rule can only be made for a directory that is there.
  static_cast<void>(files_.make_directories(options_.spool, store::directory_mode));
  confinement.write.push_back(options_.spool);
  if (!options_.queue.empty()) confinement.write.push_back(drop_directory());
  confinement.internet = has_internet_ = needs_internet();
  // What a program touches is its own affair: the starter is not confined. We ask for no users and know no mailboxes.
  if (has_programs()) return confinement;
  for (const std::string& directory : options_.mail_directories) {
    const std::string path = site.path(directory);
    static_cast<void>(files_.make_directories(path, store::directory_mode));
    confinement.write.push_back(path);
  }
  if (options_.from_stdin && options_.deliver_to.empty()) {
    for (std::string& path : own_directories(options_, site)) {
      static_cast<void>(files_.make_directories(path, store::directory_mode));
      confinement.write.push_back(std::move(path));
    }
  }
  return confinement;
}

Result<void, std::string> Deliverd::before_lockdown(const service::Site&,
                                                    std::vector<service::OpenListeners>&) {
  if (!has_programs()) return {};
  auto begun = async::Starter::begin();
  if (!begun) return fail(begun.error().text());
  starter_ = std::move(*begun);
  return {};
}

Task<int> Deliverd::run_once(const service::Site& site, service::Log& log) {
  LocalUser self;
  if (options_.deliver_to.empty()) {
    auto found = who_runs_this();
    if (!found) {
      log.error("-", "unknown-user", {{"why", found.error()}});
      co_return service::exit_code::unknown_user;
    }
    self = std::move(*found);
  }
  const int code = co_await deliver_stdin(options_, self, site, log);
  co_return code;
}

std::string Deliverd::drop_directory() const {
  return options_.queue + "/drop";
}

Delivery& Deliverd::make_delivery(service::Daemon& daemon) {
  if (starter_) {
    starter_->watch([this, &daemon] { starter_ended(daemon); });
    programs_ =
        std::make_unique<ProgramDelivery>(*starter_, options_.exec_concurrency, options_.spool);
    return *programs_;
  }
  users_ = std::make_unique<UserdbUsers>(service::endpoint_of(daemon.site(), options_.userdb),
                                         daemon.log());
  maildirs_ = std::make_unique<store::MaildirDelivery>(files_, options_.host.hostname, ::getpid(),
                                                       options_.delivery_limits());
  mailboxes_ = std::make_unique<MailboxDelivery>(files_, *maildirs_, *users_, daemon.log());
  return *mailboxes_;
}

// Without it every delivery would wait for good; a new process has a new one.
void Deliverd::starter_ended(service::Daemon& daemon) {
  log_->error("-", "starter-ended", {{"pid", starter_->pid()}});
  daemon.stop("the starter of its programs has ended", service::exit_code::try_again);
}

// What a reload may change. Sessions that run keep what they have.
void Deliverd::load(service::Daemon& daemon) {
  auto rules = std::make_shared<SessionRules>();
  const MailboxRules mailbox = options_.mailbox_rules(daemon.site());
  rules->hostname = options_.host.hostname;
  rules->spool = options_.spool;
  rules_ = std::move(rules);
  if (mailboxes_) mailboxes_->set_rules(mailbox);
  if (programs_) programs_->set_rules(options_.pipe_rules());
  filters_->load(options_.filters, options_.host.hostname);
  options_.serve.refusal = smtp::format_reply(smtp::reply::too_many_connections);
}

void Deliverd::declare_metrics(service::Metrics& metrics) {
  counters_ = std::make_unique<Counters>(metrics);
  if (!maildirs_) return;
  const auto& counted = maildirs_->counters();
  metrics.gauge("posthorn_deliverd_batches", "commits of batches since the start",
                [&counted] { return static_cast<double>(counted.batches); });
  metrics.gauge("posthorn_deliverd_batched_messages", "messages in them",
                [&counted] { return static_cast<double>(counted.messages); });
  metrics.gauge("posthorn_deliverd_filesystem_syncs", "batches that were synced by file system",
                [&counted] { return static_cast<double>(counted.file_system_syncs); });
}

Task<Result<void, std::string>> Deliverd::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  delivery_ = &make_delivery(daemon);
  declare_metrics(daemon.metrics());
  reports_ = std::make_unique<DropReports>(drop_directory(), ids_);
  filters_ = std::make_unique<filter::Filters>(
      daemon.site(), daemon.log(), daemon.metrics(),
      filter::HoldingPlace(options_.spool, store::ContentWriter::memory_limit));
  offers_dsn_ = !options_.queue.empty() && ::access(options_.queue.c_str(), F_OK) == 0;
  if (!options_.queue.empty() && !offers_dsn_) {
    log_->warning("-", "no-queue", {{"path", options_.queue}, {"why", "DSN is not offered"}});
  }
  load(daemon);
  daemon.scope().spawn(stop_sessions(daemon.stopping()));
  daemon.serve(
      "listen", [this](service::Connection client) { return session(std::move(client)); },
      options_.serve);
  co_return Result<void, std::string>();
}

Task<void> Deliverd::session(service::Connection connection) {
  session::SmtpSessionSettings settings;
  settings.server.protocol = smtp::Protocol::lmtp;
  settings.server.greeting = "Posthorn";
  settings.server.hostname = options_.host.hostname;
  settings.server.limits = options_.limits;
  settings.server.dsn = offers_dsn_;
  settings.timeouts = options_.timeouts;
  settings.log = log_;
  settings.sessions = &sessions_;
  const Services services(*delivery_, files_, *reports_, *filters_, ids_, *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler = std::make_unique<Session>(services, rules_);
  co_await session::serve_smtp(std::move(connection.stream), std::move(settings),
                               std::move(handler), nullptr);
}

Task<void> Deliverd::stop_sessions(async::Event& stopping) {
  co_await stopping.wait();
  sessions_.stop();
}

Result<void, std::string> Deliverd::reload(service::Daemon& daemon) {
  load(daemon);
  return {};
}

Task<void> Deliverd::drain(service::Daemon&, async::Deadline) {
  if (filters_) co_await filters_->stop();
  if (maildirs_) co_await maildirs_->join();
  if (users_) co_await users_->stop();
}

}  // namespace posthorn::deliverd
