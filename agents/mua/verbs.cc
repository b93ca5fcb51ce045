#include "agents/mua/verbs.h"

#include <fmt/format.h>
#include <locale.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

Tools verbs() {
  Tools tools;
  tools.push_back(make_send());
  add_answer_verbs(tools);
  add_list_verbs(tools);
  tools.push_back(make_read());
  tools.push_back(make_thread());
  add_change_verbs(tools);
  add_attachment_verbs(tools);
  add_folder_verbs(tools);
  add_draft_verbs(tools);
  tools.push_back(make_watch());
  tools.push_back(make_sync());
  tools.push_back(make_get());
  add_outbox_verbs(tools);
  tools.push_back(make_discover());
  tools.push_back(make_unsubscribe());
  tools.push_back(make_completion());
  tools.push_back(make_ui());
  return tools;
}

namespace {

// "-is:read" and "-flagged" are words of these verbs, not options.
std::vector<std::string> words_behind_options(std::vector<std::string> arguments) {
  if (arguments.empty() || (arguments[0] != "search" && arguments[0] != "flag")) return arguments;
  const auto is_word = [](const std::string& word) {
    return word.size() > 2 && word[0] == '-' && word[1] != '-';
  };
  const auto dashes = std::ranges::find(arguments, "--");
  std::vector<std::string> before(arguments.begin(), dashes);
  std::vector<std::string> behind(dashes == arguments.end() ? dashes : dashes + 1, arguments.end());
  std::vector<std::string> options;
  std::vector<std::string> words;
  for (std::string& each : before) (is_word(each) ? words : options).push_back(std::move(each));
  options.emplace_back("--");
  options.insert(options.end(), words.begin(), words.end());
  options.insert(options.end(), behind.begin(), behind.end());
  return options;
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  ::signal(SIGPIPE, SIG_IGN);
  // Options of every verb may stand in front of it; the verb reads them behind it.
  const auto takes_value = [](const std::string& word) {
    return word == "--account" || word == "--config" || word == "--timeout" || word == "--site";
  };
  std::vector<std::string> front;
  std::size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with("--") && arguments[at] != "--help" &&
         arguments[at] != "--version") {
    const std::size_t words = takes_value(arguments[at]) && at + 1 < arguments.size() ? 2 : 1;
    front.insert(front.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at),
                 arguments.begin() + static_cast<std::ptrdiff_t>(at + words));
    at += words;
  }
  std::vector<std::string> all(arguments.begin() + static_cast<std::ptrdiff_t>(at),
                               arguments.end());
  if (all.empty())
    all = front;
  else
    all.insert(std::ranges::find(all, "--"), front.begin(), front.end());
  return service::run_tools("mua", "Sends, lists, reads, answers and searches mail.", verbs(),
                            words_behind_options(std::move(all)));
}

void Common::describe(OptionTable& table) {
  table.group("Accounts");
  table.add("account", account, "the accounts to work on, by name: A,B; else the first of the file")
      .flag_only();
  table.add("all-accounts", all_accounts, "work on every account of the file").flag_only();
  table.add("config", config, "the file of accounts; else ~/.config/posthorn/mua.toml").flag_only();
  table.add("timeout", timeout, "how long a server may take").flag_only();
}

Result<std::vector<Account>, ToolError> Common::accounts() const {
  const auto all = read_accounts(accounts_file(config));
  if (!all) return fail(all.error());
  return choose_accounts(*all, account, all_accounts);
}

Result<Account, ToolError> Common::one() const {
  auto chosen = accounts();
  if (!chosen) return fail(chosen.error());
  if (chosen->size() == 1) return std::move(chosen->front());
  return fail(ToolError(exit_code::usage, "usage", "this works on one account", "--account NAME"));
}

namespace {

// What all accounts' tasks share.
struct AccountsRun {
  AccountWork work;
  Duration timeout{};
  bool json = false;
  bool found = false;
  int failure = 0;

  void say(const MailError& error, const std::string& account) {
    const ToolError said = tool_error(error, account);
    print_error(said, account, json);
    if (failure == 0) failure = said.exit;
  }
};

Task<void> run_on_one(Account account, AccountsRun* run) {
  const Deadline deadline = Deadline::in(run->timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) {
    run->say(store.error(), account.name);
    co_return;
  }
  const auto done = co_await run->work(account, **store, deadline);
  if (!done) run->say(done.error(), account.name);
  if (done && *done == exit_code::ok) run->found = true;
  std::fflush(stdout);
  (*store)->set_deadline(Deadline::in(std::min<Duration>(run->timeout, std::chrono::seconds(2))));
  co_await (*store)->close();
}

Task<void> run_on_all(const std::vector<Account>& accounts, AccountsRun& run) {
  async::Scope scope;
  for (const Account& account : accounts) scope.spawn(run_on_one(account, &run));
  co_await scope.join();
}

}  // namespace

int run_on_accounts(const std::vector<Account>& accounts, Duration timeout, bool json,
                    AccountWork work) {
  AccountsRun run;
  run.work = std::move(work);
  run.timeout = timeout;
  run.json = json;
  async::run(run_on_all(accounts, run));
  if (run.failure != 0) return run.failure;
  return run.found ? exit_code::ok : exit_code::failed;
}

Result<std::uint32_t, ToolError> parse_uid(const std::vector<std::string>& words,
                                           std::string_view what, std::string_view hint) {
  const auto uid = words.size() == 1 ? parse_number<std::uint32_t>(words.front()) : std::nullopt;
  if (uid && *uid != 0) return *uid;
  return fail(ToolError(exit_code::usage, "usage",
                        fmt::format("one {} has to be named by its UID", what), std::string(hint)));
}

Result<imap::SequenceSet, ToolError> parse_uids(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  auto set = imap::parse_sequence_set(text);
  if (set && !set->empty() && !set->is_saved()) {
    // To RFC 9051 "900:*" with 850 as the last is 850:900, and the last message would go unasked: "from 900 on" is meant.
    imap::SequenceSet meant;
    for (imap::SequenceSet::Range range : set->ranges()) {
      using imap::SequenceSet;
      if (range.first != range.last) {
        if (range.first == SequenceSet::star) std::swap(range.first, range.last);
        if (range.last == SequenceSet::star) range.last = UINT32_MAX;
      }
      meant.add(range);
    }
    return meant;
  }
  return fail(ToolError(exit_code::usage, "usage",
                        fmt::format("\"{}\" names no messages", printable(text)),
                        "UIDs as mua list shows them: 7, 7,9:12, 9:*"));
}

}  // namespace posthorn::mua
