// mua thread: conversations, what was sent in them included.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/threading.h"
#include "agents/mua/verbs.h"

namespace posthorn::mua {

namespace {

// Messages of several folders, side by side with where they lie.
struct Gathered {
  std::vector<Summary> messages;
  std::vector<std::string> folders;
};

Task<Mail<void>> gather(MailStore& store, std::string folder, imap::SearchKey key,
                        std::size_t limit, Gathered& into) {
  const auto opened = co_await store.open(folder, true);
  if (!opened) co_return fail(opened.error());
  auto uids = co_await store.search(std::move(key));
  if (!uids) co_return fail(uids.error());
  if (uids->size() > limit)
    uids->erase(uids->begin(), uids->end() - static_cast<std::ptrdiff_t>(limit));
  auto rows = co_await store.summaries(std::move(*uids));
  if (!rows) co_return fail(rows.error());
  for (Summary& row : *rows) {
    // A copy of the same message in another folder says nothing new.
    const bool known = !row.message_id.empty() &&
                       std::ranges::find(into.messages, row.message_id, &Summary::message_id) !=
                           into.messages.end();
    if (known) continue;
    into.messages.push_back(std::move(row));
    into.folders.push_back(folder);
  }
  co_return Mail<void>();
}

// Everything that belongs to the conversation of `of`.
imap::SearchKey conversation_of(const Summary& of) {
  using imap::SearchKey;
  const std::string root = of.references.empty() ? of.message_id : of.references.front();
  std::vector<SearchKey> any = {SearchKey::of_header("Message-ID", root),
                                SearchKey::of_header("References", root),
                                SearchKey::of_header("In-Reply-To", root)};
  // A client that keeps no References still answers somebody.
  for (std::size_t i = 1; i < of.references.size() && i < 10; ++i)
    any.push_back(SearchKey::of_header("Message-ID", of.references[i]));
  if (!of.references.empty() && !of.message_id.empty()) {
    any.push_back(SearchKey::of_header("Message-ID", of.message_id));
    any.push_back(SearchKey::of_header("References", of.message_id));
    any.push_back(SearchKey::of_header("In-Reply-To", of.message_id));
  }
  return SearchKey::any_of(std::move(any));
}

class ThreadVerb final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "thread"; }
  [[nodiscard]] std::string_view words() const override { return "[UID]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list a folder as conversations, or the one a message belongs to";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("What");
    table.add("folder", folder_, "where the message is").flag_only();
    table.add("sent", sent_, "look in the folder of sent mail, too");
    table.add("limit", limit_, "at most so many of each folder")
        .unit("messages")
        .between(1, 1'000'000)
        .flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (call.words.size() > 1)
      return fail(ToolError(exit_code::usage, "usage", "one message at a time"));
    if (!call.words.empty()) {
      auto set = parse_uids(call.words);
      if (!set) return fail(set.error());
      key_ = imap::SearchKey::of_uids(std::move(*set));
      one_ = true;
    }
    json_ = call.json;
    with_account_ = accounts->size() > 1;
    return run_on_accounts(*accounts, common_.timeout, call.json,
                           [this](const Account& account, MailStore& store, Deadline) {
                             return work(account, store);
                           });
  }

 private:
  Task<Mail<int>> work(const Account& account, MailStore& store) {
    const auto folder = co_await find_folder(store, account, folder_);
    if (!folder) co_return fail(folder.error());
    Gathered gathered;
    imap::SearchKey key = key_;
    const std::size_t limit = one_ ? 1 : limit_;
    auto done = co_await gather(store, *folder, std::move(key), limit, gathered);
    if (!done) co_return fail(done.error());
    if (one_ && gathered.messages.empty())
      co_return fail(MailError(MailError::Kind::not_found, *folder + " has no such message",
                               "mua list shows the UIDs"));
    if (one_ && !gathered.messages.front().message_id.empty()) {
      auto more = conversation_of(gathered.messages.front());
      done = co_await gather(store, *folder, std::move(more), limit_, gathered);
      if (!done) co_return fail(done.error());
    }
    if (sent_) {
      const auto sent = co_await find_folder(store, account, "sent");
      imap::SearchKey there;
      if (one_ && !gathered.messages.front().message_id.empty())
        there = conversation_of(gathered.messages.front());
      const bool look =
          sent && *sent != *folder && (!one_ || there.kind != imap::SearchKey::Kind::all);
      // An account may well have no such folder yet.
      if (look) (void)co_await gather(store, *sent, std::move(there), limit_, gathered);
    }
    print(gathered, account);
    co_return gathered.messages.empty() ? exit_code::failed : exit_code::ok;
  }
  void print(const Gathered& gathered, const Account& account) const {
    std::size_t conversation = 0;
    for (const Threaded& each : order_threads(gathered.messages)) {
      const Summary& message = gathered.messages[each.index];
      if (each.depth == 0) ++conversation;
      if (!json_) {
        print_summary(message, account.name, with_account_, each.depth);
        continue;
      }
      nlohmann::json row = summary_json(message, account.name, gathered.folders[each.index]);
      row["depth"] = each.depth;
      row["thread"] = conversation;
      print_json(row);
    }
  }

  Common common_;
  std::string folder_ = "inbox";
  bool sent_ = true;
  std::uint32_t limit_ = 200;
  imap::SearchKey key_;
  bool one_ = false;
  bool json_ = false;
  bool with_account_ = false;
};

}  // namespace

std::unique_ptr<Tool> make_thread() {
  return std::make_unique<ThreadVerb>();
}

}  // namespace posthorn::mua
