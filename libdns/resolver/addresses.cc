#include "libdns/resolver/addresses.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

std::uint32_t number(const A& address) {
  std::uint32_t value = 0;
  for (const std::uint8_t octet : address.address) value = value << 8 | octet;
  return value;
}

bool is_in(const A& address, std::uint32_t net, int bits) {
  return number(address) >> (32 - bits) == net >> (32 - bits);
}

// The v4 address in ::ffff:0:0/96 and ::/96, if it is one of those.
bool holds_v4(const Aaaa& address) {
  const auto& octets = address.address;
  const bool zeros = std::all_of(octets.begin(), octets.begin() + 10, [](int o) { return o == 0; });
  return zeros &&
         ((octets[10] == 0 && octets[11] == 0) || (octets[10] == 0xff && octets[11] == 0xff));
}

bool is_link_local(const Aaaa& address) {
  return address.address[0] == 0xfe && (address.address[1] & 0xc0) == 0x80;
}

}  // namespace

bool is_askable(const A& address) {
  return !is_in(address, 0x00000000, 8) && !is_in(address, 0x7f000000, 8) &&
         number(address) < 0xe0000000;
}

// ::/128 and ::1 are among those that hold a v4 address.
bool is_askable(const Aaaa& address) {
  return address.address[0] != 0xff && !holds_v4(address) && !is_link_local(address);
}

bool is_private(const A& address) {
  return is_in(address, 0x00000000, 8) || is_in(address, 0x0a000000, 8) ||
         is_in(address, 0x64400000, 10) || is_in(address, 0x7f000000, 8) ||
         is_in(address, 0xa9fe0000, 16) || is_in(address, 0xac100000, 12) ||
         is_in(address, 0xc0a80000, 16);
}

bool is_private(const Aaaa& address) {
  return holds_v4(address) || is_link_local(address) || (address.address[0] & 0xfe) == 0xfc;
}

}  // namespace posthorn::dns
