// dnsd: own zones first, then the cache, then others are asked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/dnsd/keeper.h"
#include "agents/dnsd/options.h"
#include "agents/dnsd/own_zones.h"
#include "agents/dnsd/secondary.h"
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
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  service::Confinement confinement(const service::Site& site) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  [[nodiscard]] dns::ResponderSettings responder_settings() const;
  async::Task<Result<void, std::string>> start_zones();
  void start_recursor();
  Result<void, std::string> load_keys();
  void serve(service::Daemon& daemon);
  void declare_metrics(service::Metrics& metrics);
  void declare_verbs(service::OpsServer& ops);
  async::Task<void> session(service::Connection connection);
  async::Task<void> stop_all(async::Event& stopping);
  async::Task<service::OpsReply> show_cache(service::OpsRequest request);
  async::Task<service::OpsReply> flush_cache(service::OpsRequest request);
  async::Task<service::OpsReply> show_stats();
  async::Task<service::OpsReply> show_zones();

  Options options_;
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
  std::vector<std::unique_ptr<dns::UdpServer>> udp_;
  std::unique_ptr<dns::StreamServer> streams_;
};

}  // namespace posthorn::dnsd
