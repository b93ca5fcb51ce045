#include "libdns/resolver/servers.h"

#include <algorithm>
#include <cmath>

#include "libdns/dnssec/cookie.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

// Servers that are so much slower than the best one are as good as it: the load is spread.
constexpr double band_ms = 30;
constexpr double unasked_factor = 0.98;
constexpr std::size_t max_lame_zones = 16;
constexpr std::chrono::seconds without_ipv6{60};

bool is_ipv6(const async::Endpoint& endpoint) {
  return endpoint.host.find(':') != std::string::npos;
}

double milliseconds(Duration span) {
  return std::chrono::duration<double, std::milli>(span).count();
}

}  // namespace

KnownServer::KnownServer(async::Endpoint at)
    : endpoint(std::move(at)), client_cookie(random_octets(client_cookie_octets)) {}

bool KnownServer::is_lame(const Name& zone, MonoTime now) const {
  return std::ranges::any_of(
      lame, [&](const auto& one) { return now < one.second && one.first == zone; });
}

KnownServer& Servers::of(const async::Endpoint& endpoint) {
  std::string key = endpoint.text();
  const auto place = places_.find(key);
  if (place != places_.end()) {
    used_.splice(used_.begin(), used_, place->second);
    return used_.front();
  }
  if (used_.size() >= limits_.servers_remembered) {
    places_.erase(used_.back().endpoint.text());
    used_.pop_back();
  }
  used_.emplace_front(endpoint);
  places_.emplace(std::move(key), used_.begin());
  return used_.front();
}

std::vector<async::Endpoint> Servers::in_order(std::vector<async::Endpoint> endpoints,
                                               const Name& zone, MonoTime now) {
  struct Ranked {
    int group;
    double cost;
    std::uint64_t draw;
    std::size_t place;
  };
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const KnownServer& server = of(endpoints[i]);
    const bool rests = server.rests(now) || (is_ipv6(endpoints[i]) && now < no_ipv6_until_);
    const int group = server.is_lame(zone, now) ? 2 : rests ? 1 : 0;
    const double round_trip =
        server.round_trip > 0 ? server.round_trip : milliseconds(limits_.first_try) / 4;
    ranked.push_back({group, std::floor(round_trip / band_ms), random_u64(), i});
  }
  std::ranges::sort(ranked, [](const Ranked& a, const Ranked& b) {
    if (a.group != b.group) return a.group < b.group;
    return a.cost != b.cost ? a.cost < b.cost : a.draw < b.draw;
  });
  std::vector<async::Endpoint> sorted;
  for (const Ranked& one : ranked) {
    if (!sorted.empty()) of(endpoints[one.place]).round_trip *= unasked_factor;
    sorted.push_back(endpoints[one.place]);
  }
  return sorted;
}

Duration Servers::patience(const async::Endpoint& endpoint) {
  const KnownServer& server = of(endpoint);
  double wait = milliseconds(limits_.first_try);
  if (server.round_trip > 0) wait = server.round_trip + 4 * server.variation;
  wait = std::max(wait, milliseconds(limits_.least_try));
  wait *= std::pow(2.0, static_cast<double>(std::min<std::size_t>(server.silences, 4)));
  wait = std::min(wait, milliseconds(limits_.longest_try));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(wait));
}

// RFC 6298 2.
void Servers::answered(const async::Endpoint& endpoint, Duration took) {
  KnownServer& server = of(endpoint);
  const double ms = std::max(milliseconds(took), 0.01);
  if (server.round_trip <= 0) {
    server.round_trip = ms;
    server.variation = ms / 2;
  } else {
    server.variation = 0.75 * server.variation + 0.25 * std::abs(server.round_trip - ms);
    server.round_trip = 0.875 * server.round_trip + 0.125 * ms;
  }
  server.silences = 0;
  server.rest = {};
  server.rests_until = {};
}

void Servers::silent(const async::Endpoint& endpoint, MonoTime now) {
  KnownServer& server = of(endpoint);
  if (++server.silences < limits_.silences) return;
  server.rest = std::clamp<Duration>(server.rest * 2, limits_.rest, limits_.longest_rest);
  server.rests_until = now + server.rest;
}

void Servers::unreachable(const async::Endpoint& endpoint, MonoTime now) {
  if (is_ipv6(endpoint) && of(endpoint).round_trip <= 0) no_ipv6_until_ = now + without_ipv6;
  silent(endpoint, now);
}

void Servers::lame(const async::Endpoint& endpoint, const Name& zone, MonoTime now) {
  KnownServer& server = of(endpoint);
  std::erase_if(server.lame, [&](const auto& one) { return one.second <= now; });
  if (server.lame.size() >= max_lame_zones) server.lame.erase(server.lame.begin());
  server.lame.emplace_back(zone, now + limits_.lame_for);
}

}  // namespace posthorn::dns
