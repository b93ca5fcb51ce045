#include "libmail/service/networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "libmail/base/text.h"

namespace posthorn::service {

namespace {

constexpr std::size_t mapped_prefix = 12;  // octets before the IPv4 address in ::ffff:a.b.c.d
constexpr unsigned v6_bits = 128;
constexpr unsigned v4_bits = 32;

// True if the first `bits` of both are equal.
bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.octets.begin(), a.octets.begin() + whole, b.octets.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - bits % 8));
  return ((a.octets[whole] ^ b.octets[whole]) & mask) == 0;
}

bool is_clear_behind(const IpAddress& address, unsigned bits) {
  for (unsigned bit = bits; bit < v6_bits; ++bit) {
    if ((address.octets[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

}  // namespace

bool IpAddress::is_v4() const {
  return std::all_of(octets.begin(), octets.begin() + 10,
                     [](std::uint8_t octet) { return octet == 0; }) &&
         octets[10] == 0xff && octets[11] == 0xff;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  const std::string terminated(text.substr(0, INET6_ADDRSTRLEN));
  IpAddress address;
  if (::inet_pton(AF_INET6, terminated.c_str(), address.octets.data()) == 1) return address;
  address.octets.fill(0);
  address.octets[10] = address.octets[11] = 0xff;
  if (::inet_pton(AF_INET, terminated.c_str(), address.octets.data() + mapped_prefix) == 1)
    return address;
  return std::nullopt;
}

Result<Networks, std::string> Networks::parse(const std::vector<std::string>& list) {
  Networks networks;
  for (const std::string& entry : list) {
    const auto slash = entry.find('/');
    const auto address = parse_ip(std::string_view(entry).substr(0, slash));
    const std::string shown = "\"" + printable(entry, 100) + "\"";
    if (!address)
      return fail(shown + " is no network: use 192.0.2.0/24, 2001:db8::/32 or one address");
    const bool v4 = entry.find(':') == std::string::npos;
    unsigned prefix = v4 ? v4_bits : v6_bits;
    if (slash != std::string::npos) {
      const auto given = parse_number<unsigned>(std::string_view(entry).substr(slash + 1));
      if (!given || *given > prefix) {
        return fail(shown + " has a prefix that is no number up to " + std::to_string(prefix));
      }
      prefix = *given;
    }
    if (v4) prefix += v6_bits - v4_bits;
    if (!is_clear_behind(*address, prefix)) {
      return fail(shown + " has bits set behind its prefix: name the network's first address");
    }
    networks.networks_.push_back({*address, prefix});
  }
  return networks;
}

bool Networks::contains(const IpAddress& address) const {
  return std::ranges::any_of(networks_, [&](const Network& network) {
    return same_prefix(network.first, address, network.prefix);
  });
}

bool Networks::contains(std::string_view address) const {
  const auto parsed = parse_ip(address);
  return parsed && contains(*parsed);
}

}  // namespace posthorn::service
