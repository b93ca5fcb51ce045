#include "agents/smtpd/smtpd.h"

namespace posthorn::smtpd {

void Options::describe(service::OptionTable& table) {
  describe_listeners(table);

  table.group("Who may what");
  table
      .add("relay-networks", relay_networks,
           "clients from these networks may send to any domain; everybody else to ours")
      .unit("network");
  describe_addresses(table);

  describe_policy(table);
  describe_way(table);
  describe_limits(table);
  describe_timeouts(table);
}

std::vector<std::string> Options::check(const service::Site& site) const {
  std::vector<std::string> problems = ReceptionOptions::check(site);
  if (auto parsed = service::Networks::parse(relay_networks); !parsed) {
    problems.push_back("relay-networks: " + parsed.error());
  }
  return problems;
}

}  // namespace posthorn::smtpd
