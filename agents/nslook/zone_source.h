// A whole zone from its server: AXFR (RFC 5936).
#pragma once

#include <string>
#include <vector>

#include "agents/nslook/asker.h"

namespace posthorn::nslook {

class ZoneSource {
 public:
  virtual ~ZoneSource() = default;
  ZoneSource() = default;
  ZoneSource(const ZoneSource&) = delete;
  ZoneSource& operator=(const ZoneSource&) = delete;
  // All of it, in canonical order. With manner.key it is signed. The error is one sentence.
  virtual async::Task<Result<std::vector<dns::Record>, std::string>> transfer(Place place,
                                                                              dns::Name zone,
                                                                              Manner manner) = 0;
};

class NetworkZoneSource final : public ZoneSource {
 public:
  async::Task<Result<std::vector<dns::Record>, std::string>> transfer(Place place, dns::Name zone,
                                                                      Manner manner) override;
};

}  // namespace posthorn::nslook
