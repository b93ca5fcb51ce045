// What is asked of a zone as a whole: transfers, NOTIFY, UPDATE; and whatever is signed with TSIG.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/dnssec/tsig.h"
#include "libdns/server/responder.h"
#include "libdns/zone/update.h"

namespace posthorn::dns {

// Who asks: where from, and with which key, if the message was signed and the signature is good.
struct Asker {
  Client client;
  std::optional<Name> key;
};

// Whoever has the zones: on disk, with their history.
class ZoneKeeper {
 public:
  virtual ~ZoneKeeper() = default;
  ZoneKeeper() = default;
  ZoneKeeper(const ZoneKeeper&) = delete;
  ZoneKeeper& operator=(const ZoneKeeper&) = delete;

  [[nodiscard]] virtual bool may_transfer(const Name& zone, const Asker& asker) const = 0;
  // How the served version came about, oldest difference first; as far as it is remembered.
  [[nodiscard]] virtual std::vector<std::shared_ptr<const ZoneDifference>> history(
      const Name& zone) const = 0;
  // An UPDATE without its TSIG, applied as a whole or refused. What is not refused is on disk when
  // this returns, and served.
  virtual async::Task<Result<void, UpdateRefusal>> update(std::string message, Asker asker) = 0;
  // A zone of which we are a secondary has changed, its primary says. Rcode of the answer.
  virtual Rcode notified(const Name& zone, std::optional<std::uint32_t> serial,
                         const Asker& asker) = 0;
};

class Requests final : public SpecialHandler {
 public:
  // All outlive it.
  Requests(const Zones& zones, Responder& responder, ZoneKeeper& keeper);
  void set_keys(std::vector<TsigKey> keys) { keys_ = std::move(keys); }

  async::Task<void> handle(std::string packet, Client client, Sink& sink) override;

 private:
  class Signed;
  async::Task<void> dispatch(std::string message, Asker asker, Signed& answers);
  async::Task<void> transfer(std::string message, Asker asker, Signed& answers);
  async::Task<void> update(std::string message, Asker asker, Signed& answers);
  async::Task<void> plain(std::string message, Asker asker, Signed& answers);
  async::Task<void> notify(std::string message, Asker asker, Signed& answers);

  const Zones& zones_;
  Responder& responder_;
  ZoneKeeper& keeper_;
  std::vector<TsigKey> keys_;
};

}  // namespace posthorn::dns
