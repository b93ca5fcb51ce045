#include "agents/dnsd/dnsd.h"

#include <filesystem>

#include "libmail/base/random.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

service::Confinement Dnsd::confinement(const service::Site& site) {
  service::Confinement confinement;
  confinement.read = {site.path("conf")};
  confinement.write = {options_.zones};  // journals, copies, and zones that were updated
  if (!options_.sign.empty()) {
    // A rule can only be made for a directory that is there.
    std::error_code error;
    std::filesystem::create_directories(options_.zone_keys, error);
    confinement.write.push_back(options_.zone_keys);
  }
  if (!options_.keys.empty()) confinement.read.push_back(service::directory_of(options_.keys));
  for (const std::string& text : options_.zone_files) {
    confinement.write.push_back(service::directory_of(text.substr(text.find('=') + 1)));
  }
  for (const std::string& path : {options_.root_hints, options_.trust_anchors}) {
    if (!path.empty()) confinement.read.push_back(service::directory_of(path));
  }
  return confinement;
}

dns::ResponderSettings Dnsd::responder_settings() const {
  dns::ResponderSettings settings = options_.responder_settings();
  if (options_.cookies) settings.cookie_secrets = {cookie_secret_};
  return settings;
}

// Whoever keeps zones tells the keeper, who tells the secondaries.
Task<Result<void, std::string>> Dnsd::start_zones() {
  auto files = find_zone_files(options_.zones, options_.zone_files);
  if (!files) co_return fail(files.error());
  auto changed = [this](const dns::Name& zone) { keeper_->changed(zone); };
  own_zones_ = std::make_unique<OwnZones>(zones_, *log_, changed);
  own_zones_->set_signing(options_.signing_settings());
  secondaries_ = std::make_unique<Secondaries>(zones_, *exchange_, *log_, options_.zones, changed);
  keeper_ = std::make_unique<Keeper>(*own_zones_, *secondaries_, *exchange_, *log_);
  keeper_->set(options_.keeper_settings());
  co_await own_zones_->load(std::move(*files));
  co_return Result<void, std::string>();
}

void Dnsd::start_recursor() {
  if (!options_.recursion) return;
  cache_ = std::make_unique<dns::Cache>(options_.cache_settings());
  recursor_ = std::make_unique<dns::Recursor>(*cache_, *exchange_, options_.recursor_settings());
}

Result<void, std::string> Dnsd::load_keys() {
  const auto keys = options_.read_keys();
  if (!keys) return fail(keys.error());
  requests_->set_keys(*keys);
  secondaries_->set_keys(*keys);
  keeper_->set_keys(*keys);
  return {};
}

Task<Result<void, std::string>> Dnsd::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  cookie_secret_ = dns::Secret(random_octets(dns::cookie_secret_octets));
  exchange_ = std::make_unique<dns::NetworkExchange>();
  auto started = co_await start_zones();
  if (!started) co_return started;
  start_recursor();
  responder_ = std::make_unique<dns::Responder>(zones_, recursor_.get(), responder_settings());
  requests_ = std::make_unique<dns::Requests>(zones_, *responder_, *keeper_);
  responder_->set_special(requests_.get());
  if (auto loaded = load_keys(); !loaded) co_return loaded;
  std::vector<SecondarySettings> copies;
  for (const std::string& text : options_.secondaries) copies.push_back(*parse_secondary(text));
  secondaries_->start(std::move(copies));
  streams_ = std::make_unique<dns::StreamServer>(*responder_, options_.streams);
  declare_metrics(daemon.metrics());
  declare_verbs(daemon.ops());
  serve(daemon);
  co_return Result<void, std::string>();
}

void Dnsd::serve(service::Daemon& daemon) {
  for (const int socket : daemon.datagram_sockets("listen"))
    udp_.push_back(std::make_unique<dns::UdpServer>(socket, *responder_));
  daemon.scope().spawn(stop_all(daemon.stopping()));
  auto serve = [this](service::Connection client) { return session(std::move(client)); };
  daemon.serve("listen", std::move(serve), options_.serve);
}

Task<void> Dnsd::session(service::Connection connection) {
  co_await streams_->serve(std::move(connection.stream));
}

Task<void> Dnsd::stop_all(async::Event& stopping) {
  co_await stopping.wait();
  for (const auto& socket : udp_) socket->stop();
  streams_->stop();
}

Result<void, std::string> Dnsd::reload(service::Daemon& daemon) {
  auto files = find_zone_files(options_.zones, options_.zone_files);
  if (!files) return fail(files.error());
  if (auto loaded = load_keys(); !loaded) return loaded;
  keeper_->set(options_.keeper_settings());
  responder_->set(responder_settings());
  daemon.scope().spawn(own_zones_->load(std::move(*files)));
  return {};
}

// Questions that wait for others end as SERVFAIL once nobody can be asked any more.
Task<void> Dnsd::drain(service::Daemon&, Deadline) {
  if (keeper_) co_await keeper_->stop();
  if (secondaries_) co_await secondaries_->stop();
  if (own_zones_) co_await own_zones_->stop();
  if (exchange_) co_await exchange_->close();
  if (recursor_) co_await recursor_->close();
  for (const auto& socket : udp_) co_await socket->join();
}

}  // namespace posthorn::dnsd
