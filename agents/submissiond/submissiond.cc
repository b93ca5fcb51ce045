#include "agents/submissiond/submissiond.h"

#include <unistd.h>

#include <utility>

#include "libmail/base/text.h"
#include "libmail/route/userdb_users.h"
#include "libmail/session/next_hop_intake.h"
#include "libmail/session/queue_intake.h"
#include "libmail/smtp/replies.h"

namespace posthorn::submissiond {

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

// An endpoint option; it was checked when it was read.
async::Endpoint endpoint_of(const service::Site& site, const std::string& text) {
  async::Endpoint endpoint = *async::parse_endpoint(text);
  if (endpoint.kind == async::Endpoint::Kind::unix_socket) endpoint.path = site.path(endpoint.path);
  return endpoint;
}

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

}  // namespace

service::Confinement Submissiond::confinement(const service::Site& site) {
  service::Confinement confinement;
  // /etc: the names behind the uids of Unix-socket peers.
  confinement.read = {site.path("conf"), directory_of(options_.tls.tls_cert),
                      directory_of(options_.tls.tls_key), "/etc"};
  if (options_.next_hop.empty()) confinement.write = {options_.queue};
  options_.routes.confine(confinement, site);
  return confinement;
}

// What a reload may change. Sessions that run keep what they have.
Result<void, std::string> Submissiond::load(service::Daemon& daemon) {
  auto policy = std::make_shared<Policy>();
  policy->hostname = options_.host.hostname;
  for (const std::string& user : options_.trusted_users) policy->trusted_users.insert(lower(user));
  policy->local_networks = *service::Networks::parse(options_.local_networks);
  policy->hide_client = options_.hide_client;
  policy->max_received = options_.max_received;
  policy->message.header.header_bytes = options_.max_header;
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

void Submissiond::open_clients(service::Daemon& daemon) {
  if (!options_.auth.empty()) {
    session::AuthClientOptions ask;
    ask.plaintext_in_clear = options_.allow_plaintext_auth;
    auth_ = std::make_unique<session::AuthClient>(endpoint_of(daemon.site(), options_.auth), ask,
                                                  daemon.log());
  }
  if (options_.userdb.empty()) {
    users_ = std::make_unique<AnyUser>();
    return;
  }
  session::UserdbOptions ask;
  ask.service = "smtp";
  userdb_ = std::make_unique<session::UserdbClient>(endpoint_of(daemon.site(), options_.userdb),
                                                    ask, daemon.log());
  users_ = std::make_unique<route::UserdbUsers>(*userdb_);
}

std::unique_ptr<session::Intake> Submissiond::make_intake(service::Daemon& daemon) {
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
  return std::make_unique<session::QueueIntake>(files_, queue::Layout(options_.queue), limits,
                                                daemon.log());
}

Task<Result<void, std::string>> Submissiond::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  own_site_ = !daemon.site().is_system();
  auto loaded = load(daemon);
  if (!loaded) co_return loaded;
  open_clients(daemon);
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

Task<void> Submissiond::session(service::Connection connection, bool implicit_tls) {
  async::Peer peer = connection.stream->peer();
  LocalUser local = co_await find_local_user(std::move(peer), own_site_);
  session::SmtpSessionSettings settings;
  settings.server.hostname = options_.host.hostname;
  settings.server.limits = options_.limits;
  settings.server.auth_in_clear = options_.allow_plaintext_auth;
  settings.timeouts = options_.timeouts;
  settings.tls = tls_;
  settings.implicit_tls = implicit_tls;
  settings.log = log_;
  settings.sessions = &sessions_;
  const Services services(routes_->resolver(), *intake_, *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler =
      std::make_unique<Session>(services, policy_, std::move(local));
  std::unique_ptr<session::SaslServer> sasl;
  if (auth_ != nullptr) sasl = auth_->make_server();
  co_await session::serve_smtp(std::move(connection.stream), std::move(settings),
                               std::move(handler), std::move(sasl));
}

Task<void> Submissiond::stop_sessions(async::Event& stopping) {
  co_await stopping.wait();
  sessions_.stop();
}

Result<void, std::string> Submissiond::reload(service::Daemon& daemon) {
  routes_->reload(options_.routes, options_.host.domains);
  return load(daemon);
}

Task<void> Submissiond::drain(service::Daemon&, Deadline) {
  if (intake_ != nullptr) co_await intake_->stop();
  if (auth_ != nullptr) co_await auth_->stop();
  if (routes_ != nullptr) co_await routes_->stop();
  if (userdb_ != nullptr) co_await userdb_->stop();
}

}  // namespace posthorn::submissiond
