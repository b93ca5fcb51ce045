#include "libmail/reception/reception.h"

#include <cstdlib>
#include <utility>

#include "libmail/queue/intake.h"
#include "libmail/route/userdb_users.h"
#include "libmail/session/certificate.h"
#include "libmail/session/next_hop_intake.h"
#include "libmail/session/queue_intake.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::reception {

using async::Task;

namespace {

void declare_metrics(service::Daemon& daemon, const queue::Intake& intake) {
  service::Metrics& metrics = daemon.metrics();
  const queue::WriterStatistics& writer = intake.statistics();
  metrics.gauge("posthorn_intake_records", "records written to the queue since the start",
                [&writer] { return static_cast<double>(writer.records); });
  metrics.gauge("posthorn_intake_syncs", "syncs of queue segments since the start",
                [&writer] { return static_cast<double>(writer.syncs); });
  metrics.gauge("posthorn_intake_failures", "messages the queue could not take since the start",
                [&writer] { return static_cast<double>(writer.failures); });
  metrics.gauge("posthorn_intake_buffered_octets", "octets of messages in memory",
                [&intake] { return static_cast<double>(intake.buffered()); });
}

}  // namespace

service::Confinement Reception::confinement(const service::Site& site) const {
  service::Confinement confinement;
  confinement.read = {site.path("conf"), service::directory_of(options_.tls.tls_cert),
                      service::directory_of(options_.tls.tls_key)};
  if (options_.next_hop.empty()) confinement.write = {options_.queue};
  if (!options_.filters.milters.empty()) confinement.write.push_back(holding_directory());
  options_.routes.confine(confinement, site);
  return confinement;
}

// Where large messages wait for the filters.
std::string Reception::holding_directory() const {
  if (options_.next_hop.empty()) return queue::Layout(options_.queue).spool();
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
}

Result<void, std::string> Reception::load(service::Daemon& daemon) {
  options_.serve.refusal = smtp::format_reply(smtp::reply::too_many_connections);
  serve_tls_ = options_.serve;
  serve_tls_.refusal.clear();  // the client expects TLS first
  auto loaded = session::load_certificate(options_.tls, daemon.log());
  if (!loaded) return fail(loaded.error());
  tls_ = std::move(*loaded);
  xclient_networks_ = *service::Networks::parse(options_.xclient_networks);
  xforward_networks_ = *service::Networks::parse(options_.xforward_networks);
  return {};
}

std::unique_ptr<session::Intake> Reception::make_intake(service::Daemon& daemon) {
  if (!options_.next_hop.empty()) {
    session::NextHop hop = *session::parse_next_hop(options_.next_hop);
    hop.endpoint = service::endpoint_of(daemon.site(), std::move(hop.endpoint));
    session::SmtpClientOptions client;
    client.core.name = options_.host.hostname;
    client.core.xclient = options_.next_hop_xclient;
    const auto proxy = service::parse_proxy_version(options_.next_hop_proxy);
    return std::make_unique<session::NextHopIntake>(hop, client,
                                                    proxy.value_or(service::ProxyVersion::none),
                                                    session::NextHopLimits(), daemon.log());
  }
  queue::Limits limits;
  limits.inline_body = options_.spool_above;
  limits.buffered_total = options_.memory;
  auto intake = std::make_unique<session::QueueIntake>(files_, queue::Layout(options_.queue),
                                                       limits, daemon.log());
  declare_metrics(daemon, intake->queue());
  return intake;
}

Task<Result<void, std::string>> Reception::open(service::Daemon& daemon) {
  log_ = &daemon.log();
  if (options_.userdb.empty()) {
    users_ = std::make_unique<route::AnyUser>();
  } else {
    session::UserdbOptions ask;
    ask.service = "smtp";
    userdb_ = std::make_unique<session::UserdbClient>(
        service::endpoint_of(daemon.site(), options_.userdb), ask, daemon.log());
    users_ = std::make_unique<route::UserdbUsers>(*userdb_);
  }
  routes_ = std::make_unique<route::SiteRoutes>(daemon.site(), options_.routes,
                                                options_.host.domains, *users_, daemon.log());
  auto read = co_await routes_->start();
  if (!read) co_return read;
  policy_ = std::make_unique<PolicyServers>(daemon.site(), options_.policy, daemon.metrics(),
                                            options_.next_hop.empty());
  filters_ = std::make_unique<filter::Filters>(
      daemon.site(), daemon.log(), daemon.metrics(),
      filter::HoldingPlace(holding_directory(), options_.spool_above));
  filters_->load(options_.filters, options_.host.hostname);
  intake_ = make_intake(daemon);
  co_return Result<void, std::string>();
}

void Reception::serve(service::Daemon& daemon, const Session& session) {
  daemon.scope().spawn(stop_sessions(daemon.stopping()));
  daemon.serve(
      "listen", [session](service::Connection client) { return session(std::move(client), false); },
      options_.serve);
  daemon.serve(
      "listen-tls",
      [session](service::Connection client) { return session(std::move(client), true); },
      serve_tls_);
}

session::SmtpSessionSettings Reception::settings(bool implicit_tls) {
  session::SmtpSessionSettings settings;
  settings.server.hostname = options_.host.hostname;
  settings.server.limits = options_.limits;
  settings.timeouts = options_.timeouts;
  settings.xclient_networks = xclient_networks_;
  settings.xforward_networks = xforward_networks_;
  settings.tls = tls_;
  settings.implicit_tls = implicit_tls;
  settings.log = log_;
  settings.sessions = &sessions_;
  return settings;
}

void Reception::reload() {
  routes_->reload(options_.routes, options_.host.domains);
  filters_->load(options_.filters, options_.host.hostname);
}

Task<void> Reception::stop_sessions(async::Event& stopping) {
  co_await stopping.wait();
  sessions_.stop();
}

Task<void> Reception::stop() {
  if (policy_ != nullptr) policy_->close();
  if (filters_ != nullptr) co_await filters_->stop();
  if (intake_ != nullptr) co_await intake_->stop();
  if (routes_ != nullptr) co_await routes_->stop();
  if (userdb_ != nullptr) co_await userdb_->stop();
}

}  // namespace posthorn::reception
