// For tests: DNS and tables that answer from maps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agents/relayd/destination.h"

namespace posthorn::relayd::test {

inline dns::Name name(const std::string& text) {
  return *dns::Name::parse(text);
}

inline dns::MailHost host(const std::string& text, std::uint16_t preference,
                          std::vector<std::string> addresses) {
  dns::MailHost one(name(text), preference);
  one.state = addresses.empty() ? dns::MailHost::State::no_address : dns::MailHost::State::usable;
  one.addresses = std::move(addresses);
  one.reason = text + " has no address";
  return one;
}

inline dns::MailRoute route_of(dns::MailRoute::Outcome outcome,
                               std::vector<dns::MailHost> hosts = {}) {
  dns::MailRoute route;
  route.outcome = outcome;
  route.hosts = std::move(hosts);
  route.reason = "reason";
  return route;
}

struct FakeDns final : MailDns {
  std::map<std::string, dns::MailRoute> routes;
  std::map<std::string, dns::MailHost> hosts;
  async::Task<dns::MailRoute> mail_hosts(dns::Name domain, async::Deadline) override {
    co_return routes[domain.text()];
  }
  async::Task<dns::MailHost> host(dns::Name one, async::Deadline) override {
    co_return hosts[one.text()];
  }
};

struct MapTable final : route::Table {
  std::map<std::string, std::string> entries;
  bool broken = false;
  async::Task<route::TableAnswer> find(std::string key) override {
    if (broken) co_return fail(route::TableError("broken"));
    const auto found = entries.find(key);
    if (found == entries.end()) co_return std::optional<std::string>();
    co_return std::optional<std::string>(found->second);
  }
};

}  // namespace posthorn::relayd::test
