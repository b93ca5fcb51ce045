// Records that belong to one exchange and are in no zone: OPT and TSIG.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libdns/wire/name.h"
#include "libdns/wire/numbers.h"

namespace posthorn::dns {

struct OptOption {
  std::uint16_t code = 0;
  std::string octets;
  bool operator==(const OptOption&) const = default;
};
// RFC 6891 6.1.2. What class and TTL of the record mean is in MessageView::edns().
struct Opt {
  static constexpr Type type = Type::opt;
  std::vector<OptOption> options;
  bool operator==(const Opt&) const = default;
};

struct Tsig {  // RFC 8945 4.2
  static constexpr Type type = Type::tsig;
  Name algorithm;
  std::uint64_t time_signed = 0;  // seconds since 1970, 48 bits
  std::uint16_t fudge = 0;        // seconds
  std::string mac;
  std::uint16_t original_id = 0;
  std::uint16_t error = 0;  // an Rcode
  std::string other;        // with BADTIME the server's time in 6 octets
  bool operator==(const Tsig&) const = default;
};

}  // namespace posthorn::dns
