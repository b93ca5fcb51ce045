// The options of deliverd, and what they make.
#pragma once

#include <string>
#include <vector>

#include "agents/deliverd/mailbox_delivery.h"
#include "agents/deliverd/pipe_command.h"
#include "libmail/filter/filters.h"
#include "libmail/service/agent.h"
#include "libmail/session/smtp_server.h"

namespace posthorn::deliverd {

struct Options {
  std::vector<std::string> listen = {"unix:run/lmtp.sock"};
  service::SocketAccess access;
  service::HostOptions host;

  std::string userdb = "unix:run/userdb.sock";
  std::string mail_location = "maildir:mail/%d/%n/Maildir";
  std::vector<std::string> mail_directories = {"mail"};
  std::string recipient_delimiter = "+";
  bool extension_folder = false;
  std::string quota;
  std::string quota_full = "retry";
  std::string commit = "auto";
  std::size_t commit_filesystem_from = store::DeliveryLimits().file_system_sync_from;
  Duration lock_time = MailboxRules().lock_time;
  std::string spool = "mail";
  std::string queue = "queue";

  filter::FilterOptions filters{"deliverd"};

  std::string exec;
  std::string exec_flags;
  std::string exec_null_sender = PipeRules().null_sender;
  std::string exec_eol = "\\n";
  std::string exec_directory;
  std::size_t exec_concurrency = 20;
  Duration exec_time_limit = PipeRules().time_limit;

  bool from_stdin = false;
  std::string sender;
  std::string original_recipient;
  std::string deliver_to;
  std::string folder;

  smtp::ServerLimits limits;
  session::SmtpTimeouts timeouts;
  service::ServeLimits serve;

  Options();
  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;

  // "maildir:/site/mail/%d/%n/Maildir": a path that begins with neither / nor a home is one inside the site.
  [[nodiscard]] std::string full_location(const service::Site& site) const;
  [[nodiscard]] MailboxRules mailbox_rules(const service::Site& site) const;
  // Of options that check() found good.
  [[nodiscard]] PipeRules pipe_rules() const;
  [[nodiscard]] store::DeliveryLimits delivery_limits() const;
};

}  // namespace posthorn::deliverd
