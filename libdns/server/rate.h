// Response rate limiting: whoever forges a victim's address gets few answers sent there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/server/client.h"
#include "libdns/wire/numbers.h"

namespace posthorn::dns {

struct RateSettings {
  std::uint32_t answers = 50;  // a second to one network for one name, or of one error; 0: no limit
  std::uint32_t slip = 2;      // every so many that are too many gets a truncated answer, 0: none
  std::uint32_t v4_prefix = 24;
  std::uint32_t v6_prefix = 56;
};

class RateLimiter {
 public:
  enum class Verdict : std::uint8_t { send, truncate, drop };
  // `key`: 16 octets that strangers don't know.
  RateLimiter(RateSettings settings, std::string key);

  // An answer that is about to go out by UDP. Errors and NXDOMAIN count together for the network,
  // other answers for each name. `now`: seconds that never go back.
  [[nodiscard]] Verdict judge(const Client& client, std::string_view folded_name, Rcode rcode,
                              std::uint32_t now);
  void set(RateSettings settings) { settings_ = settings; }

 private:
  // The table has one size: who shares a place shares its count, which errs on the victim's side.
  static constexpr std::size_t places = 1 << 16;
  struct Place {
    std::uint32_t second = 0;
    std::uint16_t sent = 0;
    std::uint16_t over = 0;
  };
  RateSettings settings_;
  std::string key_;
  std::vector<Place> places_;
};

}  // namespace posthorn::dns
