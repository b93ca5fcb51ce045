// The namespaces of a session (RFC 2342): its own, those of users who share with it, and the public one.
#include <algorithm>

#include "agents/imapd/commands.h"

namespace posthorn::imapd {

using store::NamespaceSettings;

namespace {

// Of one user: others shared by thousands would make each LIST of theirs a walk through all homes.
constexpr std::size_t most_sharers = 1000;

// A user's name as a level of a mailbox name: "ann^example^org" where dots part levels, as Cyrus has it.
std::string level_of(std::string user, char separator) {
  std::replace(user.begin(), user.end(), separator, '^');
  return user;
}

std::string prefix_text(const Session& session, const std::string& prefix) {
  return "((" + session.wire_string(prefix) + " " +
         session.wire_string(std::string(1, session.settings().separator)) + "))";
}

}  // namespace

void add_fixed_namespaces(const WorkerSettings& settings, store::StoreSettings& account) {
  account.others_prefix = settings.others_prefix;
  account.share_list = settings.share_list;
  if (!settings.public_location) return;
  NamespaceSettings space;
  space.kind = NamespaceSettings::Kind::shared;
  space.prefix = settings.public_prefix;
  space.separator = settings.separator;
  space.location = *settings.public_location;
  account.namespaces.push_back(std::move(space));
}

Task<void> Session::add_user(std::string user, std::string level) {
  NamespaceSettings space;
  space.kind = NamespaceSettings::Kind::other_users;
  space.prefix = settings_->others_prefix + level + settings_->separator;
  if (store().has_namespace(space.prefix)) co_return;
  const auto found = co_await userdb_.find(user);
  if (found.kind != session::UserdbAnswer::Kind::found) co_return;
  auto location = access::locate(settings_->places, found);
  if (!location || location->format != store::MailFormat::maildir) co_return;
  space.separator = settings_->separator;
  space.location = std::move(*location);
  space.owner = found.user;
  space.quota = quota_rule(found);
  store().add_namespace(std::move(space));
}

Task<void> Session::meet_sharers() {
  if (settings_->others_prefix.empty()) co_return;
  store::Store& store = this->store();
  auto work = [&store] { return store.sharers(); };
  const auto sharers = co_await in_store(std::move(work));
  if (!sharers) {
    (void)refusal(sharers.error());
    co_return;
  }
  std::size_t count = 0;
  for (const std::string& user : *sharers) {
    if (++count > most_sharers) break;
    co_await add_user(user, level_of(user, settings_->separator));
  }
}

Task<void> Session::meet(std::string root) {
  const std::string& prefix = settings_->others_prefix;
  if (prefix.empty() || !root.starts_with(prefix) || root.size() == prefix.size()) co_return;
  const std::string level = root.substr(prefix.size());
  std::string user = level;
  std::replace(user.begin(), user.end(), '^', settings_->separator);
  if (level_of(user, settings_->separator) != level) co_return;
  co_await add_user(user, level);
}

bool Session::sets_quota() const {
  const auto& admins = settings_->quota_admins;
  return std::find(admins.begin(), admins.end(), account_->user) != admins.end();
}

Reply name_space(Session& session) {
  const WorkerSettings& settings = session.settings();
  session.out().untagged(
      "NAMESPACE " + prefix_text(session, settings.prefix) + " " +
      (settings.others_prefix.empty() ? "NIL" : prefix_text(session, settings.others_prefix)) +
      " " + (settings.public_location ? prefix_text(session, settings.public_prefix) : "NIL"));
  return imap::ok("NAMESPACE done");
}

}  // namespace posthorn::imapd
