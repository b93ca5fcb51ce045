// Lists of networks: relay_networks, local_networks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::service {

// An IP address; an IPv4 address is kept as ::ffff:a.b.c.d, so a mapped one compares equal.
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};
  [[nodiscard]] bool is_v4() const;
  auto operator<=>(const IpAddress&) const = default;
};
// "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no brackets, no zone.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);

class Networks {
 public:
  Networks() = default;
  // "192.0.2.0/24", "2001:db8::/32", or one address. Bits behind the prefix must be zero. The error
  // names the entry.
  static Result<Networks, std::string> parse(const std::vector<std::string>& list);
  [[nodiscard]] bool contains(const IpAddress& address) const;
  // False for what is no address ("" of a Unix peer).
  [[nodiscard]] bool contains(std::string_view address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    IpAddress first;
    unsigned prefix = 0;  // of 128
  };
  std::vector<Network> networks_;
};

}  // namespace posthorn::service
