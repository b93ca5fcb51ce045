// What the sessions of a worker share: the watcher of the process, and one store for each user who is logged in.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libmail/store/store.h"

namespace posthorn::imapd {

struct Account {
  std::string user;
  store::MailLocation location;
  std::unique_ptr<store::Store> store;
};

class Accounts {
 public:
  // `host`: the machine's name, for the names of files.
  explicit Accounts(const std::string& host);
  // The user's account: the one that other sessions have, or a new one. Its settings are those of the first.
  std::shared_ptr<Account> open(store::StoreSettings settings);
  [[nodiscard]] store::Files& files() { return files_; }

 private:
  store::SystemFiles files_;
  store::Watcher watcher_;
  store::StoreHost host_;
  std::map<std::string, std::weak_ptr<Account>> open_;
};

}  // namespace posthorn::imapd
