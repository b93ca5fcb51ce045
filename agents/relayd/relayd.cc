#include "agents/relayd/relayd.h"

#include <utility>

#include "libmail/smtp/replies.h"

namespace posthorn::relayd {

using async::Deadline;
using async::Task;

namespace {

constexpr Duration table_interval = std::chrono::milliseconds(500);

dns::ResolverOptions resolver_options(const Options& options, const service::Site& site) {
  if (options.dns_servers.empty()) {
    dns::ResolverOptions resolver = dns::ResolverOptions::from_system();
    resolver.trusted = options.trusted_resolvers;
    return resolver;
  }
  std::vector<dns::Server> servers;
  for (const std::string& text : options.dns_servers) {
    dns::Server server = *dns::parse_server(text);
    if (!server.path.empty()) server.path = site.path(server.path);
    servers.push_back(std::move(server));
  }
  dns::ResolverOptions resolver(std::move(servers));
  resolver.trusted = options.trusted_resolvers;
  return resolver;
}

dns::Families families(bool ipv4, bool ipv6) {
  if (ipv4 && ipv6) return dns::Families::both;
  return ipv4 ? dns::Families::ipv4 : dns::Families::ipv6;
}

Result<std::shared_ptr<tls::ClientContext>, std::string> client_context(const std::string& ca) {
  tls::ClientContext::Options options;
  options.ca_file = ca;
  auto context = tls::ClientContext::load(options);
  if (!context) return fail("tls_ca: " + context.error().text);
  return std::move(*context);
}

}  // namespace

service::Confinement Relayd::confinement(const service::Site& site) {
  service::Confinement confinement;
  confinement.read = {site.path("conf"), service::directory_of(options_.routes),
                      service::directory_of(options_.logins)};
  if (!options_.tls_ca.empty()) confinement.read.push_back(service::directory_of(options_.tls_ca));
  if (options_.tls_ca.empty()) confinement.read.emplace_back("/etc/ssl");
  if (!options_.queue.empty()) confinement.write = {queue::Layout(options_.queue).drop()};
  return confinement;
}

// What a reload may change. Sessions that run keep their own options; connections that are open stay.
Result<void, std::string> Relayd::load(service::Daemon&) {
  auto context = client_context(options_.tls_ca);
  if (!context) return fail(context.error());

  ConnectionOptions connections = options_.connections;
  connections.hostname = options_.hostname;
  connections.security = parse_security(options_.tls).value_or(Security::opportunistic);
  connections.source_address = options_.source_address;
  connections.any_certificate = (*context)->with(tls::ClientContext::Verify::none);
  connections.good_certificate = (*context)->with(tls::ClientContext::Verify::require);
  connections_->configure(std::move(connections));

  DestinationOptions destinations;
  destinations.hostname = options_.hostname;
  destinations.default_port = options_.mx_port;
  destinations.socket_directory = site_directory_;
  destinations_->configure(std::move(destinations));
  reports_->configure(options_.queue, options_.hostname);
  return {};
}

Task<Result<void, std::string>> Relayd::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  site_directory_ = daemon.site().directory();
  dns_ = std::make_unique<StubDns>(resolver_options(options_, daemon.site()),
                                   families(options_.ipv4, options_.ipv6));
  routes_ = routes_table(options_.routes);
  logins_ = logins_table(options_.logins);
  for (route::FileTable* table : {routes_.get(), logins_.get()}) {
    auto read = table->read_now();
    if (!read) co_return read;
  }
  destinations_ = std::make_unique<Destinations>(*routes_, *logins_, *dns_, *log_);
  connections_ = std::make_unique<Connections>(daemon.metrics());
  reports_ = std::make_unique<RelayedReports>(*log_);
  counters_ = std::make_unique<Counters>(daemon.metrics());
  auto loaded = load(daemon);
  if (!loaded) co_return loaded;
  watch_tables();
  daemon.scope().spawn(stop_sessions(daemon.stopping()));
  auto serve = [this](service::Connection client) { return session(std::move(client)); };
  daemon.serve("listen", std::move(serve), options_.serve);
  co_return Result<void, std::string>();
}

void Relayd::watch_tables() {
  std::vector<std::string> paths = {options_.routes, options_.logins};
  auto changed = [this](const std::string& path) { reading_.spawn(read_again(path)); };
  watch_ = std::make_unique<async::FileWatch>(std::move(paths), table_interval, std::move(changed));
}

Task<void> Relayd::read_again(std::string path) {
  route::FileTable& table = path == routes_->path() ? *routes_ : *logins_;
  auto read = co_await table.read();
  if (read) {
    log_->info("-", "table-read", {{"file", path}, {"entries", table.size()}});
  } else {
    log_->error("-", "table-error", {{"why", read.error()}});
  }
}

Task<void> Relayd::session(service::Connection connection) {
  session::SmtpSessionSettings settings;
  settings.server.protocol = smtp::Protocol::lmtp;
  settings.server.hostname = options_.hostname;
  settings.server.greeting = "Posthorn relayd";
  settings.server.requiretls = true;
  settings.server.limits.message_size = options_.message_size;
  settings.server.limits.recipients = options_.max_recipients;
  settings.timeouts.message = options_.session.transaction_time;
  settings.service = "lmtp";
  settings.log = log_;
  settings.sessions = &sessions_;
  const Services services(*destinations_, *connections_, *reports_, ids_, *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler =
      std::make_unique<Session>(services, options_.session);
  co_await session::serve_smtp(std::move(connection.stream), std::move(settings),
                               std::move(handler), nullptr);
}

Task<void> Relayd::stop_sessions(async::Event& stopping) {
  co_await stopping.wait();
  sessions_.stop();
}

Result<void, std::string> Relayd::reload(service::Daemon& daemon) {
  return load(daemon);
}

Task<void> Relayd::drain(service::Daemon&, Deadline) {
  watch_.reset();
  co_await reading_.join();
  if (connections_ != nullptr) co_await connections_->stop();
}

}  // namespace posthorn::relayd
