#include "agents/imapd/accounts.h"

namespace posthorn::imapd {

std::shared_ptr<Account> Accounts::open(store::StoreSettings settings) {
  std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
  const std::string user = settings.user;
  if (const auto found = open_.find(user); found != open_.end()) return found->second.lock();
  auto account = std::make_shared<Account>();
  account->user = user;
  account->location = settings.namespaces.front().location;
  account->store = std::make_unique<store::Store>(files_, std::move(settings), &watcher_);
  open_.emplace(user, account);
  return account;
}

}  // namespace posthorn::imapd
