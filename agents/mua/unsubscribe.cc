// mua unsubscribe: leaves a mailing list the way its messages say (RFC 2369, RFC 8058).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/mua/http.h"
#include "agents/mua/list_unsubscribe.h"
#include "agents/mua/output.h"
#include "agents/mua/sending.h"
#include "agents/mua/verbs.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"
#include "libmail/message/header.h"

namespace posthorn::mua {

namespace {

constexpr std::size_t most_octets = 64 << 20;

class Unsubscribe final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "unsubscribe"; }
  [[nodiscard]] std::string_view words() const override { return "UID"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "leave the mailing list a message came from; says what it would do without --yes";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("How");
    table.add("folder", folder_, "where the message is").flag_only();
    table.add("yes", yes_, "do it").flag_only();
    table.add("ca-file", ca_file_, "authorities for the list's https server; else the system's")
        .flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto account = common_.one();
    if (!account) return fail(account.error());
    const auto uid = parse_uid(call.words);
    if (!uid) return fail(uid.error());
    std::string octets;
    const int code = run_on_accounts({*account}, common_.timeout, call.json,
                                     [&](const Account& each, MailStore& store, Deadline) {
                                       return fetch(each, store, folder_, *uid, octets);
                                     });
    if (code != exit_code::ok) return code;
    const auto way = find_unsubscribe(message::Header::parse(octets));
    if (!way) {
      return fail(ToolError(exit_code::failed, "no-list",
                            "the message names no way to leave a list",
                            "mua read --headers shows what it says"));
    }
    return yes_ ? leave(*account, *way, call.json) : show(*way, call.json);
  }

 private:
  static Task<Mail<int>> fetch(const Account& account, MailStore& store, std::string word,
                               std::uint32_t uid, std::string& into) {
    const auto folder = co_await find_folder(store, account, std::move(word));
    if (!folder) co_return fail(folder.error());
    const auto opened = co_await store.open(*folder, true);
    if (!opened) co_return fail(opened.error());
    auto octets = co_await read_whole(store, uid, most_octets);
    if (!octets) co_return fail(octets.error());
    into = std::move(*octets);
    co_return exit_code::ok;
  }
  static nlohmann::json row_of(const UnsubscribeWay& way) {
    return {{"method", way.one_click     ? "one-click"
                       : way.url.empty() ? "mailto"
                                         : "web"},
            {"url", way.url},
            {"mailto", fmt::format("{}", fmt::join(way.mailto, ","))},
            {"subject", way.subject}};
  }
  static int show(const UnsubscribeWay& way, bool json) {
    if (json) {
      nlohmann::json row = row_of(way);
      row["status"] = "not-done";
      print_json(row);
    } else if (way.one_click) {
      fmt::print("would POST List-Unsubscribe=One-Click to {}\n", shown(way.url));
    } else if (!way.mailto.empty()) {
      fmt::print("would send \"{}\" to {}\n", shown(way.subject),
                 shown(fmt::format("{}", fmt::join(way.mailto, ", "))));
    } else {
      fmt::print("only a person with a browser can: {}\n", shown(way.url));
    }
    return exit_code::ok;
  }
  Result<int, ToolError> leave(const Account& account, const UnsubscribeWay& way, bool json) {
    if (way.one_click) return post(way, json);
    if (way.mailto.empty()) {
      return fail(ToolError(exit_code::unavailable, "needs-browser",
                            "only a person with a browser can leave this list",
                            printable(way.url)));
    }
    ComposeFlags flags;
    flags.to = way.mailto;
    flags.subject = way.subject;
    flags.copy = false;
    auto composed = compose(account, {}, flags, way.body);
    if (!composed) return fail(composed.error());
    const auto file = read_accounts(accounts_file(common_.config));
    return finish(account, file ? file->outbox : "", std::move(*composed), flags, common_.timeout,
                  json);
  }
  Result<int, ToolError> post(const UnsubscribeWay& way, bool json) const {
    HttpRequest request;
    request.url = way.url;
    request.post = "List-Unsubscribe=One-Click";
    request.headers = {"Content-Type: application/x-www-form-urlencoded"};
    request.ca_file = ca_file_;
    request.follow = false;  // RFC 8058 3.1
    request.timeout = common_.timeout;
    start_http();
    const auto reply = async::run(async::blocking([&request] { return fetch_http(request); }));
    if (!reply) return fail(tool_error(reply.error()));
    if (reply->status < 200 || reply->status > 299) {
      return fail(ToolError(exit_code::unavailable, "refused-by-server",
                            fmt::format("{} answers {}", printable(way.url), reply->status)));
    }
    nlohmann::json row = row_of(way);
    row["status"] = "done";
    row["http_status"] = reply->status;
    if (json)
      print_json(row);
    else
      fmt::print("unsubscribed: {} answers {}\n", shown(way.url), reply->status);
    return exit_code::ok;
  }

  Common common_;
  std::string folder_ = "inbox";
  std::string ca_file_;
  bool yes_ = false;
};

}  // namespace

std::unique_ptr<Tool> make_unsubscribe() {
  return std::make_unique<Unsubscribe>();
}

}  // namespace posthorn::mua
