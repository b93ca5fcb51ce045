// The verbs of mua, in the order of --help, and what they share: accounts, a deadline, and running on several accounts
// at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/mail_store.h"
#include "libmail/service/tool.h"

namespace posthorn::mua {

using service::OptionTable;
using service::Tool;
using service::ToolCall;
using service::ToolError;
using Tools = std::vector<std::unique_ptr<Tool>>;
namespace exit_code = service::exit_code;

// `arguments` without the program's name. Gives the exit code.
int run(const std::vector<std::string>& arguments);
[[nodiscard]] Tools verbs();

// Options of every verb that needs an account.
struct Common {
  std::string config;
  std::string account;
  bool all_accounts = false;
  Duration timeout = std::chrono::seconds(30);

  void describe(OptionTable& table);
  [[nodiscard]] Result<std::vector<Account>, ToolError> accounts() const;
  // For verbs that work on one account.
  [[nodiscard]] Result<Account, ToolError> one() const;
};

// One account's part of a verb; `int` is 0, or 1 for "nothing found".
using AccountWork = std::function<Task<Mail<int>>(const Account&, MailStore&, Deadline)>;
// Opens every account's store at once, each with its own deadline, and runs `work` on it. What fails is said on standard
// error with the account's name (JSON with `json`), and keeps no other account from its rows. The exit code: 0 if
// something was found, 1 if nothing was, else that of the first account that failed.
int run_on_accounts(const std::vector<Account>& accounts, Duration timeout, bool json,
                    AccountWork work);

// The UID of the one message that a verb is about; `what` and `hint` are for the error of who gives none.
[[nodiscard]] Result<std::uint32_t, ToolError> parse_uid(
    const std::vector<std::string>& words, std::string_view what = "message",
    std::string_view hint = "mua list shows the UIDs");
// UIDs as a user writes them: "7", "7,9:12", "9:*". `*` is the last message.
[[nodiscard]] Result<imap::SequenceSet, ToolError> parse_uids(
    const std::vector<std::string>& words);

std::unique_ptr<Tool> make_send();         // send.cc
void add_answer_verbs(Tools& tools);       // answer.cc: reply, forward
void add_list_verbs(Tools& tools);         // list.cc: list, search
std::unique_ptr<Tool> make_read();         // read.cc
std::unique_ptr<Tool> make_thread();       // thread.cc
void add_change_verbs(Tools& tools);       // change.cc: move, copy, delete, flag
void add_attachment_verbs(Tools& tools);   // attachments.cc
void add_folder_verbs(Tools& tools);       // folders.cc
void add_draft_verbs(Tools& tools);        // drafts.cc
std::unique_ptr<Tool> make_watch();        // watch.cc
std::unique_ptr<Tool> make_sync();         // sync.cc
std::unique_ptr<Tool> make_get();          // get.cc
void add_outbox_verbs(Tools& tools);       // outbox.cc
std::unique_ptr<Tool> make_discover();     // discover.cc
std::unique_ptr<Tool> make_unsubscribe();  // unsubscribe.cc
std::unique_ptr<Tool> make_completion();   // completion.cc
std::unique_ptr<Tool> make_ui();           // ui/ui.cc

}  // namespace posthorn::mua
