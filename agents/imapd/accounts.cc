#include "agents/imapd/accounts.h"

#include <unistd.h>

namespace posthorn::imapd {

Accounts::Accounts(const std::string& host, service::Log& log)
    : host_(files_, host, ::getpid(), &watcher_), search_filler_(log) {}

std::shared_ptr<Account> Accounts::open(store::StoreSettings settings) {
  std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
  const std::string user = settings.user;
  if (const auto found = open_.find(user); found != open_.end()) return found->second.lock();
  auto account = std::make_shared<Account>();
  account->user = user;
  account->location = settings.namespaces.front().location;
  account->store = std::make_unique<store::Store>(host_, std::move(settings));
  open_.emplace(user, account);
  return account;
}

async::Task<void> Accounts::end() {
  co_await search_filler_.end();
  co_await value_keeper_.end();
  co_await warm_mailboxes_.end();
  co_await index_writer_.end();
}

session::Deflater& Accounts::deflater() {
  if (deflater_) return *deflater_;
  session::DeflateSettings settings;
  settings.level = 3;  // mail packs nearly as well as with 6, in a third of the time
  deflater_ = std::make_unique<session::Deflater>(settings);
  return *deflater_;
}

}  // namespace posthorn::imapd
