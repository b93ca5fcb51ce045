#include <fmt/format.h>
#include <unistd.h>

#include "agents/relayd/relayd.h"
#include "libmail/base/text.h"

namespace posthorn::relayd {

Options::Options() {
  const service::HostOptions host;
  hostname = host.hostname;
  serve.connections = 2000;
}

void Options::describe(service::OptionTable& table) {
  table.group("Listeners");
  table.add_listeners("listen", listen, "where LMTP is spoken", &access);
  table.add_hostname(hostname, "our name in EHLO, and in reports; empty: the machine's name");
  table.add_size("message-size", message_size, "the largest message, 0 = any: 552 5.3.4");
  table.add("max-recipients", max_recipients, "recipients of one message, more get 452 4.5.3")
      .between(1, 1000000);
  table.add("max-sessions", serve.connections, "clients at once");

  table.group("Where mail goes");
  table.add_path("routes", routes, "table: where mail for a domain goes in place of its MX hosts")
      .at_start();
  table.add_path("logins", logins, "table: USER:PASSWORD for a place of the routes table")
      .at_start();
  table.add("mx-port", mx_port, "the port of hosts whose route names none").between(1, 65535);
  table
      .add("dns-server", dns_servers,
           "resolvers, ADDRESS[:PORT] or unix:PATH; none = those of /etc/resolv.conf")
      .at_start()
      .check_with([](const std::string& text) {
        return dns::parse_server(text)
                   ? std::string()
                   : "'" + printable(text) + "' is no ADDRESS, ADDRESS:PORT or unix:PATH";
      });
  table
      .add("trusted-resolver", trusted_resolvers,
           "a resolver whose word that an answer is secure (AD) is believed, besides Unix sockets "
           "and this machine's")
      .unit("address")
      .at_start();
  table.add("ipv4", ipv4, "connect to IPv4 addresses").at_start();
  table.add("ipv6", ipv6, "connect to IPv6 addresses").at_start();
  table.add("source-address", source_address,
            "the address we connect from; \"\" = the kernel's choice");

  table.group("TLS");
  table.add("tls", tls, "what a route without tls= gets")
      .one_of({"off", "opportunistic", "required", "verified"});
  table.add_path("tls-ca", tls_ca, "PEM file with the CAs that are believed; \"\" = the system's");

  table.group("Limits");
  table
      .add("max-connections-per-host", connections.per_host,
           "connections to one address, then 451 4.4.5")
      .between(1, 10000);
  table.add("max-idle-connections", connections.kept, "connections kept for the next message");
  table.add("idle-time", connections.idle_time, "how long such a connection is kept");
  table.add("connection-life", connections.life_time,
            "no connection is used again when it is older");
  table.add("messages-per-connection", connections.transactions, "nor when it has carried so many")
      .between(1, 1000000);
  table.add("rest-time", connections.rest_time,
            "a host that did not answer is tried last for so long");
  table.add_size("held", session.held, "octets of a message that are held before it is passed on")
      .between(1024, 64 * 1024);

  table.group("Timeouts");
  table.add("transaction-time", session.transaction_time,
            "from MAIL to the last reply; queued waits 20 minutes");
  table.add("connect-time", connections.timeouts.connect, "for one address to answer");
  table.add("greeting-time", connections.timeouts.greeting, "for its 220");
  table.add("command-time", connections.timeouts.command,
            "for a reply to EHLO, MAIL, RCPT and for TLS");
  table.add("data-time", connections.timeouts.data, "for its 354");
  table.add("block-time", connections.timeouts.block, "for it to take a piece of the message");
  table.add("final-time", connections.timeouts.final, "for its reply to the message");

  table.group("Reports");
  table.add_path("queue", queue, "queue directory whose drop/ takes `relayed` reports; \"\" = none")
      .at_start();
}

namespace {

std::string check_route(std::string& key, std::string_view value) {
  auto canonical = route_key(key);
  if (!canonical) return fmt::format("'{}' is no domain, .domain or *", printable(key));
  const auto route = parse_route(value);
  if (!route) return route.error();
  key = std::move(*canonical);
  return {};
}

std::string check_login(std::string& key, std::string_view value) {
  const auto place = parse_route(key);
  if (!place) return place.error();
  if (value.find(':') == std::string_view::npos) return "the value is USER:PASSWORD";
  key = place->place();
  return {};
}

}  // namespace

std::unique_ptr<route::FileTable> routes_table(const std::string& path) {
  return std::make_unique<route::FileTable>(path, check_route);
}

std::unique_ptr<route::FileTable> logins_table(const std::string& path) {
  return std::make_unique<route::FileTable>(path, check_login);
}

std::vector<std::string> Options::check(const service::Site&) const {
  std::vector<std::string> problems;
  for (const auto& table : {routes_table(routes), logins_table(logins)}) {
    if (auto read = table->read_now(); !read) problems.push_back(read.error());
  }
  if (!ipv4 && !ipv6) problems.emplace_back("ipv4, ipv6: at least one of them is needed");
  if (!source_address.empty() && !is_address(source_address))
    problems.push_back("source_address: '" + printable(source_address) +
                       "' is no IPv4 or IPv6 address");
  if (!tls_ca.empty() && ::access(tls_ca.c_str(), R_OK) != 0)
    problems.push_back("tls_ca: " + io_error("read", tls_ca).text());
  return problems;
}

}  // namespace posthorn::relayd
