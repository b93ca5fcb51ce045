// mua outbox list|flush|delete: what waits for the network.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/mua/output.h"
#include "agents/mua/sending.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"

namespace posthorn::mua {

using nlohmann::json;

namespace {

json waiting_json(const Waiting& waiting) {
  return {{"id", waiting.id},
          {"account", waiting.account},
          {"from", waiting.letter.from},
          {"recipients", waiting.letter.recipients},
          {"subject", waiting.subject},
          {"message_id", waiting.letter.message_id},
          {"queued", rfc3339(waiting.queued)},
          {"attempts", waiting.attempts},
          {"last_error", waiting.last_error}};
}

class OutboxVerb : public Tool {
 public:
  void describe(OptionTable& table) override { common_.describe(table); }
  Result<int, ToolError> run(const ToolCall& call) final {
    const auto accounts = read_accounts(accounts_file(common_.config));
    if (!accounts) return fail(accounts.error());
    return work(call, *accounts);
  }

 protected:
  virtual Result<int, ToolError> work(const ToolCall& call, const Accounts& accounts) = 0;
  Common common_;
};

class OutboxList final : public OutboxVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "outbox list"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "list what could not be sent yet";
  }

 protected:
  Result<int, ToolError> work(const ToolCall& call, const Accounts& accounts) override {
    const auto all = Outbox(accounts.outbox).list();
    if (!all) return fail(tool_error(all.error()));
    std::vector<std::vector<std::string>> rows = {
        {"ID", "ACCOUNT", "QUEUED", "TO", "SUBJECT", "ERROR"}};
    for (const Waiting& each : *all) {
      if (call.json) print_json(waiting_json(each));
      rows.push_back({each.id, each.account, shown_date(each.queued),
                      fmt::format("{}", fmt::join(each.letter.recipients, ",")), each.subject,
                      each.last_error});
    }
    if (!call.json && !all->empty()) fmt::print("{}", service::format_columns(rows));
    return all->empty() ? exit_code::failed : exit_code::ok;
  }
};

class OutboxFlush final : public OutboxVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "outbox flush"; }
  [[nodiscard]] std::string_view words() const override { return "[ID...]"; }
  [[nodiscard]] std::string_view purpose() const override { return "try again to send"; }

 protected:
  Result<int, ToolError> work(const ToolCall& call, const Accounts& accounts) override {
    Outbox outbox(accounts.outbox);
    std::vector<std::string> ids = call.words;
    if (ids.empty()) {
      const auto all = outbox.list();
      if (!all) return fail(tool_error(all.error()));
      for (const Waiting& each : *all) ids.push_back(each.id);
    }
    int code = ids.empty() ? exit_code::failed : exit_code::ok;
    for (const std::string& id : ids) {
      const int one = try_one(outbox, accounts, id, call.json);
      if (code == exit_code::ok) code = one;
    }
    return code;
  }

 private:
  int complain(const MailError& error, const std::string& id, bool as_json) {
    const ToolError said = tool_error(error, id);
    print_error(said, "", as_json);
    return said.exit;
  }
  int try_one(Outbox& outbox, const Accounts& accounts, const std::string& id, bool as_json) {
    auto claimed = outbox.claim(id);
    if (!claimed) return complain(claimed.error(), id, as_json);
    if (!*claimed)
      return complain(
          {MailError::Kind::not_found, "it is not in the outbox, or being sent right now"}, id,
          as_json);
    const Waiting& waiting = (*claimed)->waiting;
    const auto account = std::ranges::find(accounts.all, waiting.account, &Account::name);
    if (account == accounts.all.end())
      return complain({MailError::Kind::config, "there is no account " + waiting.account}, id,
                      as_json);
    const auto sent = async::run(send(*account, waiting, common_.timeout));
    if (!sent) {
      (void)outbox.note_failure(waiting, sent.error().text);
      return complain(sent.error(), id, as_json);
    }
    if (auto done = outbox.remove(id); !done) return complain(done.error(), id, as_json);
    if (waiting.copy && account->copy_to_sent && account->keeps_folders()) {
      imap::Flags flags;
      flags.set(imap::SystemFlag::seen);
      const auto kept = async::run(
          keep_copy(*account, "sent", waiting.letter.message, std::move(flags), common_.timeout));
      if (!kept && !as_json)
        fmt::print(stderr, "mua: no copy was kept: {}\n", shown(kept.error().text));
    }
    json row = waiting_json(waiting);
    row["status"] = "sent";
    if (as_json)
      print_json(row);
    else
      fmt::print("sent {}\n", id);
    return exit_code::ok;
  }
  static Task<Mail<void>> send(const Account& account, const Waiting& waiting, Duration timeout) {
    const Deadline deadline = Deadline::in(timeout);
    auto done = co_await submit(account, waiting.letter, deadline);
    co_return done;
  }
};

class OutboxDelete final : public OutboxVerb {
 public:
  [[nodiscard]] std::string_view name() const override { return "outbox delete"; }
  [[nodiscard]] std::string_view words() const override { return "ID..."; }
  [[nodiscard]] std::string_view purpose() const override { return "give up sending"; }

 protected:
  Result<int, ToolError> work(const ToolCall& call, const Accounts& accounts) override {
    if (call.words.empty())
      return fail(ToolError(exit_code::usage, "usage", "no message is named", "mua outbox list"));
    Outbox outbox(accounts.outbox);
    for (const std::string& id : call.words) {
      if (auto done = outbox.remove(id); !done) return fail(tool_error(done.error()));
      if (call.json) print_json({{"id", id}, {"status", "deleted"}});
    }
    return exit_code::ok;
  }
};

}  // namespace

void add_outbox_verbs(Tools& tools) {
  tools.push_back(std::make_unique<OutboxList>());
  tools.push_back(std::make_unique<OutboxFlush>());
  tools.push_back(std::make_unique<OutboxDelete>());
}

}  // namespace posthorn::mua
