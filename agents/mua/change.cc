// mua move, copy, delete, flag: changes to messages named by UID, or by a search.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/query.h"
#include "agents/mua/verbs.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

class ChangeVerb : public Tool {
 public:
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Which");
    table.add("folder", folder_, "where the messages are").flag_only();
    table.add("query", query_, "those that a search finds, in place of UIDs").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    words_ = call.words;
    json_ = call.json;
    if (auto done = read_words(); !done) return fail(done.error());
    if (auto done = choose(); !done) return fail(done.error());
    return run_on_accounts(*accounts, common_.timeout, call.json,
                           [this](const Account& account, MailStore& store, Deadline) {
                             return work(account, store);
                           });
  }

 protected:
  // Takes what is no UID out of words_.
  virtual Result<void, ToolError> read_words() { return {}; }
  // The change; what it says in JSON is in `row` already but for "status".
  virtual Task<Mail<void>> change(const Account& account, MailStore& store, Uids uids,
                                  nlohmann::json& row) = 0;

  std::vector<std::string> words_;
  std::string folder_ = "inbox";

 private:
  Result<void, ToolError> choose() {
    if (query_.empty() == words_.empty()) {
      return fail(ToolError(exit_code::usage, "usage", "messages are named by UIDs or by --query",
                            "UIDs as mua list shows them: 7, 7,9:12, 9:*"));
    }
    if (query_.empty()) {
      auto set = parse_uids(words_);
      if (!set) return fail(set.error());
      key_ = imap::SearchKey::of_uids(std::move(*set));
      return {};
    }
    auto query =
        parse_query(query_, std::chrono::time_point_cast<std::chrono::seconds>(wall_now()));
    if (!query) return fail(ToolError(exit_code::usage, "bad-query", query.error().text));
    if (query->attachment)
      return fail(
          ToolError(exit_code::usage, "bad-query", "has:attachment only works in mua search"));
    key_ = std::move(query->key);
    return {};
  }
  Task<Mail<int>> work(const Account& account, MailStore& store) {
    const auto folder = co_await find_folder(store, account, folder_);
    if (!folder) co_return fail(folder.error());
    const auto opened = co_await store.open(*folder, false);
    if (!opened) co_return fail(opened.error());
    imap::SearchKey key = key_;
    auto uids = co_await store.search(std::move(key));
    if (!uids) co_return fail(uids.error());
    if (uids->empty() && query_.empty())
      co_return fail(MailError(MailError::Kind::not_found,
                               fmt::format("{} has no such message", *folder),
                               "mua list shows the UIDs"));
    if (uids->empty()) co_return exit_code::failed;
    nlohmann::json row = {{"account", account.name}, {"folder", *folder}, {"uids", *uids}};
    const std::size_t count = uids->size();
    auto done = co_await change(account, store, std::move(*uids), row);
    if (!done) co_return fail(done.error());
    if (json_)
      print_json(row);
    else if (terminal().is_terminal)
      fmt::print("{}: {} {}\n", shown(account.name), count, count == 1 ? "message" : "messages");
    co_return exit_code::ok;
  }

  Common common_;
  std::string query_;
  imap::SearchKey key_;
  bool json_ = false;
};

class Transfer final : public ChangeVerb {
 public:
  explicit Transfer(bool away) : away_(away) {}
  [[nodiscard]] std::string_view name() const override { return away_ ? "move" : "copy"; }
  [[nodiscard]] std::string_view words() const override { return "UID... FOLDER"; }
  [[nodiscard]] std::string_view purpose() const override {
    return away_ ? "move messages to another folder" : "copy messages to another folder";
  }

 protected:
  Result<void, ToolError> read_words() override {
    if (words_.empty())
      return fail(ToolError(exit_code::usage, "usage", "the folder to go to is missing"));
    target_ = words_.back();
    words_.pop_back();
    return {};
  }
  Task<Mail<void>> change(const Account& account, MailStore& store, Uids uids,
                          nlohmann::json& row) override {
    auto target = co_await find_folder(store, account, target_);
    if (!target) co_return fail(target.error());
    row["status"] = away_ ? "moved" : "copied";
    row["to"] = *target;
    auto done = away_ ? store.move(std::move(uids), *target) : store.copy(std::move(uids), *target);
    auto result = co_await done;
    co_return result;
  }

 private:
  bool away_;
  std::string target_;
};

class Delete final : public ChangeVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "delete"; }
  [[nodiscard]] std::string_view words() const override { return "UID..."; }
  [[nodiscard]] std::string_view purpose() const override {
    return "move messages to the trash; what is there, or with --forever, goes for good";
  }
  void describe(OptionTable& table) override {
    ChangeVerb::describe(table);
    table.add("forever", forever_, "delete for good, without the trash").flag_only();
  }

 protected:
  Task<Mail<void>> change(const Account& account, MailStore& store, Uids uids,
                          nlohmann::json& row) override {
    const std::string from = row["folder"].get<std::string>();
    std::string trash;
    if (!forever_) {
      const auto found = co_await find_folder(store, account, "trash");
      if (!found) {
        co_return fail(MailError(found.error().kind, "there is no folder for deleted messages",
                                 "--forever, or trash = \"...\" in [accounts.NAME.folders]"));
      }
      trash = *found;
    }
    const bool for_good = trash.empty() || trash == from;
    row["status"] = for_good ? "deleted" : "moved";
    if (!for_good) row["to"] = trash;
    auto step = for_good ? store.remove(std::move(uids)) : store.move(std::move(uids), trash);
    auto done = co_await step;
    co_return done;
  }

 private:
  bool forever_ = false;
};

class Flag final : public ChangeVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "flag"; }
  [[nodiscard]] std::string_view words() const override { return "UID... +FLAG|-FLAG..."; }
  [[nodiscard]] std::string_view purpose() const override {
    return "set and clear flags: +read -flagged +$Work";
  }

 protected:
  Result<void, ToolError> read_words() override {
    static const std::vector<std::pair<std::string_view, std::string_view>> names = {
        {"read", "\\Seen"},       {"seen", "\\Seen"},         {"flagged", "\\Flagged"},
        {"starred", "\\Flagged"}, {"answered", "\\Answered"}, {"deleted", "\\Deleted"},
        {"draft", "\\Draft"}};
    std::vector<std::string> uids;
    for (const std::string& word : words_) {
      if (!word.starts_with('+') && !word.starts_with('-')) {
        uids.push_back(word);
        continue;
      }
      std::string flag = word.substr(1);
      bool on = word.front() == '+';
      if (iequals(flag, "unread")) flag = "read", on = !on;
      for (const auto& [name, real] : names) {
        if (iequals(name, flag)) flag = real;
      }
      if (!imap::system_flag(flag) && !imap::is_keyword(flag))
        return fail(ToolError(exit_code::usage, "usage", "\"" + printable(word) + "\" is no flag"));
      (on ? edit_.add : edit_.remove).add(flag);
    }
    if (edit_.add.empty() && edit_.remove.empty())
      return fail(ToolError(exit_code::usage, "usage", "no flag is named",
                            "+read, -read, +flagged, +KEYWORD; a - word stands behind --"));
    words_ = std::move(uids);
    return {};
  }
  Task<Mail<void>> change(const Account&, MailStore& store, Uids uids,
                          nlohmann::json& row) override {
    row["status"] = "flagged";
    FlagEdit edit = edit_;
    auto done = co_await store.edit_flags(std::move(uids), std::move(edit));
    co_return done;
  }

 private:
  FlagEdit edit_;
};

}  // namespace

void add_change_verbs(Tools& tools) {
  tools.push_back(std::make_unique<Transfer>(true));
  tools.push_back(std::make_unique<Transfer>(false));
  tools.push_back(std::make_unique<Delete>());
  tools.push_back(std::make_unique<Flag>());
}

}  // namespace posthorn::mua
