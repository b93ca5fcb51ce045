#include "libdns/server/rate.h"

#include <algorithm>

#include "libdns/dnssec/cookie.h"

namespace posthorn::dns {

namespace {

void append_network(std::string& key, const Client& client, std::uint32_t bits) {
  for (const char octet : client.octets()) {
    if (bits == 0) break;
    const std::uint32_t kept = std::min<std::uint32_t>(bits, 8);
    key.push_back(static_cast<char>(static_cast<std::uint8_t>(octet) & (0xff00u >> kept)));
    bits -= kept;
  }
}

}  // namespace

RateLimiter::RateLimiter(RateSettings settings, std::string key)
    : settings_(settings), key_(std::move(key)), places_(places) {}

RateLimiter::Verdict RateLimiter::judge(const Client& client, std::string_view folded_name,
                                        Rcode rcode, std::uint32_t now) {
  if (settings_.answers == 0) return Verdict::send;
  std::string key;
  key.reserve(32 + folded_name.size());
  append_network(key, client, client.is_v6 ? settings_.v6_prefix : settings_.v4_prefix);
  key.push_back(static_cast<char>(rcode));
  if (rcode == Rcode::noerror) key.append(folded_name);
  Place& place = places_[siphash24(key, key_) % places];
  if (place.second != now) place = Place{now, 0, 0};
  if (place.sent < settings_.answers) {
    ++place.sent;
    return Verdict::send;
  }
  if (place.over < UINT16_MAX) ++place.over;
  const bool slips = settings_.slip != 0 && place.over % settings_.slip == 0;
  return slips ? Verdict::truncate : Verdict::drop;
}

}  // namespace posthorn::dns
