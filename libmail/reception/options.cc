#include "libmail/reception/options.h"

#include <unistd.h>

#include "libmail/service/networks.h"
#include "libmail/service/proxied.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::reception {

namespace {

std::string check_next_hop(const std::string& text) {
  const auto hop = session::parse_next_hop(text);
  return text.empty() || hop ? std::string() : hop.error();
}

}  // namespace

void ReceptionOptions::describe_listeners(service::OptionTable& table) {
  table.group("Listeners");
  table.add_listeners("listen", listen, "where SMTP is spoken, with STARTTLS", &access);
  table.add_listeners("listen-tls", listen_tls, "where TLS comes before the greeting");
  service::describe_proxies(table, serve.proxy_networks);
  table
      .add("xclient-networks", xclient_networks,
           "proxies: clients from these networks may say whom they speak for, and who that has "
           "logged in as (XCLIENT)")
      .unit("network");
  table
      .add("xforward-networks", xforward_networks,
           "clients from these networks may say where a message came from (XFORWARD), as "
           "Unix-socket "
           "peers may")
      .unit("network");
  host.describe(table);
  tls.describe(table);
}

void ReceptionOptions::describe_addresses(service::OptionTable& table) {
  table
      .add("local-networks", local_networks,
           "clients from these networks get true answers to VRFY and EXPN, as Unix-socket peers "
           "and users do")
      .unit("network");
  table.add_endpoint("userdb", userdb,
                     "who knows our users; \"\" = every local-part of our domains is taken");
  routes.describe(table);
}

void ReceptionOptions::describe_policy(service::OptionTable& table) {
  table.group("Who else is asked");
  policy.describe(table);
  filters.describe(table);
}

void ReceptionOptions::describe_way(service::OptionTable& table) {
  table.group("Where messages go");
  table.add_path("queue", queue, "the queue directory").at_start();
  table
      .add("next-hop", next_hop,
           "pass messages on while they arrive, to smtp:HOST or lmtp:HOST (inet:HOST:PORT, "
           "unix:PATH), in place of the queue")
      .at_start()
      .check_with(check_next_hop);
  table
      .add(
          "next-hop-xclient", next_hop_xclient,
          "tell the next hop by XCLIENT, if it offers that, who the client is and has logged in as")
      .at_start();
  table
      .add("next-hop-proxy", next_hop_proxy,
           "begin each connection to the next hop with a PROXY header of this version, which names "
           "the client; it is made for that client's session alone")
      .one_of({"none", "1", "2"})
      .at_start();
  table.add_size("spool-above", spool_above, "larger messages lie in a file while they arrive")
      .at_start();
  table.add_size("memory", memory, "octets of messages in memory, beyond it they go to files")
      .at_start();
}

void ReceptionOptions::describe_limits(service::OptionTable& table) {
  table.group("Limits");
  table.add_size("message-size", limits.message_size, "the largest message, 0 = any: 552 5.3.4");
  table.add("max-recipients", limits.recipients, "recipients of one message, more get 452 4.5.3")
      .between(1, 1000000);
  table.add("max-messages", limits.transactions, "messages of one connection, then 421 4.7.0");
  table.add("max-errors", limits.errors, "errors of one connection, then 421 4.7.0");
  table.add("max-unknown-recipients", limits.refused_recipients,
            "refused recipients of one connection, then 421 4.7.0");
  table.add("max-idle-commands", limits.idle_commands,
            "commands in a row that bring no message, then 421 4.7.0");
  table.add_size("max-line", limits.body_line, "the longest line of a message: 554 5.6.0");
  table.add_size("max-header", max_header, "the largest header of a message: 554 5.6.0");
  table.add("max-received", max_received, "Received fields, more are a loop: 554 5.4.6");
  table.add("max-connections", serve.connections, "clients at once, more get 421 4.7.0");
  table.add("max-connections-per-client", serve.connections_per_client,
            "clients at once from one IPv4 address or IPv6 /64");
}

void ReceptionOptions::describe_timeouts(service::OptionTable& table) {
  table.group("Timeouts");
  table.add("command-time", timeouts.command, "a client that says nothing this long gets 421");
  table.add("line-time", timeouts.line, "from the first octet of a command to its end");
  table.add("body-time", timeouts.body, "between two pieces of a message");
  table.add("message-time", timeouts.message, "from DATA to the end of the message");
}

std::vector<std::string> ReceptionOptions::check(const service::Site& site) const {
  std::vector<std::string> problems = routes.check(site);
  if (auto parsed = service::Networks::parse(local_networks); !parsed) {
    problems.push_back("local-networks: " + parsed.error());
  }
  if (auto parsed = service::Networks::parse(xclient_networks); !parsed) {
    problems.push_back("xclient-networks: " + parsed.error());
  }
  if (auto parsed = service::Networks::parse(xforward_networks); !parsed) {
    problems.push_back("xforward-networks: " + parsed.error());
  }
  if (host.domains.empty()) {
    problems.push_back("domains: at least one is needed; write domains = [\"example.org\"] into " +
                       site.path("conf/posthorn.toml") + ", or use --domains");
  }
  if (next_hop.empty() && ::access(queue.c_str(), X_OK) != 0) {
    problems.push_back("queue: " + io_error("enter", queue).text() +
                       "; start queued first, it makes the directory");
  }
  if (!tls.has_certificate() && !listen_tls.empty()) {
    problems.push_back("listen-tls needs a certificate, and there is none at " + tls.tls_cert);
  }
  return problems;
}

}  // namespace posthorn::reception
