#include "agents/smtpd/smtpd.h"

#include <unistd.h>

#include <utility>

#include "libmail/route/userdb_users.h"
#include "libmail/session/next_hop_intake.h"
#include "libmail/session/queue_intake.h"

namespace posthorn::smtpd {

using async::Deadline;
using async::Task;

namespace {

// Without a userdb whoever takes the message knows: the next hop at RCPT, or queued.
class AnyUser final : public route::UserLookup {
 public:
  Task<route::UserAnswer> find(std::string name) override {
    co_return route::UserAnswer(route::UserAnswer::Kind::exists, std::move(name));
  }
};

async::Endpoint endpoint_of(const service::Site& site, const std::string& text) {
  async::Endpoint endpoint = *async::parse_endpoint(text);
  if (endpoint.kind == async::Endpoint::Kind::unix_socket) endpoint.path = site.path(endpoint.path);
  return endpoint;
}

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

service::Confinement Smtpd::confinement(const service::Site& site) {
  service::Confinement confinement;
  confinement.read = {site.path("conf"), directory_of(options_.tls.tls_cert),
                      directory_of(options_.tls.tls_key)};
  if (options_.next_hop.empty()) confinement.write = {options_.queue};
  options_.routes.confine(confinement, site);
  return confinement;
}

// What a reload may change. Sessions that run keep what they have.
Result<void, std::string> Smtpd::load(service::Daemon& daemon) {
  auto policy = std::make_shared<Policy>();
  policy->hostname = options_.host.hostname;
  policy->relay_networks = *service::Networks::parse(options_.relay_networks);
  policy->local_networks = *service::Networks::parse(options_.local_networks);
  policy->max_received = options_.max_received;
  policy->max_header = options_.max_header;
  options_.serve.refusal = smtp::format_reply(smtp::reply::too_many_connections);

  std::shared_ptr<tls::ServerContext> context;
  if (::access(options_.tls.tls_cert.c_str(), F_OK) == 0) {
    tls::ServerContext::Options files;
    files.certificate_file = options_.tls.tls_cert;
    files.key_file = options_.tls.tls_key;
    auto loaded = tls::ServerContext::load(files);
    if (!loaded) return fail(loaded.error().text);
    context = std::move(*loaded);
  } else {
    daemon.log().warning("-", "no-tls", {{"certificate", options_.tls.tls_cert}});
  }
  policy_ = std::move(policy);
  tls_ = std::move(context);
  return {};
}

std::unique_ptr<session::Intake> Smtpd::make_intake(service::Daemon& daemon) {
  if (!options_.next_hop.empty()) {
    session::NextHop hop = *session::parse_next_hop(options_.next_hop);
    if (hop.endpoint.kind == async::Endpoint::Kind::unix_socket) {
      hop.endpoint.path = daemon.site().path(hop.endpoint.path);
    }
    session::SmtpClientOptions client;
    client.core.name = options_.host.hostname;
    return std::make_unique<session::NextHopIntake>(hop, client, session::NextHopLimits(),
                                                    daemon.log());
  }
  queue::Limits limits;
  limits.inline_body = options_.spool_above;
  limits.buffered_total = options_.memory;
  auto intake = std::make_unique<session::QueueIntake>(files_, queue::Layout(options_.queue),
                                                       limits, daemon.log());
  declare_metrics(daemon.metrics(), intake->queue());
  return intake;
}

void Smtpd::declare_metrics(service::Metrics& metrics, const queue::Intake& intake) {
  const queue::WriterStatistics& writer = intake.statistics();
  metrics.gauge("posthorn_smtpd_queue_records", "records written to the queue since the start",
                [&writer] { return static_cast<double>(writer.records); });
  metrics.gauge("posthorn_smtpd_queue_syncs", "syncs of queue segments since the start",
                [&writer] { return static_cast<double>(writer.syncs); });
  metrics.gauge("posthorn_smtpd_queue_failures",
                "messages the queue could not take since the start",
                [&writer] { return static_cast<double>(writer.failures); });
  metrics.gauge("posthorn_smtpd_queue_buffered_octets", "octets of messages in memory",
                [&intake] { return static_cast<double>(intake.buffered()); });
}

Task<Result<void, std::string>> Smtpd::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  auto loaded = load(daemon);
  if (!loaded) co_return loaded;
  if (options_.userdb.empty()) {
    users_ = std::make_unique<AnyUser>();
  } else {
    session::UserdbOptions ask;
    ask.service = "smtp";
    userdb_ = std::make_unique<session::UserdbClient>(endpoint_of(daemon.site(), options_.userdb),
                                                      ask, daemon.log());
    users_ = std::make_unique<route::UserdbUsers>(*userdb_);
  }
  routes_ = std::make_unique<route::SiteRoutes>(daemon.site(), options_.routes,
                                                options_.host.domains, *users_, daemon.log());
  auto read = co_await routes_->start();
  if (!read) co_return read;
  counters_ = std::make_unique<Counters>(daemon.metrics());
  intake_ = make_intake(daemon);
  daemon.scope().spawn(stop_sessions(daemon.stopping()));
  daemon.serve(
      "listen", [this](service::Connection client) { return session(std::move(client), false); },
      options_.serve);
  daemon.serve(
      "listen-tls", [this](service::Connection client) { return session(std::move(client), true); },
      options_.serve);
  co_return Result<void, std::string>();
}

Task<void> Smtpd::session(service::Connection connection, bool implicit_tls) {
  session::SmtpSessionSettings settings;
  settings.server.hostname = options_.host.hostname;
  settings.server.limits = options_.limits;
  settings.timeouts = options_.timeouts;
  settings.tls = tls_;
  settings.implicit_tls = implicit_tls;
  settings.log = log_;
  settings.sessions = &sessions_;
  const Services services(routes_->resolver(), *intake_, *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler = std::make_unique<Session>(services, policy_);
  co_await session::serve_smtp(std::move(connection.stream), std::move(settings),
                               std::move(handler), nullptr);
}

Task<void> Smtpd::stop_sessions(async::Event& stopping) {
  co_await stopping.wait();
  sessions_.stop();
}

Result<void, std::string> Smtpd::reload(service::Daemon& daemon) {
  routes_->reload(options_.routes, options_.host.domains);
  return load(daemon);
}

Task<void> Smtpd::drain(service::Daemon&, Deadline) {
  if (intake_ != nullptr) co_await intake_->stop();
  if (routes_ != nullptr) co_await routes_->stop();
  if (userdb_ != nullptr) co_await userdb_->stop();
}

}  // namespace posthorn::smtpd
