// dnsd: own zones first, then the cache, then others are asked.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agents/dnsd/keeper.h"
#include "agents/dnsd/options.h"
#include "agents/dnsd/own_zones.h"
#include "agents/dnsd/secondary.h"
#include "agents/dnsd/worker.h"
#include "agents/dnsd/workers.h"
#include "libdns/server/requests.h"
#include "libdns/server/stream.h"
#include "libdns/server/udp.h"
#include "libmail/service/agent.h"

namespace posthorn::dnsd {

class Dnsd final : public service::Agent {
 public:
  Dnsd() = default;
  [[nodiscard]] std::string_view name() const override { return "dnsd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "serves zones, and finds what is in those of others";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override;
  service::Confinement confinement(const service::Site& site) override;
  Result<void, std::string> before_lockdown(const service::Site& site,
                                            std::vector<service::OpenListeners>& open) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  [[nodiscard]] dns::ResponderSettings responder_settings() const;
  [[nodiscard]] bool is_worker_0() const { return place_.number == 0; }
  async::Task<Result<void, std::string>> start_worker_0(service::Daemon& daemon);
  async::Task<Result<void, std::string>> start_worker(service::Daemon& daemon);
  void start_workers(service::Daemon& daemon);
  async::Task<Result<void, std::string>> start_zones();
  void start_recursor();
  Result<void, std::string> load_keys();
  void serve(service::Daemon& daemon);
  void serve_datagrams(service::Daemon& daemon);
  void take_packet(PassedPacket packet);
  void declare_metrics(service::Metrics& metrics);
  void declare_verbs(service::OpsServer& ops);
  async::Task<void> session(service::Connection connection);
  async::Task<void> stop_all(async::Event& stopping);
  async::Task<service::OpsReply> show_cache(service::OpsRequest request);
  async::Task<service::OpsReply> flush_cache(service::OpsRequest request);
  async::Task<service::OpsReply> show_stats();
  [[nodiscard]] Result<std::size_t, service::OpsReply> flush(const std::string& wanted);
  async::Task<service::OpsReply> show_metrics(service::Metrics& metrics);
  [[nodiscard]] nlohmann::ordered_json stats() const;
  // The sum of a number in their stats, as last told.
  [[nodiscard]] double of_others(const char* pointer) const;
  [[nodiscard]] std::string answer_worker_0(const WorkerNote& note);
  async::Task<std::vector<WorkerReply>> ask_workers(WorkerNote::Kind kind, std::string text);
  async::Task<service::OpsReply> show_zones();

  Options options_;
  WorkerPlace place_;
  service::Log* log_ = nullptr;
  dns::Secret cookie_secret_;
  dns::Zones zones_;
  std::unique_ptr<dns::NetworkExchange> exchange_;
  std::unique_ptr<OwnZones> own_zones_;
  std::unique_ptr<Secondaries> secondaries_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<dns::Cache> cache_;
  std::unique_ptr<dns::Recursor> recursor_;
  std::unique_ptr<dns::Responder> responder_;
  std::unique_ptr<dns::Requests> requests_;
  std::map<std::string, std::vector<std::unique_ptr<dns::UdpServer>>> udp_;  // by address and port
  std::unique_ptr<dns::StreamServer> streams_;
  std::unique_ptr<Workers> workers_;                     // in worker 0, if there are others
  std::unique_ptr<Worker> worker_;                       // in the others
  std::map<unsigned, nlohmann::ordered_json> stats_of_;  // of the others, as last told
};

}  // namespace posthorn::dnsd
