// The zones that we are the authority for, from disk to what is served, and back to disk when they
// are changed by UPDATE.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/dnsd/zone_files.h"
#include "libdns/server/requests.h"
#include "libdns/server/zones.h"
#include "libdns/zone/signing.h"
#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/async/timer.h"
#include "libmail/async/watch.h"
#include "libmail/service/log.h"

namespace posthorn::dnsd {

// Of each zone's past so many differences are remembered for IXFR.
inline constexpr std::size_t remembered_differences = 100;

// Which zones are signed here, and with what. The unsigned zone stays what people and updates made
// of it; the signed one lies beside it as NAME.signed, so that after a start its serial goes on.
struct SigningSettings {
  std::vector<dns::Name> zones;
  std::string keys;  // the directory
  dns::SigningPolicy policy;
};

class OwnZones {
 public:
  // Called with a zone whose served version is a new one.
  using OnChange = std::function<void(const dns::Name&)>;

  // All outlive it.
  OwnZones(dns::Zones& zones, service::Log& log, OnChange on_change);
  ~OwnZones();
  OwnZones(const OwnZones&) = delete;
  OwnZones& operator=(const OwnZones&) = delete;

  // Before load().
  void set_signing(SigningSettings settings) { signing_ = std::move(settings); }
  // Reads every file and its journal, and from then on the files that change. A file with an error
  // is logged and its zone served as it was; one that never could be read is answered with SERVFAIL.
  async::Task<void> load(std::vector<ZoneFile> files);
  // Waits for what is being read, and writes zones that were updated back to their files.
  async::Task<void> stop();

  [[nodiscard]] bool has(const dns::Name& zone) const { return kept_.contains(zone); }
  [[nodiscard]] std::vector<std::shared_ptr<const dns::ZoneDifference>> history(
      const dns::Name& zone) const;
  // An UPDATE message, on disk when this returns. `context` without its time; what it points to
  // outlives the call.
  async::Task<Result<void, dns::UpdateRefusal>> update(dns::Name zone, std::string message,
                                                       dns::UpdateContext context);

 private:
  struct Kept {
    ZoneFile file;
    dns::Zones::Pointer current;  // what people and updates made of it
    dns::Zones::Pointer served;   // the same, or signed
    std::optional<dns::ZoneSigningKeys> keys;
    async::Timer due;  // when signatures are to be made anew
    std::deque<std::shared_ptr<const dns::ZoneDifference>> history;
    std::size_t journal_octets = 0;
    async::Semaphore changing{1};  // one reader or writer of its files at a time
    explicit Kept(ZoneFile of) : file(std::move(of)) {}
  };
  struct Loaded;
  async::Task<void> read(std::shared_ptr<Kept> kept);
  async::Task<void> take(std::shared_ptr<Kept> kept, Loaded loaded);
  // A new version of the unsigned zone, or none: signatures are due. False: it can't be signed, and
  // what was served before still is.
  async::Task<bool> bring_out(std::shared_ptr<Kept> kept, dns::ZoneVersion version);
  async::Task<Result<dns::ZoneVersion, std::string>> sign(std::shared_ptr<Kept> kept);
  async::Task<void> sign_again(std::shared_ptr<Kept> kept);
  void serve(Kept& kept, dns::ZoneVersion version);
  [[nodiscard]] bool is_to_sign(const dns::Name& zone) const;
  void changed(const std::string& path);
  async::Task<void> write_back(std::shared_ptr<Kept> kept);
  [[nodiscard]] static Loaded load_with_journal(const ZoneFile& file);

  dns::Zones& zones_;
  service::Log& log_;
  OnChange on_change_;
  SigningSettings signing_;
  bool stopping_ = false;
  std::map<dns::Name, std::shared_ptr<Kept>> kept_;
  std::unique_ptr<async::FileWatch> watch_;
  async::Scope reading_;
};

}  // namespace posthorn::dnsd
