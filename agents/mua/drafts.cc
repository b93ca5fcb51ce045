// mua drafts list|send|delete: `mua send --draft` makes them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/sending.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::mua {

namespace {

class DraftsList final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "drafts list"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override { return "list the drafts"; }
  void describe(OptionTable& table) override { common_.describe(table); }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    const bool many = accounts->size() > 1;
    return run_on_accounts(
        *accounts, common_.timeout, call.json,
        [json = call.json, many](const Account& account, MailStore& store, Deadline) {
          return work(account, store, json, many);
        });
  }

 private:
  static Task<Mail<int>> work(const Account& account, MailStore& store, bool json, bool many) {
    const auto folder = co_await find_folder(store, account, "drafts");
    if (!folder) co_return fail(folder.error());
    const auto opened = co_await store.open(*folder, true);
    if (!opened) co_return fail(opened.error());
    imap::SearchKey all;
    auto uids = co_await store.search(std::move(all));
    if (!uids) co_return fail(uids.error());
    const auto rows = co_await store.summaries(std::move(*uids));
    if (!rows) co_return fail(rows.error());
    for (const Summary& row : *rows) {
      if (json)
        print_json(summary_json(row, account.name, *folder));
      else
        print_summary(row, account.name, many);
    }
    co_return rows->empty() ? exit_code::failed : exit_code::ok;
  }
  Common common_;
};

struct Kept {
  std::string folder;
  Octets octets;
};

Task<Mail<Kept>> fetch_draft(const Account& account, std::uint32_t uid, Duration timeout) {
  const Deadline deadline = Deadline::in(timeout);
  auto store = co_await open_store(account, deadline);
  if (!store) co_return fail(store.error());
  Kept kept;
  auto folder = co_await find_folder(**store, account, "drafts");
  if (!folder) co_return fail(folder.error());
  kept.folder = std::move(*folder);
  const auto opened = co_await (*store)->open(kept.folder, true);
  if (!opened) co_return fail(opened.error());
  auto octets = co_await read_octets(**store, uid);
  co_await (*store)->close();
  if (!octets) co_return fail(octets.error());
  kept.octets = std::move(*octets);
  co_return kept;
}

Task<void> drop_draft(const Account& account, std::string folder, std::uint32_t uid,
                      Duration timeout) {
  const auto done = co_await delete_draft(account, std::move(folder), uid, timeout);
  if (!done)
    fmt::print(stderr, "mua: the draft was sent and could not be deleted: {}\n",
               shown(done.error().text));
}

class DraftVerb : public Tool {
 public:
  [[nodiscard]] std::string_view words() const override { return "UID"; }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto account = common_.one();
    if (!account) return fail(account.error());
    const auto uid = parse_uid(call.words, "draft", "mua drafts list");
    if (!uid) return fail(uid.error());
    return work(*account, *uid, call.json);
  }

 protected:
  virtual Result<int, ToolError> work(const Account& account, std::uint32_t uid, bool json) = 0;
  Common common_;
};

class DraftsSend final : public DraftVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "drafts send"; }
  [[nodiscard]] std::string_view purpose() const override { return "send a draft, and delete it"; }
  void describe(OptionTable& table) override {
    common_.describe(table);
    flags_.describe(table);
  }

 protected:
  Result<int, ToolError> work(const Account& account, std::uint32_t uid, bool json) override {
    const auto kept = async::run(fetch_draft(account, uid, common_.timeout));
    if (!kept) return fail(tool_error(kept.error()));
    auto composed = compose_whole(account, flags_, source_of(kept->octets));
    if (!composed) return fail(composed.error());
    const auto file = read_accounts(accounts_file(common_.config));
    const std::function<Task<void>()> after = [this, &account, &kept, uid] {
      return drop_draft(account, kept->folder, uid, common_.timeout);
    };
    return finish(account, file ? file->outbox : "", std::move(*composed), flags_, common_.timeout,
                  json, after);
  }

 private:
  ComposeFlags flags_;
};

class DraftsDelete final : public DraftVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "drafts delete"; }
  [[nodiscard]] std::string_view purpose() const override { return "delete a draft for good"; }
  void describe(OptionTable& table) override { common_.describe(table); }

 protected:
  Result<int, ToolError> work(const Account& account, std::uint32_t uid, bool json) override {
    const auto done = async::run(delete_draft(account, "", uid, common_.timeout));
    if (!done) return fail(tool_error(done.error()));
    if (json) print_json({{"account", account.name}, {"uid", uid}, {"status", "deleted"}});
    return exit_code::ok;
  }
};

}  // namespace

void add_draft_verbs(Tools& tools) {
  tools.push_back(std::make_unique<DraftsList>());
  tools.push_back(std::make_unique<DraftsSend>());
  tools.push_back(std::make_unique<DraftsDelete>());
}

}  // namespace posthorn::mua
