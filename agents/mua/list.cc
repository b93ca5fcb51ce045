// mua list and mua search: messages as rows.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/query.h"
#include "agents/mua/verbs.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

// What to list of each account.
struct Wanted {
  std::string folder = "inbox";
  bool all_folders = false;
  Query query;
  std::size_t limit = 50;
  bool oldest_first = false;
  bool json = false;
  bool with_account = false;
};

Task<Mail<std::size_t>> list_folder(const Account& account, MailStore& store, std::string folder,
                                    const Wanted& wanted) {
  const auto opened = co_await store.open(folder, true);
  if (!opened) co_return fail(opened.error());
  imap::SearchKey key = wanted.query.key;
  auto uids = co_await store.search(std::move(key));
  if (!uids) co_return fail(uids.error());
  // Newest first, as many as asked for; those that has:attachment drops make room for others.
  std::size_t printed = 0;
  Uids left = std::move(*uids);
  while (!left.empty() && printed < wanted.limit) {
    const std::size_t count = std::min(left.size(), wanted.limit - printed);
    Uids some;
    if (wanted.oldest_first) {
      some.assign(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count));
      left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count));
    } else {
      some.assign(left.end() - static_cast<std::ptrdiff_t>(count), left.end());
      left.resize(left.size() - count);
    }
    auto rows = co_await store.summaries(std::move(some));
    if (!rows) co_return fail(rows.error());
    if (!wanted.oldest_first) std::ranges::reverse(*rows);
    for (const Summary& row : *rows) {
      if (wanted.query.attachment && row.has_attachment != *wanted.query.attachment) continue;
      ++printed;
      if (wanted.json)
        print_json(summary_json(row, account.name, folder));
      else
        print_summary(row, wanted.all_folders ? account.name + "/" + folder : account.name,
                      wanted.with_account || wanted.all_folders);
    }
  }
  co_return printed;
}

Task<Mail<int>> list_account(const Account& account, MailStore& store, const Wanted& wanted) {
  std::vector<std::string> names;
  if (wanted.all_folders) {
    const auto folders = co_await store.folders(false);
    if (!folders) co_return fail(folders.error());
    for (const Folder& folder : *folders) {
      if (folder.selectable && folder.role != "all") names.push_back(folder.name);
    }
  } else {
    auto name = co_await find_folder(store, account, wanted.folder);
    if (!name) co_return fail(name.error());
    names.push_back(std::move(*name));
  }
  std::size_t printed = 0;
  for (const std::string& name : names) {
    const auto count = co_await list_folder(account, store, name, wanted);
    if (!count) co_return fail(count.error());
    printed += *count;
  }
  co_return printed > 0 ? exit_code::ok : exit_code::failed;
}

class ListVerb : public Tool {
 public:
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("What");
    table.add("limit", limit_, "at most so many of each folder")
        .unit("messages")
        .between(1, 1'000'000)
        .flag_only();
    table.add("oldest-first", wanted_.oldest_first, "begin with the oldest, not with the newest")
        .flag_only();
  }

 protected:
  Result<int, ToolError> list(const ToolCall& call) {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    wanted_.json = call.json;
    wanted_.limit = limit_;
    wanted_.with_account = accounts->size() > 1;
    return run_on_accounts(*accounts, common_.timeout, call.json,
                           [this](const Account& account, MailStore& store, Deadline) {
                             return list_account(account, store, wanted_);
                           });
  }
  Result<void, ToolError> set_query(const std::string& text) {
    auto query = parse_query(text, std::chrono::time_point_cast<std::chrono::seconds>(wall_now()));
    if (query) {
      wanted_.query = std::move(*query);
      return {};
    }
    return fail(ToolError(exit_code::usage, "bad-query",
                          fmt::format("{} (at character {} of \"{}\")", query.error().text,
                                      query.error().offset + 1, printable(text)),
                          "mua search --help lists the words"));
  }

  Common common_;
  Wanted wanted_;
  std::uint32_t limit_ = 50;
};

class List final : public ListVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "list"; }
  [[nodiscard]] std::string_view words() const override { return "[FOLDER]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list the messages of a folder, newest first";
  }
  void describe(OptionTable& table) override {
    ListVerb::describe(table);
    table.add("unread", unread_, "only what was not read").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.words.size() > 1)
      return fail(ToolError(exit_code::usage, "usage", "one folder at a time"));
    if (!call.words.empty()) wanted_.folder = call.words.front();
    if (unread_) {
      if (auto done = set_query("is:unread"); !done) return fail(done.error());
    }
    return list(call);
  }

 private:
  bool unread_ = false;
};

class Search final : public ListVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "search"; }
  [[nodiscard]] std::string_view words() const override { return "QUERY..."; }
  [[nodiscard]] std::string_view purpose() const override {
    return "find messages: from:ann subject:\"big report\" -is:read after:7d";
  }
  void describe(OptionTable& table) override {
    ListVerb::describe(table);
    table.add("folder", wanted_.folder, "where to look").flag_only();
    table.add("all-folders", wanted_.all_folders, "look in every folder").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.words.empty()) {
      std::string words;
      for (const auto& [word, meaning] : query_words())
        words += (words.empty() ? "" : ", ") + std::string(word);
      return fail(ToolError(exit_code::usage, "usage", "there is nothing to look for", words));
    }
    // One argument may hold a whole query; several are terms, each one word as the shell parted them.
    std::string text;
    for (const std::string& word : call.words) text += (text.empty() ? "" : " ") + word;
    if (auto done = set_query(text); !done) return fail(done.error());
    return list(call);
  }
};

}  // namespace

void add_list_verbs(Tools& tools) {
  tools.push_back(std::make_unique<List>());
  tools.push_back(std::make_unique<Search>());
}

}  // namespace posthorn::mua
