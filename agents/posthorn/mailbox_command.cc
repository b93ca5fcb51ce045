#include "agents/posthorn/mailbox_command.h"

#include <grp.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "agents/posthorn/users_file.h"
#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"

namespace posthorn::operate {

using service::OptionTable;
using store::StoreError;
namespace exit_code = service::exit_code;

namespace {

// Where the user has the mail: the users file's userdb_mail, else Maildir in the home.
Result<store::MailLocation, ToolError> location_of(const service::Site& site,
                                                   const std::string& user) {
  const auto file = users_file(site);
  if (!file) return fail(file.error());
  const auto users = sasl::read_users(*file);
  if (!users) return fail(ToolError(exit_code::unavailable, "io", *file + " can't be read"));
  for (const sasl::PasswdEntry& entry : users->entries) {
    if (!iequals(entry.user, user)) continue;
    std::string form = "maildir:~/Maildir";
    for (const auto& [key, value] : entry.extra) {
      if (key == "userdb_mail") form = value;
    }
    auto location =
        store::make_mail_location(form, store::MailUser(entry.user, home_of(site, entry)));
    if (!location) return fail(tool_error(location.error()));
    return std::move(*location);
  }
  return fail(ToolError(exit_code::unknown_user, "no-such-user", "there is no user " + user,
                        "posthorn user list shows all"));
}

// Root would leave files that their user's programs can't change.
Result<void, ToolError> become_owner_of(std::filesystem::path path) {
  struct stat facts{};
  while (::stat(path.c_str(), &facts) != 0) {
    if (!path.has_relative_path()) return {};
    path = path.parent_path();
  }
  if (::geteuid() != 0 || facts.st_uid == 0) return {};
  if (::setgroups(0, nullptr) == 0 && ::setegid(facts.st_gid) == 0 && ::seteuid(facts.st_uid) == 0)
    return {};
  return fail(
      ToolError(exit_code::unavailable, "user",
                "can't become the owner of " + path.string() + ": " + std::strerror(errno)));
}

}  // namespace

ToolError tool_error(const StoreError& error) {
  using Kind = StoreError::Kind;
  switch (error.kind) {
    case Kind::not_found:
    case Kind::bad_name:
      return {exit_code::unknown_user, "no-such-mailbox", error.text,
              "posthorn mailbox list USER shows all"};
    case Kind::locked:
      return {exit_code::try_again, "locked", error.text, "try again"};
    case Kind::refused:
      return {exit_code::refused, "refused", error.text};
    default:
      return {exit_code::unavailable, "io", error.text};
  }
}

void MailboxCommand::describe(OptionTable& table) {
  table.group("Where");
  table.add("maildir", maildir_, "this Maildir, instead of a user's").flag_only();
  table.add("separator", separator_, "between the levels of a name").one_of({".", "/"});
  table.add("prefix", prefix_, "in front of all names but INBOX, as \"INBOX.\"");
}

Result<int, ToolError> MailboxCommand::run(const ToolCall& call) {
  std::vector<std::string> words = call.words;
  store::NamespaceSettings space;
  space.separator = separator_.front();
  space.prefix = prefix_;
  if (!maildir_.empty()) {
    space.location.base = call.site.path(maildir_);
  } else {
    if (words.empty())
      return fail(ToolError(exit_code::usage, "usage", "a user has to be named, or --maildir"));
    auto location = location_of(call.site, words.front());
    if (!location) return fail(location.error());
    space.location = std::move(*location);
    words.erase(words.begin());
  }
  if (space.location.format != store::MailFormat::maildir)
    return fail(ToolError(exit_code::data, "no-maildir",
                          "this user has an mbox, which keeps no index and no flags"));
  Account account;
  account.path = space.location.path();
  if (!makes_maildir() && ::access(account.path.c_str(), F_OK) != 0)
    return fail(ToolError(exit_code::unknown_user, "no-such-mailbox",
                          account.path + " does not exist: no message has come yet"));
  if (auto ready = prepare(call); !ready) return fail(std::move(ready.error()));
  if (auto became = become_owner_of(account.path); !became) return fail(std::move(became.error()));
  store::StoreSettings settings;
  settings.namespaces.push_back(std::move(space));
  account.store = std::make_unique<store::Store>(account.host, std::move(settings));
  return run(call, account, words);
}

Result<std::vector<std::string>, ToolError> MailboxCommand::mailboxes(
    Account& account, const std::vector<std::string>& words) {
  if (!words.empty()) return words;
  const auto list = account.store->list();
  if (!list) return fail(tool_error(list.error()));
  std::vector<std::string> names;
  for (const store::MailboxInfo& info : *list) {
    if (info.exists) names.push_back(info.name);
  }
  return names;
}

}  // namespace posthorn::operate
