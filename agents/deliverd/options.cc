#include "agents/deliverd/options.h"

#include <unistd.h>

namespace posthorn::deliverd {

namespace {

template <class Parse>
auto checked_by(Parse parse) {
  return [parse](const std::string& text) -> std::string {
    if (text.empty()) return {};
    auto parsed = parse(text);
    return parsed ? std::string() : std::move(parsed.error());
  };
}

}  // namespace

Options::Options() {
  // Who hands us messages is a queue that has accepted them; a limit here would only bounce what was taken there.
  limits.message_size = 0;
}

void Options::describe(service::OptionTable& table) {
  table.group("Listeners");
  table.add_listeners("listen", listen, "where LMTP is spoken", &access);
  host.describe(table);

  table.group("Mailboxes");
  table.add_endpoint("userdb", userdb, "who knows our users");
  table.add("mail-location", mail_location,
            "where users without a mail field have their mail: maildir:PATH or mbox:PATH, with %u, "
            "%n, %d, %h");
  table
      .add("mail-directories", mail_directories,
           "mailboxes lie below these directories, and nowhere else")
      .at_start();
  table.add("recipient-delimiter", recipient_delimiter,
            "what parts a name and an extension, \"+\" or several such; \"\" = nothing");
  table.add("extension-folder", extension_folder,
            "mail for name+extension goes into the folder of that name");
  table
      .add(
          "quota", quota,
          "what users without a quota_rule field may have: *:storage=1G:messages=10000; \"\" = all")
      .check_with(checked_by(store::parse_quota));
  table.add("quota-full", quota_full, "mail for a full mailbox is to be tried again, or bounces")
      .one_of({"retry", "bounce"});
  table.add("commit", commit, "how a batch of messages is synced")
      .one_of({"auto", "file", "filesystem"})
      .at_start();
  table
      .add("commit-filesystem-from", commit_filesystem_from,
           "with auto, batches from this size may be synced by file system")
      .unit("messages")
      .between(1, 1000000)
      .at_start();
  table.add("lock-time", lock_time, "how long we wait for an mbox that others have locked");
  table.add_path("spool", spool, "where bodies above 256k lie while they arrive").at_start();
  table.add_path("queue", queue, "the queue, for reports of delivery; \"\" = DSN is not offered")
      .at_start();

  table.group("Who else is asked");
  filters.describe(table);

  table.group("A program in place of mailboxes");
  table.add("exec", exec, "hand messages to this program, by the rules of Postfix's pipe(8)")
      .check_with(checked_by(parse_pipe_argv));
  table.add("exec-flags", exec_flags, "flags of pipe(8): any of BDFORXhuq.>")
      .check_with(checked_by(parse_pipe_flags));
  table.add("exec-null-sender", exec_null_sender, "what ${sender} says of the null sender");
  table.add("exec-eol", exec_eol, "the line end the program gets")
      .check_with(checked_by(parse_pipe_eol));
  table.add("exec-directory", exec_directory, "where the program runs; \"\" = /");
  table.add("exec-concurrency", exec_concurrency, "programs at once").between(1, 10000).at_start();
  table.add("exec-time-limit", exec_time_limit, "a program that runs longer is killed");

  table.group("One message on standard input");
  table.add("stdin", from_stdin, "deliver one message from standard input, then end").flag_only();
  table.add("sender", sender, "its sender; \"\" = the null sender").flag_only().short_name('f');
  table.add("original-recipient", original_recipient, "the address it was sent to")
      .flag_only()
      .short_name('a');
  table.add("deliver-to", deliver_to, "the user; \"\" = who runs this").flag_only().short_name('d');
  table.add("folder", folder, "the folder; \"\" = the inbox").flag_only().short_name('m');

  table.group("Limits");
  table.add_size("message-size", limits.message_size, "the largest message, 0 = any: 552 5.3.4");
  table.add("max-recipients", limits.recipients, "recipients of one message, more get 452 4.5.3")
      .between(1, 1000000);
  table.add("max-connections", serve.connections, "clients at once, more get 421 4.7.0");
  table.add("max-connections-per-client", serve.connections_per_client,
            "clients at once from one IPv4 address or IPv6 /64");

  table.group("Timeouts");
  table.add("command-time", timeouts.command, "a client that says nothing this long gets 421");
  table.add("body-time", timeouts.body, "between two pieces of a message");
  table.add("message-time", timeouts.message, "from DATA to the end of the message");
}

std::string Options::full_location(const service::Site& site) const {
  const std::size_t colon = mail_location.find(':');
  if (colon == std::string::npos) return mail_location;
  const std::string path = mail_location.substr(colon + 1);
  if (path.starts_with('/') || path.starts_with('~') || path.starts_with("%h"))
    return mail_location;
  return mail_location.substr(0, colon + 1) + site.path(path);
}

std::vector<std::string> Options::check(const service::Site& site) const {
  std::vector<std::string> problems;
  store::MailUser somebody;
  somebody.name = "user@example.org";
  somebody.local = "user";
  somebody.domain = "example.org";
  somebody.home = "/home/user";
  auto location = store::make_mail_location(full_location(site), somebody);
  if (!location) problems.push_back("mail-location: " + location.error().text);
  // Where the homes are only the userdb knows.
  const bool at_home = location && location->base == somebody.home;
  if (location && !at_home && !from_stdin && exec.empty() &&
      !store::lies_below(location->path(), mailbox_rules(site).mail_directories)) {
    problems.push_back("mail-location: " + location->path() +
                       " is in none of mail-directories; add its directory there");
  }
  if (exec.empty() && !exec_flags.empty()) {
    problems.emplace_back("exec-flags says how a program is called, but exec names none");
  }
  if (!from_stdin &&
      !(sender.empty() && original_recipient.empty() && deliver_to.empty() && folder.empty())) {
    problems.emplace_back("-f, -a, -d and -m belong to --stdin");
  }
  if (from_stdin && !exec.empty()) {
    problems.emplace_back("--stdin delivers into mailboxes: it can't be had with exec");
  }
  if (exec.empty() && !from_stdin && userdb.empty()) {
    problems.emplace_back("userdb: without it nobody knows our users");
  }
  return problems;
}

MailboxRules Options::mailbox_rules(const service::Site& site) const {
  MailboxRules rules;
  rules.hostname = host.hostname;
  rules.domain = host.domains.empty() ? host.hostname : host.domains.front();
  rules.mail_location = full_location(site);
  for (const std::string& directory : mail_directories) {
    rules.mail_directories.push_back(site.path(directory));
  }
  rules.recipient_delimiter = recipient_delimiter;
  rules.extension_folder = extension_folder;
  rules.lock_time = lock_time;
  rules.quota = store::parse_quota(quota).value_or(store::QuotaLimits());
  rules.quota_full_bounces = quota_full == "bounce";
  return rules;
}

PipeRules Options::pipe_rules() const {
  PipeRules rules;
  rules.argv = parse_pipe_argv(exec).value_or(std::vector<std::string>());
  rules.flags = parse_pipe_flags(exec_flags).value_or(PipeFlags());
  rules.null_sender = exec_null_sender;
  rules.eol = parse_pipe_eol(exec_eol).value_or("\n");
  rules.directory = exec_directory;
  rules.recipient_delimiter = recipient_delimiter;
  rules.time_limit = exec_time_limit;
  return rules;
}

store::DeliveryLimits Options::delivery_limits() const {
  store::DeliveryLimits wanted;
  wanted.file_system_sync_from = commit_filesystem_from;
  if (commit == "file") wanted.commit = store::CommitMode::file;
  if (commit == "filesystem") wanted.commit = store::CommitMode::file_system;
  return wanted;
}

}  // namespace posthorn::deliverd
