#include "agents/queued/options.h"

#include <algorithm>

namespace posthorn::queued {

void Options::describe(service::OptionTable& table) {
  host.describe(table);
  table.group("Queue");
  table.add_path("queue", queue, "the queue directory");
  table.add("keep-free", keep_free, "segments of 16 MiB that are kept ready for the intakes")
      .unit("segments")
      .between(1, 1000)
      .at_start();
  table
      .add_size(
          "reserve", reserve,
          "room left on the disk for outcomes and large messages; below it the intakes say 452")
      .at_start();
  routes.describe(table);
  table.group("Handing over");
  table.add_endpoint("userdb", userdb,
                     "where to ask whether a user exists (Dovecot userdb protocol)");
  table
      .add("local-concurrency", local_concurrency,
           "transactions at once with one agent for mail of our domains")
      .between(1, 10'000);
  table
      .add("destination-concurrency", destination_concurrency,
           "transactions at once for one foreign domain")
      .between(1, 10'000);
  table.add("max-transactions", max_transactions, "transactions at once in all").between(1, 60'000);
  table.add("max-active", max_active, "messages worked on at once; the others wait on the disk")
      .between(1, 100'000);
  table.add_size("active-memory", active_memory, "memory for the messages worked on");
  table
      .add("recipients-per-transaction", recipients_per_transaction,
           "recipients that one transaction carries at most")
      .between(1, 10'000);
  table.add("transaction-time", transaction_time,
            "the longest an agent may take for one transaction; relayd ends its own in 15 minutes");
  table.add("idle-connection", idle_connection, "a connection unused for so long is closed");
  table.group("Retries");
  table.add("retry-first", retry_first,
            "the wait after the first failed attempt; it doubles each time");
  table.add("retry-longest", retry_longest, "the longest wait between two attempts");
  table.add("lifetime", lifetime, "a message that is not delivered for so long goes back");
  table.add("warn-after", warn_after,
            "the sender is told once that a message is delayed; 0 = never");
  table.add(
      "unknown-user-time", unknown_user_time,
      "a recipient that an intake took and we do not know is believed to be missing after so long");
  table.add("hop-limit", hop_limit, "a message with so many Received fields is in a loop")
      .between(10, 10'000);
  table.group("Drop directory");
  table.add(
      "trusted-users", trusted_users,
      "users of this machine who may send under any address; root and we ourselves always may");
  table.add("drop-interval", drop_interval, "how often queue/drop/ is looked at");
  table.add_size("message-size", message_size,
                 "the largest message that is taken from queue/drop/");
}

RetryRule Options::retry_rule() const {
  RetryRule rule;
  rule.first = std::max<Duration>(retry_first, std::chrono::seconds(1));
  rule.longest = std::max(retry_longest, rule.first);
  return rule;
}

smtp::Mailbox Options::postmaster() const {
  const auto given = smtp::parse_mailbox(routes.postmaster, smtp::Utf8::allowed);
  if (given) return *given;
  return {"postmaster", host.domains.empty() ? host.hostname : host.domains.front()};
}

}  // namespace posthorn::queued
