// The options that smtpd and submissiond have in common. Each group is described by a call of its own, so that an agent
// can put its own rows among them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libmail/filter/filters.h"
#include "libmail/message/header.h"
#include "libmail/queue/layout.h"
#include "libmail/reception/policy_gate.h"
#include "libmail/route/site_routes.h"
#include "libmail/service/agent.h"
#include "libmail/service/options.h"
#include "libmail/session/smtp_server.h"

namespace posthorn::reception {

struct ReceptionOptions {
  std::vector<std::string> listen;
  std::vector<std::string> listen_tls;
  service::SocketAccess access;  // of Unix sockets
  service::HostOptions host;
  service::TlsOptions tls;
  std::vector<std::string> local_networks;
  std::vector<std::string> xclient_networks;
  std::vector<std::string> xforward_networks;
  PolicyOptions policy;
  filter::FilterOptions filters;
  std::string userdb = "unix:run/userdb.sock";  // "" = every local-part of our domains is taken
  route::RouteOptions routes;
  std::string queue = "queue";
  std::string next_hop;  // "" = the queue
  bool next_hop_xclient = false;
  std::string next_hop_proxy = "none";
  std::uint64_t spool_above = queue::Limits().inline_body;
  std::uint64_t memory = queue::Limits().buffered_total;
  smtp::ServerLimits limits;
  std::size_t max_header = message::HeaderLimits().header_bytes;
  std::size_t max_received = 50;
  session::SmtpTimeouts timeouts;
  service::ServeLimits serve;

  ReceptionOptions(std::string agent, std::vector<std::string> listeners)
      : listen(std::move(listeners)), filters(std::move(agent)) {}

  void describe_listeners(service::OptionTable& table);
  void describe_addresses(service::OptionTable& table);  // into the open group
  void describe_policy(service::OptionTable& table);
  void describe_way(service::OptionTable& table);
  void describe_limits(service::OptionTable& table);
  void describe_timeouts(service::OptionTable& table);
  // What no single row can tell. Each problem names its option.
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
};

}  // namespace posthorn::reception
