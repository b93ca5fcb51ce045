// mua watch: says what happens in a folder of each account, as long as it runs.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/command.h"
#include "agents/mua/output.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/async/signals.h"

namespace posthorn::mua {

using nlohmann::json;

namespace {

constexpr Duration first_pause = std::chrono::seconds(1);
constexpr Duration longest_pause = std::chrono::minutes(2);
constexpr Duration one_wait =
    std::chrono::minutes(20);  // IDLE is begun anew within RFC 2177's 29 minutes

struct Watching {
  std::string folder = "inbox";
  std::vector<std::string> exec;
  bool once = false;
  bool json = false;
  bool with_account = false;
  Duration timeout{};
  async::Event stop;
  Deadline until = Deadline::never();
};

// Where a folder stood when its connection was lost: what came meanwhile is told after the next one.
struct LastSeen {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
};

json event_row(std::string_view event, const std::string& account, const std::string& folder) {
  return {{"event", event}, {"account", account}, {"folder", folder}};
}

void say_state(std::string_view event, const Account& account, const Watching& watching,
               const std::string& why) {
  if (watching.json) {
    json row = event_row(event, account.name, watching.folder);
    if (!why.empty()) row["message"] = shown(why);
    print_json(row);
  } else if (event == "lost" || event == "failed") {
    fmt::print(stderr, "mua: {}: {}\n", account.name, shown(why));
  }
  std::fflush(stdout);
}

std::map<std::string, std::string> facts_of(const Summary& message, const std::string& account,
                                            const std::string& folder) {
  std::map<std::string, std::string> facts;
  facts["MUA_EVENT"] = "arrived";
  facts["MUA_ACCOUNT"] = account;
  facts["MUA_FOLDER"] = folder;
  facts["MUA_UID"] = std::to_string(message.uid);
  facts["MUA_FROM"] = message.from.empty() ? "" : message.from.front().addr_spec();
  facts["MUA_FROM_NAME"] = message.from.empty() ? "" : shown(message.from.front().display_name);
  facts["MUA_SUBJECT"] = shown(message.subject);
  facts["MUA_MESSAGE_ID"] = message.message_id;
  facts["MUA_DATE"] = rfc3339(message.date.value_or(message.received));
  facts["MUA_SIZE"] = std::to_string(message.size);
  return facts;
}

Task<void> tell_arrivals(const Account& account, MailStore& store, std::string folder, Uids uids,
                         const Watching& watching) {
  const auto rows = co_await store.summaries(std::move(uids));
  if (!rows) co_return;
  for (const Summary& row : *rows) {
    if (watching.json) {
      json event = event_row("arrived", account.name, folder);
      event["message"] = summary_json(row, account.name, folder);
      print_json(event);
    } else {
      print_summary(row, account.name, watching.with_account);
    }
    std::fflush(stdout);
    if (watching.exec.empty()) continue;
    CommandCall call;
    call.argv = watching.exec;
    call.environment = facts_of(row, account.name, folder);
    call.keep_output = watching.json;  // nothing of others in a stream of JSON
    const Deadline deadline = Deadline::in(watching.timeout);
    const auto done = co_await run_command(std::move(call), deadline);
    if (!done)
      say_state("failed", account, watching, done.error().text);
    else if (done->code != 0)
      say_state("failed", account, watching,
                fmt::format("{} ended with {}", watching.exec.back(), done->code));
  }
}

void tell_changes(const FolderNews& news, const Account& account, const std::string& folder,
                  const Watching& watching) {
  if (!watching.json) return;
  if (!news.vanished.empty()) {
    json row = event_row("vanished", account.name, folder);
    row["uids"] = news.vanished;
    print_json(row);
  }
  if (!news.changed.empty()) {
    json row = event_row("changed", account.name, folder);
    row["uids"] = news.changed;
    print_json(row);
  }
  std::fflush(stdout);
}

// What came between two connections.
Task<Mail<Uids>> missed(MailStore& store, FolderState now, LastSeen before) {
  Uids none;
  if (before.uid_validity != now.uid_validity || now.uid_next <= before.uid_next) co_return none;
  imap::SequenceSet since;
  since.add({before.uid_next, UINT32_MAX});
  imap::SearchKey key = imap::SearchKey::of_uids(std::move(since));
  auto uids = co_await store.search(std::move(key));
  co_return uids;
}

// Until the connection is lost. True: something was told, and --once is content.
Task<Mail<bool>> watch_connection(const Account& account, Watching& watching, LastSeen& last) {
  Deadline deadline = Deadline::in(watching.timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return fail(store.error());
  const auto folder = co_await find_folder(**store, account, watching.folder);
  if (!folder) co_return fail(folder.error());
  const auto opened = co_await (*store)->open(*folder, true);
  if (!opened) co_return fail(opened.error());
  say_state("watching", account, watching, "");
  auto meanwhile = co_await missed(**store, *opened, last);
  if (!meanwhile) co_return fail(meanwhile.error());
  if (last.uid_validity != opened->uid_validity) last.uid_next = 0;
  last = LastSeen{opened->uid_validity, std::max(opened->uid_next, last.uid_next)};
  const Uids between = *meanwhile;
  bool told = !between.empty();
  if (told) {
    last.uid_next = std::max(last.uid_next, meanwhile->back() + 1);
    co_await tell_arrivals(account, **store, *folder, std::move(*meanwhile), watching);
  }
  while (!watching.stop.is_set() && !watching.until.passed() && !(told && watching.once)) {
    const Deadline wait_until = Deadline::in(one_wait).or_before(watching.until);
    (*store)->set_deadline(wait_until);
    const auto news = co_await (*store)->wait(wait_until);
    if (!news) co_return fail(news.error());
    deadline = Deadline::in(watching.timeout);
    (*store)->set_deadline(deadline);
    tell_changes(*news, account, *folder, watching);
    Uids arrived = news->arrived;
    std::erase_if(arrived, [&between](std::uint32_t uid) {
      return std::ranges::binary_search(between, uid);
    });
    const bool has_arrived = !arrived.empty();
    if (has_arrived) last.uid_next = std::max(last.uid_next, arrived.back() + 1);
    if (has_arrived)
      co_await tell_arrivals(account, **store, *folder, std::move(arrived), watching);
    told = told || has_arrived;
  }
  deadline = Deadline::in(std::chrono::seconds(2));
  (*store)->set_deadline(deadline);
  co_await (*store)->close();
  co_return told;
}

Task<void> watch_account(Account account, Watching* watching, int* code) {
  Duration pause = first_pause;
  LastSeen last;
  while (!watching->stop.is_set() && !watching->until.passed()) {
    const auto told = co_await watch_connection(account, *watching, last);
    if (told) {
      if (*told) *code = exit_code::ok;
      break;
    }
    const bool hopeless = told.error().kind == MailError::Kind::config ||
                          told.error().kind == MailError::Kind::refused ||
                          told.error().kind == MailError::Kind::not_found ||
                          told.error().kind == MailError::Kind::unsupported;
    say_state(hopeless ? "failed" : "lost", account, *watching, told.error().text);
    if (hopeless) {
      if (*code == exit_code::failed) *code = tool_error(told.error()).exit;
      break;
    }
    const Deadline next = Deadline::in(pause).or_before(watching->until);
    (void)co_await watching->stop.wait_until(next);
    pause = std::min(pause * 2, longest_pause);
  }
}

Task<void> watch_all(const std::vector<Account>& accounts, Watching& watching, Duration duration,
                     int* code) {
  if (duration > Duration::zero()) watching.until = Deadline::in(duration);
  async::Scope scope;
  for (const Account& account : accounts) scope.spawn(watch_account(account, &watching, code));
  co_await scope.join();
}

class Watch final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "watch"; }
  [[nodiscard]] std::string_view words() const override { return "[FOLDER]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "say what arrives, as it arrives";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("What");
    table
        .add("exec", exec_,
             "a command for /bin/sh, run for each message; facts are in MUA_ variables")
        .flag_only();
    table.add("once", watching_.once, "end after the first message").flag_only();
    table.add("duration", duration_, "end after this time; 0s = never").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (!call.words.empty()) watching_.folder = call.words.front();
    if (!exec_.empty()) watching_.exec = {"/bin/sh", "-c", exec_};
    watching_.json = call.json;
    watching_.with_account = accounts->size() > 1;
    watching_.timeout = common_.timeout;
    int code = exit_code::failed;
    async::run(watch_all(*accounts, watching_, duration_, &code));
    return code;
  }

 private:
  Common common_;
  std::string exec_;
  Duration duration_{};
  Watching watching_;
};

}  // namespace

std::unique_ptr<Tool> make_watch() {
  return std::make_unique<Watch>();
}

}  // namespace posthorn::mua
