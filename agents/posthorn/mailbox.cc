// posthorn mailbox list|check|rebuild-index: the mailboxes of a user, as they lie on the disk.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/posthorn/mailbox_command.h"
#include "libmail/base/text.h"
#include "libmail/search/filling.h"

namespace posthorn::operate {

using nlohmann::json;
using store::StoreError;
namespace exit_code = service::exit_code;

namespace {

class MailboxList final : public MailboxCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "mailbox list"; }
  [[nodiscard]] std::string_view words() const override { return "[USER]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list a user's mailboxes, with what is in them";
  }

 protected:
  Result<int, ToolError> run(const ToolCall& call, Account& account,
                             const std::vector<std::string>&) override {
    const auto list = account.store->list();
    if (!list) return fail(tool_error(list.error()));
    json all = json::array();
    std::vector<std::vector<std::string>> rows = {
        {"MAILBOX", "MESSAGES", "UNSEEN", "SIZE", "UIDVALIDITY", "UIDNEXT", "USE"}};
    for (const store::MailboxInfo& info : *list) {
      if (!info.exists) continue;
      const auto status = patiently([&] { return account.store->status(info.name, true); });
      if (!status) return fail(tool_error(status.error()));
      const std::string use = info.special_use.empty() ? "" : info.special_use.front();
      rows.push_back({info.name, std::to_string(status->counts.messages),
                      std::to_string(status->counts.unseen), std::to_string(status->counts.size),
                      std::to_string(status->uid_validity), std::to_string(status->uid_next), use});
      all.push_back({{"name", info.name},
                     {"messages", status->counts.messages},
                     {"unseen", status->counts.unseen},
                     {"deleted", status->counts.deleted},
                     {"size", status->counts.size},
                     {"uid_validity", status->uid_validity},
                     {"uid_next", status->uid_next},
                     {"highest_modseq", status->highest_modseq},
                     {"mailbox_id", "F" + status->guid},
                     {"subscribed", info.subscribed},
                     {"special_use", info.special_use}});
    }
    if (call.json)
      fmt::print("{}\n", json({{"mailboxes", all}}).dump());
    else
      fmt::print("{}", service::format_columns(rows));
    return exit_code::ok;
  }
};

class MailboxCheck final : public MailboxCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "mailbox check"; }
  [[nodiscard]] std::string_view words() const override { return "[USER] [MAILBOX...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "look at every file of mailboxes, and say what is damaged";
  }

 protected:
  Result<int, ToolError> run(const ToolCall& call, Account& account,
                             const std::vector<std::string>& words) override {
    json all = json::array();
    bool good = true;
    const auto each = [&](const std::string& name) -> Result<void, ToolError> {
      auto problems = check(account, name);
      if (!problems) return fail(problems.error());
      good = good && problems->empty();
      for (std::string& text : *problems) text = printable(text);
      if (call.json) {
        all.push_back({{"name", name}, {"problems", *problems}});
        return {};
      }
      fmt::print("{}: {}\n", printable(name), problems->empty() ? "in order" : "");
      for (const std::string& text : *problems) fmt::print("  {}\n", text);
      return {};
    };
    if (auto done = for_each_mailbox(account, words, each); !done) return fail(done.error());
    if (call.json) fmt::print("{}\n", json({{"mailboxes", all}}).dump());
    return good ? exit_code::ok : exit_code::failed;
  }

 private:
  static Result<std::vector<std::string>, ToolError> check(Account& account,
                                                           const std::string& name) {
    const auto box = account.store->open(name);
    if (!box) return fail(tool_error(box.error()));
    store::SyncRules rules;
    rules.full_scan = true;
    const auto synced = patiently([&] { return (*box)->sync(rules); });
    if (!synced) return fail(tool_error(synced.error()));
    std::vector<std::string> problems = (*box)->take_remarks();
    const auto snapshot = (*box)->snapshot();
    for (std::size_t i = 0; i < snapshot->size(); ++i) {
      const std::uint32_t uid = snapshot->row(i).uid;
      const auto message = patiently([&] { return (*box)->open(uid); });
      if (!message && message.error().kind != StoreError::Kind::not_found)
        problems.push_back(fmt::format("UID {}: {}", uid, message.error().text));
    }
    check_search_index(**box, problems);
    return problems;
  }

  static void check_search_index(const store::OpenMailbox& box,
                                 std::vector<std::string>& problems) {
    if (box.directory().empty() || !search::has_index(box.directory())) return;
    auto index = search::open_index(box.directory(), search::owner_of(box));
    search::SearchResult<void> checked;
    if (index)
      checked = (*index)->verify();
    else
      checked = fail(index.error());
    // Of an older version, or in use: it is made anew by itself.
    using Kind = search::SearchError::Kind;
    if (!checked && checked.error().kind != Kind::missing && checked.error().kind != Kind::busy)
      problems.push_back(checked.error().text + "; posthorn mailbox rebuild-index makes it anew");
  }
};

class MailboxRebuildIndex final : public MailboxCommand {
 public:
  [[nodiscard]] std::string_view name() const override { return "mailbox rebuild-index"; }
  [[nodiscard]] std::string_view words() const override { return "[USER] [MAILBOX...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "make the index of mailboxes anew from their files";
  }

 protected:
  Result<int, ToolError> run(const ToolCall& call, Account& account,
                             const std::vector<std::string>& words) override {
    json all = json::array();
    const auto each = [&](const std::string& name) -> Result<void, ToolError> {
      const auto messages = patiently([&] { return account.store->rebuild_index(name); });
      if (!messages) return fail(tool_error(messages.error()));
      const auto searched = rebuild_search_index(account, name);
      if (!searched) return fail(searched.error());
      all.push_back({{"name", name}, {"messages", *messages}, {"search_index", *searched}});
      if (!call.json)
        fmt::print("{}: {} messages{}\n", printable(name), *messages,
                   *searched ? ", and the search index" : "");
      return {};
    };
    if (auto done = for_each_mailbox(account, words, each); !done) return fail(done.error());
    if (call.json) fmt::print("{}\n", json({{"mailboxes", all}}).dump());
    return exit_code::ok;
  }

 private:
  // Where somebody searched, there is one, and it is made whole again. False: nobody did.
  static Result<bool, ToolError> rebuild_search_index(Account& account, const std::string& name) {
    auto box = account.store->open(name);
    if (!box) return fail(tool_error(box.error()));
    const auto synced = patiently([&] { return (*box)->sync(store::SyncRules()); });
    if (!synced) return fail(tool_error(synced.error()));
    const std::string directory = (*box)->directory();
    if (directory.empty() || !search::has_index(directory)) return false;
    search::remove_index(directory);
    search::Filling filling(*box, search::Filling::Need::wanted, search::FillingRules());
    for (unsigned refusals = 0;;) {
      const auto step = filling.next();
      if (step && step->is_done) return search::has_index(directory);
      if (step) continue;
      const bool busy = step.error().kind == search::SearchError::Kind::busy;
      if (!busy || ++refusals > 100)
        return fail(ToolError(exit_code::unavailable, "io", step.error().text));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
};

}  // namespace

void add_mailbox_commands(Tools& tools) {
  tools.push_back(std::make_unique<MailboxList>());
  tools.push_back(std::make_unique<MailboxCheck>());
  tools.push_back(std::make_unique<MailboxRebuildIndex>());
  tools.push_back(make_mailbox_import());
  tools.push_back(make_mailbox_export());
}

}  // namespace posthorn::operate
