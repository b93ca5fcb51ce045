// What the commands of `posthorn mailbox` share: whose mailboxes, and how they are opened.
#pragma once

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agents/posthorn/commands.h"
#include "libmail/store/store.h"

namespace posthorn::operate {

[[nodiscard]] ToolError tool_error(const store::StoreError& error);

// Comes again while another program has the mailbox.
template <class F>
auto patiently(F work) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    auto result = work();
    if (result || result.error().kind != store::StoreError::Kind::locked ||
        std::chrono::steady_clock::now() - start > std::chrono::seconds(30))
      return result;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

class MailboxCommand : public Tool {
 public:
  void describe(service::OptionTable& table) override;
  Result<int, ToolError> run(const ToolCall& call) final;

 protected:
  // The user's store, open for one command.
  struct Account {
    store::SystemFiles files;
    store::StoreHost host{files, "posthorn", ::getpid()};
    std::unique_ptr<store::Store> store;
    std::string path;  // of the Maildir
  };
  // `words`: what is left of the call's behind the user.
  virtual Result<int, ToolError> run(const ToolCall& call, Account& account,
                                     const std::vector<std::string>& words) = 0;
  // Before the process becomes the owner of the mail: for files that only root may read.
  virtual Result<void, ToolError> prepare(const ToolCall&) { return {}; }
  // Whether a Maildir that is not there is made.
  [[nodiscard]] virtual bool makes_maildir() const { return false; }

  // Those that are named, else all.
  static Result<std::vector<std::string>, ToolError> mailboxes(
      Account& account, const std::vector<std::string>& words);
  // Calls `each(name)` for them until one fails.
  template <class Each>
  static Result<void, ToolError> for_each_mailbox(Account& account,
                                                  const std::vector<std::string>& words,
                                                  Each each) {
    const auto names = mailboxes(account, words);
    if (!names) return fail(names.error());
    for (const std::string& name : *names) {
      if (auto done = each(name); !done) return fail(std::move(done.error()));
    }
    return {};
  }

 private:
  std::string maildir_;
  std::string separator_ = ".";
  std::string prefix_;
};

std::unique_ptr<Tool> make_mailbox_import();  // mailbox_import.cc
std::unique_ptr<Tool> make_mailbox_export();  // mailbox_export.cc

}  // namespace posthorn::operate
