#include "agents/dnsd/dnsd.h"

#include <csignal>
#include <filesystem>

#include "libmail/base/random.h"
#include "libmail/service/exit_code.h"
#include "libmail/service/listeners.h"

namespace posthorn::dnsd {

using async::Deadline;
using async::Task;

// A worker's options are those that worker 0 has checked; the files aren't its affair.
std::vector<std::string> Dnsd::check(const service::Site& site) {
  return is_worker_0() ? options_.check(site) : std::vector<std::string>();
}

service::Confinement Dnsd::confinement(const service::Site& site) {
  service::Confinement confinement;
  confinement.read = {site.path("conf")};
  for (const std::string& path : {options_.root_hints, options_.trust_anchors}) {
    if (!path.empty()) confinement.read.push_back(service::directory_of(path));
  }
  if (!is_worker_0()) return confinement;
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
  return confinement;
}

Result<void, std::string> Dnsd::before_lockdown(const service::Site&,
                                                std::vector<service::OpenListeners>& open) {
  // A client that asks another worker next time shows the same cookie.
  cookie_secret_ = dns::Secret(random_octets(dns::cookie_secret_octets));
  auto place = fork_workers(options_.access.datagrams, open);
  if (!place) return fail(place.error());
  place_ = std::move(*place);
  return {};
}

dns::ResponderSettings Dnsd::responder_settings() const {
  dns::ResponderSettings settings = options_.responder_settings();
  if (options_.cookies) settings.cookie_secrets = {cookie_secret_};
  // The limit is that of all together.
  settings.rate.answers = (settings.rate.answers + place_.count - 1) / place_.count;
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
  exchange_ = std::make_unique<dns::NetworkExchange>();
  if (is_worker_0()) {
    auto started = co_await start_worker_0(daemon);
    co_return started;
  }
  log_->go_on_as_child("/" + std::to_string(place_.number));
  auto started = co_await start_worker(daemon);
  co_return started;
}

void Dnsd::start_workers(service::Daemon& daemon) {
  if (place_.count < options_.access.datagrams) {
    log_->warning("", "fewer-workers",
                  {{"workers", place_.count},
                   {"why", "that many UDP sockets were passed to us; restart who did it"}});
  }
  if (place_.count == 1) return;
  Workers::Handlers handlers;
  handlers.on_packet = [this](PassedPacket packet) { take_packet(std::move(packet)); };
  handlers.on_end = [&daemon](unsigned number) {
    daemon.stop("worker " + std::to_string(number) + " has ended", service::exit_code::try_again);
  };
  workers_ =
      std::make_unique<Workers>(std::move(place_.channels), zones_, *log_, std::move(handlers));
  zones_.on_change([this](const dns::Name& zone) { workers_->changed(zone); });
}

Task<Result<void, std::string>> Dnsd::start_worker_0(service::Daemon& daemon) {
  start_workers(daemon);
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
  if (workers_) {
    auto* metrics = &daemon.metrics();
    daemon.ops().get("/metrics",
                     [this, metrics](service::OpsRequest) { return show_metrics(*metrics); });
    auto all_started = co_await workers_->start();
    if (!all_started) co_return all_started;
  }
  serve(daemon);
  co_return Result<void, std::string>();
}

Task<Result<void, std::string>> Dnsd::start_worker(service::Daemon& daemon) {
  Worker::Handlers handlers;
  handlers.answer = [this](const WorkerNote& note) { return answer_worker_0(note); };
  handlers.on_reload = [] { ::raise(SIGHUP); };  // as worker 0 was told
  handlers.on_end = [&daemon] { daemon.stop("worker 0 ends", service::exit_code::ok); };
  start_recursor();
  responder_ = std::make_unique<dns::Responder>(zones_, recursor_.get(), responder_settings());
  worker_ = std::make_unique<Worker>(std::move(place_.channels.front()), zones_, *log_,
                                     std::move(handlers));
  responder_->set_special(worker_.get());
  const bool may_go = co_await worker_->wait_for_zones();
  if (!may_go) co_return fail(std::string("unavailable: worker 0 has ended"));
  serve_datagrams(daemon);
  worker_->tell_ready();
  co_return Result<void, std::string>();
}

void Dnsd::serve_datagrams(service::Daemon& daemon) {
  for (const int socket : daemon.datagram_sockets("listen"))
    udp_[service::bound_endpoint(socket)].push_back(
        std::make_unique<dns::UdpServer>(socket, *responder_));
  daemon.scope().spawn(stop_all(daemon.stopping()));
}

void Dnsd::take_packet(PassedPacket packet) {
  const auto servers = udp_.find(packet.listener);
  if (servers != udp_.end()) servers->second.front()->take(std::move(packet.packet), packet.way);
}

void Dnsd::serve(service::Daemon& daemon) {
  serve_datagrams(daemon);
  auto serve = [this](service::Connection client) { return session(std::move(client)); };
  daemon.serve("listen", std::move(serve), options_.serve);
}

Task<void> Dnsd::session(service::Connection connection) {
  co_await streams_->serve(std::move(connection.stream));
}

Task<void> Dnsd::stop_all(async::Event& stopping) {
  co_await stopping.wait();
  for (const auto& [address, servers] : udp_) {
    for (const auto& server : servers) server->stop();
  }
  if (streams_) streams_->stop();
  if (workers_) workers_->stop();
}

Result<void, std::string> Dnsd::reload(service::Daemon& daemon) {
  if (!is_worker_0()) {
    responder_->set(responder_settings());
    return {};
  }
  auto files = find_zone_files(options_.zones, options_.zone_files);
  if (!files) return fail(files.error());
  if (auto loaded = load_keys(); !loaded) return loaded;
  keeper_->set(options_.keeper_settings());
  responder_->set(responder_settings());
  daemon.scope().spawn(own_zones_->load(std::move(*files)));
  if (workers_) workers_->reload();
  return {};
}

// Questions that wait for others end as SERVFAIL once nobody can be asked any more.
Task<void> Dnsd::drain(service::Daemon&, Deadline deadline) {
  if (workers_) workers_->stop();
  if (keeper_) co_await keeper_->stop();
  if (secondaries_) co_await secondaries_->stop();
  if (own_zones_) co_await own_zones_->stop();
  if (exchange_) co_await exchange_->close();
  if (recursor_) co_await recursor_->close();
  for (const auto& [address, servers] : udp_) {
    for (const auto& server : servers) co_await server->join();
  }
  if (worker_) co_await worker_->join();
  if (workers_) co_await workers_->join(deadline);
}

}  // namespace posthorn::dnsd
