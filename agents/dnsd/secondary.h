// Zones of which we are a secondary: copied from their primaries (RFC 1034 4.3.5), kept on disk.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/resolver/exchange.h"
#include "libdns/server/requests.h"
#include "libdns/server/zones.h"
#include "libmail/async/endpoint.h"
#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/service/log.h"

namespace posthorn::dnsd {

struct SecondarySettings {
  dns::Name zone;
  async::Endpoint primary;
  std::optional<dns::Name> key;  // of the TSIG that both know
};
// "example.org=192.0.2.1[:53][,KEY]"
[[nodiscard]] Result<SecondarySettings, std::string> parse_secondary(std::string_view text);

class Secondaries {
 public:
  // All outlive it. `directory` is where copies lie, as NAME.copy.
  Secondaries(dns::Zones& zones, dns::Exchange& exchange, service::Log& log, std::string directory,
              std::function<void(const dns::Name&)> on_change);
  ~Secondaries();
  Secondaries(const Secondaries&) = delete;
  Secondaries& operator=(const Secondaries&) = delete;

  void set_keys(std::vector<dns::TsigKey> keys) { keys_ = std::move(keys); }
  // Serves the copies that are on disk and not expired, and begins to keep them fresh. Once.
  void start(std::vector<SecondarySettings> zones);
  async::Task<void> stop();
  // Looks at the primary now. False if the zone is not ours to copy, or somebody else says so.
  bool notified(const dns::Name& zone, std::optional<std::uint32_t> serial,
                const dns::Asker& asker);

 private:
  struct Copy;
  async::Task<void> keep_fresh(std::shared_ptr<Copy> copy);
  async::Task<void> load(std::shared_ptr<Copy> copy);
  async::Task<bool> refresh(std::shared_ptr<Copy> copy);
  async::Task<Result<std::uint32_t, std::string>> ask_serial(std::shared_ptr<Copy> copy);
  async::Task<Result<dns::ZoneVersion, std::string>> transfer(std::shared_ptr<Copy> copy,
                                                              dns::Type type);
  async::Task<void> store(std::shared_ptr<Copy> copy, dns::Zones::Pointer zone);
  [[nodiscard]] const dns::TsigKey* key_of(const Copy& copy) const;

  dns::Zones& zones_;
  dns::Exchange& exchange_;
  service::Log& log_;
  std::string directory_;
  std::function<void(const dns::Name&)> on_change_;
  std::vector<dns::TsigKey> keys_;
  std::map<dns::Name, std::shared_ptr<Copy>> copies_;
  async::Scope running_;
  async::Event stopping_;
};

}  // namespace posthorn::dnsd
