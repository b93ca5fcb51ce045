// mua folders list|create|rename|delete.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/verbs.h"

namespace posthorn::mua {

using nlohmann::json;

namespace {

class FolderVerb : public Tool {
 public:
  void describe(OptionTable& table) override { common_.describe(table); }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (call.words.size() != count())
      return fail(ToolError(exit_code::usage, "usage", fmt::format("mua {} {}", name(), words())));
    json_ = call.json;
    words_ = call.words;
    many_ = accounts->size() > 1;
    return run_on_accounts(*accounts, common_.timeout, call.json,
                           [this](const Account& account, MailStore& store, Deadline) {
                             return work(account, store);
                           });
  }

 protected:
  [[nodiscard]] virtual std::size_t count() const = 0;  // of words
  virtual Task<Mail<int>> work(const Account& account, MailStore& store) = 0;
  // After a change that worked.
  Mail<int> say(const Account& account, std::string_view status) const {
    if (json_)
      print_json({{"account", account.name}, {"folder", words_.back()}, {"status", status}});
    return exit_code::ok;
  }

  Common common_;
  bool json_ = false;
  bool many_ = false;
  std::vector<std::string> words_;
};

class FoldersList final : public FolderVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "folders list"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override { return "list the folders"; }
  void describe(OptionTable& table) override {
    FolderVerb::describe(table);
    table.group("What");
    table.add("counts", counts_, "count messages and unread ones").flag_only();
  }

 protected:
  [[nodiscard]] std::size_t count() const override { return 0; }
  Task<Mail<int>> work(const Account& account, MailStore& store) override {
    const auto folders = co_await store.folders(counts_);
    if (!folders) co_return fail(folders.error());
    for (const Folder& folder : *folders) print(folder, account);
    co_return folders->empty() ? exit_code::failed : exit_code::ok;
  }

 private:
  void print(const Folder& folder, const Account& account) const {
    if (json_) {
      json row = {{"account", account.name},
                  {"folder", folder.name},
                  {"separator", std::string(1, folder.separator)},
                  {"role", folder.role},
                  {"selectable", folder.selectable},
                  {"subscribed", folder.subscribed},
                  {"messages", nullptr},
                  {"unseen", nullptr}};
      if (folder.messages) row["messages"] = *folder.messages;
      if (folder.unseen) row["unseen"] = *folder.unseen;
      print_json(row);
      return;
    }
    const bool table = terminal().is_terminal;
    std::string line =
        many_ ? (table ? fit(shown(account.name), 12) : shown(account.name) + "\t") : "";
    if (counts_) {
      const std::string numbers =
          fmt::format("{}/{}", folder.unseen.value_or(0), folder.messages.value_or(0));
      line += table ? fit(numbers, 12) : numbers + "\t";
    }
    line += table ? fit(folder.role, 10) : folder.role + "\t";
    fmt::print("{}{}\n", line, shown(folder.name));
  }
  bool counts_ = false;
};

class FoldersCreate final : public FolderVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "folders create"; }
  [[nodiscard]] std::string_view words() const override { return "NAME"; }
  [[nodiscard]] std::string_view purpose() const override { return "make a folder"; }

 protected:
  [[nodiscard]] std::size_t count() const override { return 1; }
  Task<Mail<int>> work(const Account& account, MailStore& store) override {
    const auto done = co_await store.create_folder(words_.front());
    if (!done) co_return fail(done.error());
    co_return say(account, "created");
  }
};

class FoldersRename final : public FolderVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "folders rename"; }
  [[nodiscard]] std::string_view words() const override { return "NAME NEW-NAME"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "rename a folder, and what is below it";
  }

 protected:
  [[nodiscard]] std::size_t count() const override { return 2; }
  Task<Mail<int>> work(const Account& account, MailStore& store) override {
    const auto done = co_await store.rename_folder(words_[0], words_[1]);
    if (!done) co_return fail(done.error());
    co_return say(account, "renamed");
  }
};

class FoldersDelete final : public FolderVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "folders delete"; }
  [[nodiscard]] std::string_view words() const override { return "NAME"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "delete a folder that is empty";
  }
  void describe(OptionTable& table) override {
    FolderVerb::describe(table);
    table.group("What");
    table.add("force", force_, "delete it with the messages in it").flag_only();
  }

 protected:
  [[nodiscard]] std::size_t count() const override { return 1; }
  Task<Mail<int>> work(const Account& account, MailStore& store) override {
    if (!force_) {
      const auto state = co_await store.open(words_.front(), true);
      if (!state) co_return fail(state.error());
      if (state->messages > 0) {
        co_return fail(MailError(MailError::Kind::bad_data,
                                 fmt::format("{} has {} messages", words_.front(), state->messages),
                                 "--force deletes them, too"));
      }
    }
    const auto done = co_await store.delete_folder(words_.front());
    if (!done) co_return fail(done.error());
    co_return say(account, "deleted");
  }

 private:
  bool force_ = false;
};

}  // namespace

void add_folder_verbs(Tools& tools) {
  tools.push_back(std::make_unique<FoldersList>());
  tools.push_back(std::make_unique<FoldersCreate>());
  tools.push_back(std::make_unique<FoldersRename>());
  tools.push_back(std::make_unique<FoldersDelete>());
}

}  // namespace posthorn::mua
