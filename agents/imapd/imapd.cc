#include "agents/imapd/imapd.h"

namespace posthorn::imapd {

using async::Task;
using service::Connection;

namespace {

constexpr access::Protocol protocol = {
    "imapd", "imap", "* BYE [UNAVAILABLE] too many connections, try again later\r\n",
    "* BYE [UNAVAILABLE] too many sessions, try again later\r\n"};

}  // namespace

Imapd::Imapd(std::vector<std::string> command_line)
    : AccessAgent(protocol, options_, std::move(command_line)) {}

// ---- the front ----

void Imapd::load_front(access::FrontSettings settings) {
  FrontSettings front;
  static_cast<access::FrontSettings&>(front) = std::move(settings);
  front.limits.logins = options_.max_logins;
  front_ = std::move(front);
}

Task<void> Imapd::serve_client(Connection connection, bool implicit_tls) {
  FrontSettings settings = front_;
  settings.implicit_tls = implicit_tls;
  FrontSession session(std::move(connection.stream), auth().make_server(), std::move(settings),
                       daemon().log(), front_counters());
  const access::Sessions<FrontSession>::Entry entry(fronts_, session);
  co_await session.serve();
}

// ---- the worker ----

WorkerSettings worker_settings(const Options& options, access::MailPlaces places,
                               const service::Site& site) {
  WorkerSettings settings;
  settings.host = service::HostOptions().hostname;
  settings.places = std::move(places);
  settings.separator = options.separator.front();
  settings.prefix = options.prefix;
  settings.special_use = options.special_uses();
  settings.index = options.index;
  settings.search_index = options.index && options.search_index;
  settings.append_limit = options.append_limit;
  settings.message_limit = options.message_limit;
  settings.server_comment = options.server_comment;
  settings.server_admin = options.server_admin;
  settings.filters = options.named_filters();
  settings.lock_time = options.lock_time;
  settings.idle_time = options.idle_time;
  settings.limits.line = options.max_line;
  settings.max_errors = options.max_errors;
  if (const auto place = options.public_place(site); place && *place)
    settings.public_location = **place;
  settings.public_prefix = options.public_names();
  settings.others_prefix = options.shared_prefix;
  if (!options.shared_prefix.empty()) {
    settings.share_list = options.shared_list.empty() && !settings.places.mail_directories.empty()
                              ? settings.places.mail_directories.front() + "/shared-mailboxes"
                              : site.path(options.shared_list);
  }
  settings.quota_admins = options.quota_admins;
  if (!options.quota.empty()) {
    const auto quota = store::parse_quota(options.quota);
    if (quota) settings.quota = *quota;
  }
  return settings;
}

void Imapd::load_worker(access::MailPlaces places) {
  worker_ = std::make_shared<WorkerSettings>(
      worker_settings(options_, std::move(places), daemon().site()));
}

Result<void, std::string> Imapd::open_worker(service::Daemon& daemon) {
  accounts_ = std::make_unique<Accounts>(service::HostOptions().hostname, daemon.log());
  worker_counters_ = std::make_unique<WorkerCounters>(daemon.metrics());
  return {};
}

Task<void> Imapd::serve_front(Connection connection, bool is_trusted) {
  Session session(std::move(connection.stream), is_trusted, userdb(), *accounts_, worker_,
                  daemon().log(), *worker_counters_);
  const access::Sessions<Session>::Entry entry(workers_, session);
  co_await session.serve();
}

void Imapd::end_sessions() {
  fronts_.end();
  workers_.end();
}

Task<void> Imapd::drain(service::Daemon& daemon, async::Deadline deadline) {
  co_await AccessAgent::drain(daemon, deadline);
  if (accounts_) co_await accounts_->end();
  // A session that did not end in time still has its mailbox.
  if (workers_.empty()) accounts_.reset();
}

}  // namespace posthorn::imapd
