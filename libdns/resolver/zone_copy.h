// A zone from one of its servers: AXFR (RFC 5936) or IXFR (RFC 1995) over a stream, signed or not.
#pragma once

#include <memory>
#include <optional>

#include "libdns/dnssec/tsig.h"
#include "libdns/zone/transfer.h"
#include "libmail/async/endpoint.h"
#include "libmail/async/task.h"
#include "libmail/base/clock.h"

namespace posthorn::dns {

struct CopyRequest {
  async::Endpoint server;
  Name zone;
  Type type = Type::axfr;               // or ixfr, from the serial of `current`
  std::shared_ptr<const Zone> current;  // what we have; may be null for AXFR
  std::optional<TsigKey> key;           // all of it is signed then (RFC 8945 5.3.1)
  Duration ask_time = std::chrono::seconds(5);
  Duration idle_time = std::chrono::seconds(30);  // between two messages
  CopyRequest() = default;
};

// All of it, or nothing. No zone in the version: ours is up to date. Trouble on the way has
// Rcode::noerror.
[[nodiscard]] async::Task<Result<ZoneVersion, TransferFault>> copy_zone(CopyRequest request);

}  // namespace posthorn::dns
