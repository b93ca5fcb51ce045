// What the sessions of a worker share: the watcher of the process, one store for each user who is logged in, and what packs their
// octets.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agents/imapd/account_news.h"
#include "agents/imapd/index_writer.h"
#include "agents/imapd/kept_answers.h"
#include "agents/imapd/search_filler.h"
#include "agents/imapd/value_keeper.h"
#include "agents/imapd/warm_mailboxes.h"
#include "libmail/imap/sort.h"
#include "libmail/session/deflate.h"
#include "libmail/store/store.h"

namespace posthorn::imapd {

struct Account {
  std::string user;
  store::MailLocation location;
  std::unique_ptr<store::Store> store;
  AccountNews news;
};

class Accounts {
 public:
  // `host`: the machine's name, for the names of files. `log` outlives it.
  Accounts(const std::string& host, service::Log& log);
  // The user's account: the one that other sessions have, or a new one. Its settings are those of the first.
  std::shared_ptr<Account> open(store::StoreSettings settings);
  [[nodiscard]] store::Files& files() { return files_; }
  [[nodiscard]] SearchFiller& search_filler() { return search_filler_; }
  [[nodiscard]] IndexWriter& index_writer() { return index_writer_; }
  [[nodiscard]] ValueKeeper& value_keeper() { return value_keeper_; }
  [[nodiscard]] WarmMailboxes& warm_mailboxes() { return warm_mailboxes_; }
  [[nodiscard]] KeptAnswers<std::vector<std::uint32_t>>& kept_sorts() { return kept_sorts_; }
  [[nodiscard]] KeptAnswers<std::vector<imap::ThreadEntry>>& kept_threads() {
    return kept_threads_;
  }
  // Once, before it goes away, and behind the last session: waits until all that goes on beside sessions is done.
  async::Task<void> end();
  // Of all sessions that compress; made with the first of them.
  [[nodiscard]] session::Deflater& deflater();

 private:
  store::SystemFiles files_;
  store::Watcher watcher_;
  store::StoreHost host_;
  std::map<std::string, std::weak_ptr<Account>> open_;
  std::unique_ptr<session::Deflater> deflater_;
  KeptAnswers<std::vector<std::uint32_t>> kept_sorts_;
  KeptAnswers<std::vector<imap::ThreadEntry>> kept_threads_;
  SearchFiller search_filler_;
  IndexWriter index_writer_;
  ValueKeeper value_keeper_;
  WarmMailboxes warm_mailboxes_;
};

}  // namespace posthorn::imapd
