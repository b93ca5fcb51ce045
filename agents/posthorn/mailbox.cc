// posthorn mailbox list|check|rebuild-index: the mailboxes of a user, as they lie on the disk.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/users_file.h"
#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"
#include "libmail/store/store.h"

namespace posthorn::operate {

using nlohmann::json;
using service::OptionTable;
using store::StoreError;
using store::StoreResult;
namespace exit_code = service::exit_code;

namespace {

constexpr auto lock_time = std::chrono::seconds(30);

ToolError tool_error(const StoreError& error) {
  using Kind = StoreError::Kind;
  switch (error.kind) {
    case Kind::not_found:
    case Kind::bad_name:
      return {exit_code::unknown_user, "no-such-mailbox", error.text,
              "posthorn mailbox list USER shows all"};
    case Kind::locked:
      return {exit_code::try_again, "locked", error.text, "try again"};
    case Kind::refused:
      return {exit_code::refused, "refused", error.text};
    default:
      return {exit_code::unavailable, "io", error.text};
  }
}

// Where the user has the mail: the users file's userdb_mail, else Maildir in the home.
Result<store::MailLocation, ToolError> location_of(const service::Site& site,
                                                   const std::string& user) {
  const auto file = users_file(site);
  if (!file) return fail(file.error());
  const auto users = sasl::read_users(*file);
  if (!users) return fail(ToolError(exit_code::unavailable, "io", *file + " can't be read"));
  for (const sasl::PasswdEntry& entry : users->entries) {
    if (!iequals(entry.user, user)) continue;
    std::string form = "maildir:~/Maildir";
    for (const auto& [key, value] : entry.extra) {
      if (key == "userdb_mail") form = value;
    }
    auto location =
        store::make_mail_location(form, store::MailUser(entry.user, home_of(site, entry)));
    if (!location) return fail(tool_error(location.error()));
    return std::move(*location);
  }
  return fail(ToolError(exit_code::unknown_user, "no-such-user", "there is no user " + user,
                        "posthorn user list shows all"));
}

// The user's store, open for one command.
struct Account {
  store::SystemFiles files;
  store::StoreHost host{files, "posthorn", ::getpid()};
  std::unique_ptr<store::Store> store;
};

class MailboxCommand : public Tool {
 public:
  void describe(OptionTable& table) override {
    table.group("Where");
    table.add("maildir", maildir_, "this Maildir, instead of a user's").flag_only();
    table.add("separator", separator_, "between the levels of a name").one_of({".", "/"});
    table.add("prefix", prefix_, "in front of all names but INBOX, as \"INBOX.\"");
  }
  Result<int, ToolError> run(const ToolCall& call) final {
    std::vector<std::string> words = call.words;
    store::NamespaceSettings space;
    space.separator = separator_.front();
    space.prefix = prefix_;
    if (!maildir_.empty()) {
      space.location.base = call.site.path(maildir_);
    } else {
      if (words.empty())
        return fail(ToolError(exit_code::usage, "usage", "a user has to be named, or --maildir"));
      auto location = location_of(call.site, words.front());
      if (!location) return fail(location.error());
      space.location = std::move(*location);
      words.erase(words.begin());
    }
    if (space.location.format != store::MailFormat::maildir)
      return fail(
          ToolError(exit_code::data, "no-maildir", "this user has an mbox, which keeps no index"));
    if (::access(space.location.path().c_str(), F_OK) != 0)
      return fail(ToolError(exit_code::unknown_user, "no-such-mailbox",
                            space.location.path() + " does not exist: no message has come yet"));
    store::StoreSettings settings;
    settings.namespaces.push_back(std::move(space));
    Account account;
    account.store = std::make_unique<store::Store>(account.host, std::move(settings));
    return run(call, account, words);
  }

 protected:
  virtual Result<int, ToolError> run(const ToolCall& call, Account& account,
                                     const std::vector<std::string>& words) = 0;

  // Those that are named, else all.
  static Result<std::vector<std::string>, ToolError> mailboxes(
      Account& account, const std::vector<std::string>& words) {
    if (!words.empty()) return words;
    const auto list = account.store->list();
    if (!list) return fail(tool_error(list.error()));
    std::vector<std::string> names;
    for (const store::MailboxInfo& info : *list) {
      if (info.exists) names.push_back(info.name);
    }
    return names;
  }
  template <class F>
  static auto patiently(F work) {
    const auto start = std::chrono::steady_clock::now();
    for (;;) {
      auto result = work();
      if (result || result.error().kind != StoreError::Kind::locked ||
          std::chrono::steady_clock::now() - start > lock_time)
        return result;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  std::string maildir_;
  std::string separator_ = ".";
  std::string prefix_;
};

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
    const auto names = mailboxes(account, words);
    if (!names) return fail(names.error());
    json all = json::array();
    bool good = true;
    for (const std::string& name : *names) {
      auto problems = check(account, name);
      if (!problems) return fail(problems.error());
      good = good && problems->empty();
      if (call.json) {
        for (std::string& text : *problems) text = printable(text);
        all.push_back({{"name", name}, {"problems", *problems}});
      } else {
        fmt::print("{}: {}\n", printable(name), problems->empty() ? "in order" : "");
        for (const std::string& text : *problems) fmt::print("  {}\n", printable(text));
      }
    }
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
    return problems;
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
    const auto names = mailboxes(account, words);
    if (!names) return fail(names.error());
    json all = json::array();
    for (const std::string& name : *names) {
      const auto messages = patiently([&] { return account.store->rebuild_index(name); });
      if (!messages) return fail(tool_error(messages.error()));
      all.push_back({{"name", name}, {"messages", *messages}});
      if (!call.json) fmt::print("{}: {} messages\n", printable(name), *messages);
    }
    if (call.json) fmt::print("{}\n", json({{"mailboxes", all}}).dump());
    return exit_code::ok;
  }
};

}  // namespace

void add_mailbox_commands(Tools& tools) {
  tools.push_back(std::make_unique<MailboxList>());
  tools.push_back(std::make_unique<MailboxCheck>());
  tools.push_back(std::make_unique<MailboxRebuildIndex>());
}

}  // namespace posthorn::operate
