// Connections of mua ui to an account's store. A Line does what the user asks for, one thing after the other; a Watcher
// counts folders and waits for news. Both are made anew as often as it takes, and both can be dropped in the middle of
// anything: what a dead server holds up ends by its own deadline, and nobody waits for it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "agents/mua/mail_store.h"
#include "libmail/async/event.h"

namespace posthorn::mua::ui {

class Line {
 public:
  // Work on store(). The error is what failed() is told.
  using Work = std::function<Task<Mail<void>>(Line&)>;
  struct Job {
    std::uint64_t request = 0;
    Work work;
    bool again = true;  // may be done twice if the connection turns out to be dead
    Job() = default;
  };
  using OnFailed = std::function<void(std::uint64_t request, const MailError& error)>;

  Line(Account account, Duration timeout, OnFailed failed);
  // Runs until drop(); `self` keeps the line as long as it runs.
  static Task<void> serve(std::shared_ptr<Line> self);

  void add(Job job);
  // Nothing is told to anybody from now on; serve() ends as soon as what it waits for does.
  void drop();
  // Ends politely once the work is done.
  void finish();
  [[nodiscard]] bool at_rest() const { return jobs_.empty() && !busy_; }
  // The folder is opened again before the next work on it: there are messages in it that this connection has not heard of.
  void forget_folder() { opened_.clear(); }

  // ---- for work ----
  [[nodiscard]] MailStore& store() { return *store_; }
  [[nodiscard]] const Account& account() const { return account_; }
  [[nodiscard]] Duration timeout() const { return timeout_; }
  Task<Mail<FolderState>> open(std::string folder);  // in any case
  Task<Mail<void>> ensure(std::string folder);       // unless it is open

 private:
  Task<Mail<void>> attempt(const Job& job);
  Task<Mail<void>> connect();

  Account account_;
  Duration timeout_;
  OnFailed failed_;
  std::unique_ptr<MailStore> store_;
  std::string opened_;
  std::deque<Job> jobs_;
  async::Event wake_;
  bool busy_ = false;
  bool dropped_ = false;
  bool finished_ = false;
};

class Watcher {
 public:
  // Whom it tells. None is called after drop().
  struct Listener {
    std::function<void(std::vector<Folder>)> folders;
    std::function<void(std::string folder, std::uint32_t messages)> watching;
    std::function<void(std::string folder, FolderNews news, std::vector<Summary> messages)> news;
    std::function<void(const MailError& error)> lost;
  };

  Watcher(Account account, Duration timeout, Listener listener);
  static Task<void> serve(std::shared_ptr<Watcher> self);

  void watch(std::string folder);
  void count_folders();
  void drop();

 private:
  Task<Mail<void>> connection();
  Task<Mail<void>> tell_folders();
  Task<Mail<void>> tell_news(FolderNews news);
  void wake();

  Account account_;
  Duration timeout_;
  Listener listener_;
  std::unique_ptr<MailStore> store_;
  std::string folder_;
  std::string opened_;
  bool count_ = true;
  bool dropped_ = false;
  async::Event wake_;
};

}  // namespace posthorn::mua::ui
