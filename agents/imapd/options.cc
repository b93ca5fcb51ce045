#include "agents/imapd/options.h"

#include <algorithm>

#include "agents/imapd/filters.h"
#include "libmail/base/text.h"
#include "libmail/store/quota.h"

namespace posthorn::imapd {
namespace {

const std::vector<std::string> uses = {"All",  "Archive", "Drafts", "Flagged",
                                       "Junk", "Sent",    "Trash",  "Important"};

// "Sent", or "Sent Messages=Sent": mailbox and use.
std::pair<std::string, std::string> special_use_of(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  std::string name = text.substr(0, equals);
  std::string use = equals == std::string::npos ? name : text.substr(equals + 1);
  for (const std::string& known : uses)
    if (iequals(known, use)) return {std::move(name), "\\" + known};
  return {std::move(name), ""};
}

// "NAME=SEARCH KEYS"
std::pair<std::string, std::string> filter_of(const std::string& text) {
  const std::size_t equals = std::min(text.find('='), text.size());
  return {lower(text.substr(0, equals)), text.substr(std::min(equals + 1, text.size()))};
}

}  // namespace

Options::Options() {
  listen = {"inet:*:143"};
  listen_tls = {"inet:*:993"};
  worker_listen = {"unix:run/imap-worker.sock"};
  idle_time = std::chrono::minutes(30);  // RFC 9051 section 5.4: at least this
  serve.connections = 10000;
  serve_worker.connections = 20000;
}

void Options::describe(service::OptionTable& table) {
  Words words;
  words.spoken = "IMAP is spoken, with STARTTLS";
  words.spoken_tls = "TLS comes before the greeting (imaps)";
  words.passwords = "LOGIN and AUTHENTICATE PLAIN";
  describe_front(table, words);

  describe_worker(table);
  table.add("separator", separator, "between the levels of a mailbox name")
      .one_of({".", "/"})
      .at_start();
  table
      .add("prefix", prefix,
           "what the names of all mailboxes but INBOX begin with, as \"INBOX.\"; mostly nothing")
      .at_start();
  table
      .add("public-location", public_location,
           "mailboxes for all, in whom each has the rights that dovecot-acl says: maildir:PATH; "
           "empty = none")
      .at_start();
  table
      .add("public-prefix", public_prefix,
           "what their names begin with; empty = \"Public\" and the separator")
      .at_start();
  table
      .add("shared-prefix", shared_prefix,
           "what the names of mailboxes begin with that other users share, as \"user.\"; empty = "
           "nobody sees mailboxes of others")
      .at_start();
  table
      .add("shared-list", shared_list,
           "the file that says who shares with whom, as Dovecot's acl_shared_dict = file:PATH; "
           "empty = shared-mailboxes in the first of the mail directories")
      .at_start();
  table.add("quota-admins", quota_admins, "users who may set the quotas of all");
  table.add("special-use", special_use,
            "mailboxes with a special use, as \"Sent\" or \"Sent Messages=Sent\"");
  table.add("quota", quota,
            "how much a user without a quota_rule may keep: \"*:storage=1G:messages=10000\"; "
            "empty = any amount");
  table.add("index", index, "keep an index beside each mailbox").at_start();
  table.add("search-index", search_index,
            "keep an index of the texts of messages beside a mailbox in which clients search");
  table.add_size("append-limit", append_limit, "octets of a message that a client may store");
  table.add("message-limit", message_limit,
            "messages that one command may be about (RFC 9738); 0 = any number");
  table.add("server-comment", server_comment,
            "what clients may read as the server's annotation /shared/comment");
  table.add("server-admin", server_admin,
            "a URI as \"mailto:postmaster@example.org\", the annotation /shared/admin");
  table.add("filters", filters,
            "searches for all users by name (RFC 5466), as \"recent=YOUNGER 86400 UNSEEN\"");
  table.add("lock-time", lock_time,
            "how long to wait for a mailbox that another program has locked");
  table.add("max-sessions", serve_worker.connections, "sessions of one worker").unit("sessions");

  describe_both(table);
  table.add("max-errors", max_errors, "BADs to one client, then it is sent away")
      .between(1, 1'000'000);
  table.add("max-logins", max_logins, "failed log-ins of one client, then it is sent away")
      .between(1, 1000);
  table.add_size("max-line", max_line, "octets of a command, literals not counted")
      .between(8192, 16 * 1024 * 1024);
}

std::vector<std::string> Options::check(const service::Site& site) const {
  auto problems = access::Options::check(site);
  for (const std::string& text : special_use)
    if (special_use_of(text).second.empty())
      problems.push_back("special_use: \"" + text + "\" ends with none of the special uses");
  for (const std::string& text : filters) {
    const auto [name, value] = filter_of(text);
    const std::string fault = filter_fault(name, value);
    if (!fault.empty()) problems.push_back("filters: \"" + text + "\": " + fault);
  }
  if (!quota.empty()) {
    const auto limits = store::parse_quota(quota);
    if (!limits) problems.push_back("quota: " + limits.error());
  }
  if (!prefix.empty() && !prefix.ends_with(separator))
    problems.emplace_back("prefix: it has to end with the separator");
  for (const std::string& text : {public_prefix, shared_prefix})
    if (!text.empty() && (!text.ends_with(separator) || text == prefix))
      problems.emplace_back(
          "public_prefix and shared_prefix have to end with the separator and differ from prefix");
  if (const auto place = public_place(site); !place)
    problems.push_back("public_location: " + place.error().text);
  return problems;
}

std::string Options::public_names() const {
  return public_prefix.empty() ? "Public" + separator : public_prefix;
}

store::StoreResult<std::optional<store::MailLocation>> Options::public_place(
    const service::Site& site) const {
  using Place = std::optional<store::MailLocation>;
  if (public_location.empty()) return Place();
  constexpr std::string_view form = "maildir:";
  if (!public_location.starts_with(form) || public_location.find('%') != std::string::npos)
    return fail(store::StoreError(store::StoreError::Kind::bad_name,
                                  "it is one Maildir for all: maildir:PATH"));
  std::vector<std::string> directories;
  for (const std::string& directory : mail_directories) directories.push_back(site.path(directory));
  auto place =
      store::make_mail_location(std::string(form) + site.path(public_location.substr(form.size())),
                                store::MailUser(), directories);
  if (!place) return fail(std::move(place.error()));
  return Place(std::move(*place));
}

std::map<std::string, std::string> Options::special_uses() const {
  std::map<std::string, std::string> found;
  for (const std::string& text : special_use) {
    auto [name, use] = special_use_of(text);
    if (!use.empty()) found.emplace(prefix + name, use);
  }
  return found;
}

std::map<std::string, std::string> Options::named_filters() const {
  std::map<std::string, std::string> found;
  for (const std::string& text : filters) {
    auto [name, value] = filter_of(text);
    if (filter_fault(name, value).empty()) found.emplace(std::move(name), std::move(value));
  }
  return found;
}

}  // namespace posthorn::imapd
