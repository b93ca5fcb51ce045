#include "agents/pop3d/options.h"

namespace posthorn::pop3d {

Options::Options() {
  listen = {"inet:*:110"};
  listen_tls = {"inet:*:995"};
  worker_listen = {"unix:run/pop3-worker.sock"};
  idle_time = std::chrono::minutes(10);  // RFC 1939 section 3: at least this
}

void Options::describe(service::OptionTable& table) {
  Words words;
  words.spoken = "POP3 is spoken, with STLS";
  words.spoken_tls = "TLS comes before the greeting (pop3s)";
  words.passwords = "USER, PASS and AUTH PLAIN";
  describe_front(table, words);

  describe_worker(table);
  table.add("delete-after-retr", delete_after_retr, "delete at QUIT what was retrieved (EXPIRE 0)");
  table.add("mark-seen", mark_seen, "mark at QUIT as seen what was retrieved");
  table.add("refuse-utf8", refuse_utf8,
            "refuse messages with 8-bit headers to clients that have not said UTF8");
  table.add("lock-time", lock_time,
            "how long to wait for a mailbox that another program has locked");
  table.add("max-mailboxes", serve_worker.connections, "mailboxes open at once").unit("mailboxes");

  describe_both(table);
  table.add("max-errors", limits.errors, "replies -ERR to one client, then it is sent away")
      .between(1, 1'000'000);
  table.add("max-logins", limits.logins, "failed log-ins of one client, then it is sent away")
      .between(1, 1000);
  table.add("max-line", limits.command, "octets of a command line").between(255, 65536);
}

}  // namespace posthorn::pop3d
