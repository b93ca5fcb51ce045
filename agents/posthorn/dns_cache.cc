// posthorn dns cache show|flush|stats: dnsd's cache, over its ops socket.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "libmail/async/loop.h"
#include "libmail/service/ops.h"

namespace posthorn::operate {

namespace exit_code = service::exit_code;
using Json = nlohmann::ordered_json;

namespace {

constexpr auto patience = std::chrono::seconds(30);

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

// dnsd's own words.
ToolError refusal(const service::OpsReply& reply) {
  const Json json = Json::parse(reply.body, nullptr, false);
  const Json error = json.is_object() ? json.value("error", Json::object()) : Json::object();
  ToolError made(exit_code::unavailable, text_at(error, "code"), text_at(error, "message"),
                 text_at(error, "hint"));
  if (made.message.empty())
    made.message = fmt::format("dnsd answers with HTTP status {}", reply.status);
  if (reply.status == 400) made.exit = exit_code::usage;
  return made;
}

Result<Json, ToolError> ask_dnsd(const ToolCall& call, const std::string& method,
                                 const std::string& target, const std::string& body = {}) {
  const auto deadline = async::Deadline::in(patience);
  const auto reply =
      async::run(service::ask_ops(call.site.path("run/dnsd.ops"), method, target, body, deadline));
  if (!reply) {
    return fail(ToolError(exit_code::unavailable, "unavailable",
                          "dnsd does not answer: " + reply.error().text(),
                          "does it run? posthorn run starts a site's agents"));
  }
  if (reply->status >= 300) return fail(refusal(*reply));
  Json json = Json::parse(reply->body, nullptr, false);
  if (json.is_object()) return json;
  return fail(ToolError(exit_code::unavailable, "bad-answer", "what dnsd sent is no JSON object"));
}

Result<void, ToolError> no_words(const ToolCall& call) {
  if (call.words.empty()) return {};
  return fail(
      ToolError(exit_code::usage, "usage", "unexpected argument \"" + call.words[0] + "\""));
}

class CacheShow final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "dns cache show"; }
  [[nodiscard]] std::string_view words() const override { return "[NAME]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "show what dnsd remembers: name, type, data, time left, how sure it is";
  }
  void describe(service::OptionTable& table) override {
    table.group("Cache");
    table.add("below", below_, "only this name and those below").flag_only();
    table.add("type", type_, "only this type").flag_only();
    table.add("limit", limit_, "at most so many lines").unit("lines").flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.words.size() > 1) {
      return fail(ToolError(exit_code::usage, "usage", "one name at most may stand there"));
    }
    std::string target = fmt::format("/cache?limit={}", limit_);
    const auto add = [&target](std::string_view key, const std::string& value) {
      if (!value.empty()) target += fmt::format("&{}={}", key, service::percent_encode(value));
    };
    if (!call.words.empty()) add("name", call.words[0]);
    add("below", below_);
    add("type", type_);
    const auto json = ask_dnsd(call, "GET", target);
    if (!json) return fail(json.error());
    const Json lines = json->value("lines", Json::array());
    if (call.json) fmt::print("{}\n", json->dump());
    if (!call.json) print(lines, json->value("more", false));
    return lines.empty() ? exit_code::failed : exit_code::ok;
  }

 private:
  static void print(const Json& lines, bool more) {
    std::vector<std::vector<std::string>> rows = {
        {"NAME", "TYPE", "TTL", "SECURITY", "RANK", "KIND", "FROM", "DATA"}};
    for (const Json& line : lines) {
      rows.push_back({text_at(line, "name"), text_at(line, "type"), text_at(line, "ttl"),
                      text_at(line, "security"), text_at(line, "rank"), text_at(line, "kind"),
                      text_at(line, "source"), text_at(line, "data")});
    }
    if (!lines.empty()) fmt::print("{}", service::format_columns(rows));
    if (more) fmt::print("... and more: --limit, --below or --type\n");
  }
  std::string below_;
  std::string type_;
  std::uint32_t limit_ = 1000;
};

class CacheFlush final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "dns cache flush"; }
  [[nodiscard]] std::string_view words() const override { return "[NAME]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "make dnsd forget a name, or all";
  }
  void describe(service::OptionTable& table) override {
    table.group("Cache");
    table.add("below", below_, "this name and all below").flag_only();
    table.add("what", what_, "without a name: which entries")
        .one_of({"all", "bogus", "negative"})
        .flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (call.words.size() > 1 || (!call.words.empty() && !below_.empty())) {
      return fail(ToolError(exit_code::usage, "usage", "a name, or --below, or neither"));
    }
    Json body = Json::object();
    if (!call.words.empty()) {
      body["name"] = call.words[0];
    } else if (!below_.empty()) {
      body["below"] = below_;
    } else {
      body["what"] = what_;
    }
    const auto json = ask_dnsd(call, "POST", "/cache/flush",
                               body.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!json) return fail(json.error());
    if (call.json) fmt::print("{}\n", json->dump());
    if (!call.json) fmt::print("{} entries forgotten\n", text_at(*json, "flushed"));
    return exit_code::ok;
  }

 private:
  std::string below_;
  std::string what_ = "all";
};

class CacheStats final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "dns cache stats"; }
  [[nodiscard]] std::string_view words() const override { return ""; }
  [[nodiscard]] std::string_view purpose() const override {
    return "show dnsd's counters: questions, answers, cache, servers";
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    if (auto none = no_words(call); !none) return fail(none.error());
    const auto json = ask_dnsd(call, "GET", "/stats");
    if (!json) return fail(json.error());
    if (call.json) {
      fmt::print("{}\n", json->dump());
      return exit_code::ok;
    }
    std::vector<std::vector<std::string>> rows;
    add_rows(*json, "", rows);
    fmt::print("{}", service::format_columns(rows));
    const Json servers = json->value("servers", Json::array());
    if (!servers.empty()) fmt::print("\n{}", service::format_columns(server_rows(servers)));
    return exit_code::ok;
  }

 private:
  // "cache.hits  12"; lists are tables of their own.
  static void add_rows(const Json& json, const std::string& prefix,
                       std::vector<std::vector<std::string>>& rows) {
    for (const auto& [key, value] : json.items()) {
      const std::string name = prefix.empty() ? key : prefix + "." + key;
      if (value.is_object()) add_rows(value, name, rows);
      if (value.is_primitive()) rows.push_back({name, text_at(json, key.c_str())});
    }
  }
  static std::vector<std::vector<std::string>> server_rows(const Json& servers) {
    std::vector<std::vector<std::string>> rows = {
        {"SERVER", "MILLISECONDS", "SILENCES", "RESTING", "EDNS"}};
    for (const Json& one : servers) {
      rows.push_back({text_at(one, "server"), text_at(one, "round_trip_ms"),
                      text_at(one, "silences"), text_at(one, "resting"), text_at(one, "edns")});
    }
    return rows;
  }
};

}  // namespace

void add_dns_cache_commands(Tools& tools) {
  tools.push_back(std::make_unique<CacheShow>());
  tools.push_back(std::make_unique<CacheFlush>());
  tools.push_back(std::make_unique<CacheStats>());
}

}  // namespace posthorn::operate
