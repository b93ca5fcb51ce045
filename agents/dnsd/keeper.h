// Who may do what with our zones, and who is told of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/dnsd/own_zones.h"
#include "agents/dnsd/secondary.h"
#include "libdns/resolver/exchange.h"
#include "libdns/server/requests.h"
#include "libmail/service/networks.h"

namespace posthorn::dnsd {

// Who is told that a zone has changed.
struct NotifyTarget {
  async::Endpoint server;
  std::optional<dns::Name> key;  // of the TSIG that both know
};
// "192.0.2.1[:53][,KEY]"
[[nodiscard]] Result<NotifyTarget, std::string> parse_notify(std::string_view text);

struct KeeperSettings {
  std::vector<dns::Grant> grants;
  std::vector<dns::Name> transfer_keys;
  service::Networks transfer_networks;
  std::vector<NotifyTarget> notify;
  dns::SerialPolicy serial_policy = dns::SerialPolicy::increment;
};

// "KEY self|subdomain|exact|wildcard NAME [TYPE,...]"; NAME is "." with self.
[[nodiscard]] Result<dns::Grant, std::string> parse_grant(std::string_view text);

class Keeper final : public dns::ZoneKeeper {
 public:
  // All outlive it.
  Keeper(OwnZones& own, Secondaries& secondaries, dns::Exchange& exchange, service::Log& log);

  void set(KeeperSettings settings) { settings_ = std::move(settings); }
  void set_keys(std::vector<dns::TsigKey> keys) { keys_ = std::move(keys); }
  // Tells those who are to be told.
  void changed(const dns::Name& zone);
  async::Task<void> stop();

  [[nodiscard]] bool may_transfer(const dns::Name& zone, const dns::Asker& asker) const override;
  [[nodiscard]] std::vector<std::shared_ptr<const dns::ZoneDifference>> history(
      const dns::Name& zone) const override;
  async::Task<Result<void, dns::UpdateRefusal>> update(std::string message,
                                                       dns::Asker asker) override;
  dns::Rcode notified(const dns::Name& zone, std::optional<std::uint32_t> serial,
                      const dns::Asker& asker) override;

 private:
  async::Task<void> notify(dns::Name zone, NotifyTarget to);
  async::Task<Result<std::string, std::string>> ask_once(std::string message, NotifyTarget to,
                                                         Duration wait);

  OwnZones& own_;
  Secondaries& secondaries_;
  dns::Exchange& exchange_;
  service::Log& log_;
  KeeperSettings settings_;
  std::vector<dns::TsigKey> keys_;
  async::Scope notifying_;
  async::Event stopping_;
};

}  // namespace posthorn::dnsd
