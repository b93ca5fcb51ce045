// What queued can be told; queued.8 and conf/queued.toml describe it.
#pragma once

#include <string>
#include <vector>

#include "agents/queued/schedule.h"
#include "libmail/queue/layout.h"
#include "libmail/route/site_routes.h"
#include "libmail/service/options.h"

namespace posthorn::queued {

struct Options {
  service::HostOptions host;
  route::RouteOptions routes;

  std::string queue = "queue";
  std::size_t keep_free = 3;
  std::uint64_t reserve = 8 << 20;

  std::string userdb = "unix:run/userdb.sock";
  std::size_t local_concurrency = 256;
  std::size_t destination_concurrency = 20;
  std::size_t max_transactions = 600;
  std::size_t max_active = 800;
  std::uint64_t active_memory = 8 << 20;
  std::size_t recipients_per_transaction = 100;
  Duration transaction_time = std::chrono::minutes(20);
  Duration idle_connection = std::chrono::seconds(30);

  Duration retry_first = std::chrono::minutes(1);
  Duration retry_longest = std::chrono::hours(1);
  Duration lifetime = std::chrono::hours(24 * 5);
  Duration warn_after = std::chrono::hours(4);
  Duration unknown_user_time = std::chrono::hours(1);
  std::size_t hop_limit = 100;

  std::vector<std::string> trusted_users;
  Duration drop_interval = std::chrono::seconds(1);
  std::uint64_t message_size = 100 << 20;

  Options() = default;
  void describe(service::OptionTable& table);
  [[nodiscard]] RetryRule retry_rule() const;
  // Who answers for this mail system, and gets what nobody else can be told.
  [[nodiscard]] smtp::Mailbox postmaster() const;
};

}  // namespace posthorn::queued
