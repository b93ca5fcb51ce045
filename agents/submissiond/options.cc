#include "agents/submissiond/submissiond.h"

namespace posthorn::submissiond {

void Options::describe(service::OptionTable& table) {
  describe_listeners(table);

  table.group("Who may what");
  table.add_endpoint("auth", auth, "who checks passwords; \"\" = nobody may log in");
  table.add("allow-plaintext-auth", allow_plaintext_auth, "offer AUTH without TLS too");
  table.add("trusted-users", trusted_users,
            "these may write any sender, as root on the Unix socket may");
  table.add("hide-client", hide_client, "leave the client's name and address out of Received");
  describe_addresses(table);

  describe_policy(table);
  describe_way(table);
  describe_limits(table);
  table.add("max-auth-attempts", limits.auth_attempts,
            "failed logins of one connection, then 421 4.7.0");
  describe_timeouts(table);
}

}  // namespace posthorn::submissiond
